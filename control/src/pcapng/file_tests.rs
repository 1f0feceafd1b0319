use super::*;
use crate::pcapng::link_type;

/// Gives a few bytes at a time.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = 3.min(self.0.len()).min(buffer.len());
        buffer[..len].copy_from_slice(&self.0[..len]);
        self.0 = &self.0[len..];
        Ok(len)
    }
}

/// Bytes, length before the cut, link type, interface.
type Told = (Vec<u8>, u32, u16, Option<String>);

/// All packets, and what ended them.
fn packets(bytes: &[u8]) -> (Vec<Told>, Option<FileError>) {
    let mut found = Vec::new();
    let mut file = match CaptureFile::open(Trickle(bytes)) {
        Ok(file) => file,
        Err(error) => return (found, Some(error)),
    };
    loop {
        match file.next_packet() {
            Ok(Some(packet)) => found.push((
                packet.bytes.to_vec(),
                packet.len,
                packet.link,
                packet.interface.map(str::to_owned),
            )),
            Ok(None) => return (found, None),
            Err(error) => return (found, Some(error)),
        }
    }
}

fn all(bytes: &[u8]) -> Vec<Told> {
    let (found, error) = packets(bytes);
    assert!(error.is_none(), "{error:?}");
    found
}

type Order = fn(u32) -> [u8; 4];
const ORDERS: [Order; 2] = [u32::to_le_bytes, u32::to_be_bytes];

fn short(order: Order, number: u16) -> [u8; 2] {
    let [a, b, c, d] = order(number.into());
    if order(1)[0] == 1 { [a, b] } else { [c, d] }
}

/// A pcap file with one packet.
fn classic(order: Order, magic: u32, link: u32, packet: &[u8], len: u32) -> Vec<u8> {
    let mut out = order(magic).to_vec();
    out.extend([short(order, 2), short(order, 4)].concat());
    for field in [0, 0, 0x7fff_ffff, link] {
        out.extend(order(field));
    }
    let captured = u32::try_from(packet.len()).unwrap();
    for field in [7, 8, captured, len] {
        out.extend(order(field));
    }
    if magic == MODIFIED {
        out.extend([0; MODIFIED_MORE]);
    }
    out.extend(packet);
    out
}

fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
    let len = order(u32::try_from(12 + body.len() + padding.len()).unwrap());
    [&order(kind), &len, body, &padding, &len[..]].concat()
}

fn section(order: Order) -> Vec<u8> {
    let version = [short(order, 1), short(order, 0)].concat();
    block(
        order,
        SECTION,
        &[&order(BYTE_ORDER)[..], &version, &[0xff; 8]].concat(),
    )
}

fn described(order: Order, link: u16, snaplen: u32, options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = [&short(order, link)[..], &[0, 0], &order(snaplen)].concat();
    for (code, value) in options {
        body.extend(short(order, *code));
        body.extend(short(order, u16::try_from(value.len()).unwrap()));
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    body.extend([0; 4]);
    block(order, 1, &body)
}

fn enhanced(order: Order, interface: u32, packet: &[u8], len: u32) -> Vec<u8> {
    let captured = u32::try_from(packet.len()).unwrap();
    let mut body: Vec<u8> = [interface, 1, 2, captured, len]
        .into_iter()
        .flat_map(order)
        .collect();
    body.extend(packet);
    block(order, 6, &body)
}

fn simple(order: Order, packet: &[u8], len: u32) -> Vec<u8> {
    block(order, 3, &[&order(len)[..], packet].concat())
}

#[test]
fn pcap_is_read_in_both_orders_and_all_three_kinds() {
    for order in ORDERS {
        for magic in [0xa1b2_c3d4, 0xa1b2_3c4d, MODIFIED] {
            let file = classic(order, magic, 1, b"abcdef", 9);
            let expected = (b"abcdef".to_vec(), 9, 1, None);
            assert_eq!(all(&file), std::slice::from_ref(&expected), "{magic:x}");
            let packet = &file[HEADER..];
            assert_eq!(
                all(&[&file[..], packet].concat()),
                [expected.clone(), expected]
            );
        }
    }
}

#[test]
fn a_frame_check_sequence_is_no_part_of_the_frame() {
    for order in ORDERS {
        // P, and two units of 16 bits.
        let link = 0x2400_0001;
        let file = classic(order, 0xa1b2_c3d4, link, b"abcdefFCS.", 10);
        assert_eq!(all(&file), [(b"abcdef".to_vec(), 6, 1, None)]);
        // The capture had cut all or half of it off.
        let file = classic(order, 0xa1b2_c3d4, link, b"abcdefFC", 10);
        assert_eq!(all(&file), [(b"abcdef".to_vec(), 6, 1, None)]);
        let file = classic(order, 0xa1b2_c3d4, link, b"abcd", 10);
        assert_eq!(all(&file), [(b"abcd".to_vec(), 6, 1, None)]);
        // Without P the length says nothing; bits in between are reserved.
        let file = classic(order, 0xa1b2_c3d4, 0x20ff_0001, b"abcdef", 6);
        assert_eq!(all(&file), [(b"abcdef".to_vec(), 6, 1, None)]);
        let file = classic(order, 0xa1b2_c3d4, 0xf400_0001, b"ab", 2);
        assert_eq!(all(&file), [(Vec::new(), 0, 1, None)]);
    }
    for fcs in [4, 32] {
        let mut file = section(u32::to_be_bytes);
        file.extend(described(
            u32::to_be_bytes,
            1,
            0,
            &[(option::IF_FCSLEN, &[fcs])],
        ));
        file.extend(enhanced(u32::to_be_bytes, 0, b"abcdefFCS.", 10));
        assert_eq!(all(&file), [(b"abcdef".to_vec(), 6, 1, None)]);
    }
}

#[test]
fn sections_of_either_order_have_interfaces_of_their_own() {
    let [little, big] = ORDERS;
    let file = [
        section(little),
        described(little, 113, 0, &[(2, b"any")]),
        described(little, 1, 0, &[(2, b"eth0"), (9, &[9])]),
        enhanced(little, 1, b"abc", 60),
        block(little, 0xbad, b"something new"),
        enhanced(little, 0, b"sll", 3),
        section(big),
        described(big, 1, 4, &[(2, b"eth1"), (9, &[0x8a])]),
        enhanced(big, 0, b"defg", 4),
        simple(big, b"hijk", 100),
        section(little),
        described(little, 276, 0, &[]),
        simple(little, b"lm", 2),
    ]
    .concat();
    let told = |bytes: &[u8], len, link, name: Option<&str>| {
        (bytes.to_vec(), len, link, name.map(str::to_owned))
    };
    assert_eq!(
        all(&file),
        [
            told(b"abc", 60, 1, Some("eth0")),
            told(b"sll", 3, 113, Some("any")),
            told(b"defg", 4, 1, Some("eth1")),
            told(b"hijk", 100, 1, Some("eth1")),
            told(b"lm", 2, 276, None),
        ]
    );
}

#[test]
fn packets_in_blocks_of_old_are_read() {
    for order in ORDERS {
        let mut body = [short(order, 0), short(order, 9)].concat();
        body.extend([1, 2, 5, 70].into_iter().flat_map(order));
        body.extend(b"abcde");
        let file = [
            section(order),
            described(order, 1, 0, &[]),
            block(order, 2, &body),
        ]
        .concat();
        assert_eq!(all(&file), [(b"abcde".to_vec(), 70, 1, None)]);
    }
}

#[test]
fn what_is_whole_in_a_cut_file_is_read_and_the_cut_is_told() {
    let two = |file: Vec<u8>, second: Vec<u8>| (file.len(), [file, second].concat());
    let little = u32::to_le_bytes as Order;
    let first = classic(little, 0xa1b2_c3d4, 1, b"abcd", 4);
    let (_, record) = first.split_at(HEADER);
    let blocks = [
        section(little),
        described(little, 1, 0, &[]),
        enhanced(little, 0, b"abcd", 4),
    ]
    .concat();
    for (whole, file) in [
        two(first.clone(), record.to_vec()),
        two(blocks, enhanced(little, 0, b"efgh", 4)),
    ] {
        for cut in whole + 1..file.len() {
            let (found, error) = packets(&file[..cut]);
            assert_eq!(found.len(), 1, "{cut}");
            let Some(FileError::Cut {
                packets,
                at,
                missing,
            }) = error
            else {
                panic!("{cut}: {error:?}");
            };
            assert_eq!((packets, at), (1, cut as u64));
            assert!(missing > 0 && missing <= file.len() - cut, "{cut}");
        }
    }
    for cut in 4..HEADER {
        let (_, error) = packets(&first[..cut]);
        assert!(
            matches!(error, Some(FileError::NoHeader { at }) if at == cut as u64),
            "{cut}"
        );
    }
}

#[test]
fn lengths_that_nothing_has_are_told_and_nothing_is_allocated() {
    let little = u32::to_le_bytes as Order;
    let mut file = classic(little, 0xa1b2_c3d4, 1, b"", 0);
    file.truncate(HEADER);
    file.extend([0, 0, u32::MAX, u32::MAX].into_iter().flat_map(little));
    let mut block = section(little);
    block.extend([little(6), little(0xffff_fffc)].concat());
    block.extend([0; 100]);
    for file in [file, block] {
        let mut reader = CaptureFile::open(&file[..]).unwrap();
        let error = reader.next_packet().unwrap_err();
        assert!(
            matches!(error, FileError::Damaged { packets: 0, .. }),
            "{error}"
        );
        assert!(reader.buffer.capacity() < 4 * CHUNK);
    }
    let unknown = [section(little), enhanced(little, 7, b"abcd", 4)].concat();
    let (_, error) = packets(&unknown);
    assert!(
        matches!(error, Some(FileError::Damaged { .. })),
        "{error:?}"
    );
}

#[test]
fn what_is_no_capture_is_named() {
    for (bytes, told) in [
        (&b""[..], "is empty"),
        (b"x", "neither pcap nor pcapng: it begins with the bytes 78"),
        (
            b"hello, this is no capture",
            "the bytes 68 65 6c 6c 6f 2c 20 74",
        ),
        (
            b"\x1f\x8b\x08\0\0\0",
            "is compressed: unpack it with 'gunzip' first",
        ),
        (&[0; 100], "neither pcap nor pcapng"),
        (b"\x0a\x0d\x0d\x0a", "is cut off"),
    ] {
        let (_, error) = packets(bytes);
        let error = error.unwrap().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn link_types_are_named() {
    assert_eq!(link_type::name(113), "LINKTYPE_LINUX_SLL (113)");
    assert_eq!(link_type::name(9999), "number 9999");
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, start in 0..4_usize) {
        let little = u32::to_le_bytes as Order;
        let mut out = match start {
            0 => section(little),
            1 => classic(little, 0xa1b2_c3d4, 1, b"", 0),
            2 => [section(u32::to_be_bytes), described(u32::to_be_bytes, 1, 0, &[])].concat(),
            _ => Vec::new(),
        };
        out.extend(bytes);
        crate::pcapng::trial::file(&out);
    }
}
