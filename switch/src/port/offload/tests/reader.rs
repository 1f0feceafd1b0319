//! A second, slow and simple parser of finished frames, which shares no code with the first.

/// A packet whose lengths and checksums are all valid.
#[derive(Debug)]
pub(super) struct Packet {
    /// Addresses, tags, EtherType.
    pub(super) link: Vec<u8>,
    pub(super) identification: Option<u16>,
    pub(super) sequence: Option<u32>,
    pub(super) tcp_flags: Option<u8>,
    pub(super) payload: Vec<u8>,
}

/// Returns the one's complement sum of `parts`, of which all but the last have even length.
pub(super) fn sum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for pair in parts.concat().chunks(2) {
        sum += u32::from(pair[0]) * 256 + u32::from(*pair.get(1).unwrap_or(&0));
        if sum > 0xffff {
            sum -= 0xffff;
        }
    }
    sum as u16
}

fn number(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// Parses a frame; panics if anything in it is wrong.
pub(super) fn read(frame: &[u8]) -> Packet {
    let mut network = 14;
    while matches!(number(frame, network - 2), 0x8100 | 0x88a8) {
        network += 4;
    }
    let packet = &frame[network..];
    let (identification, protocol, transport, addresses) = match number(frame, network - 2) {
        0x0800 => {
            let len = usize::from(packet[0] & 15) * 4;
            assert_eq!(usize::from(number(packet, 2)), packet.len(), "total length");
            assert_eq!(sum(&[&packet[..len]]), 0xffff, "header checksum");
            (
                Some(number(packet, 4)),
                packet[9],
                &packet[len..],
                &packet[12..20],
            )
        }
        0x86dd => {
            assert_eq!(
                usize::from(number(packet, 4)),
                packet.len() - 40,
                "payload length"
            );
            let (protocol, len) = match packet[6] {
                60 => (packet[40], 40 + 8 * (usize::from(packet[41]) + 1)),
                protocol => (protocol, 40),
            };
            (None, protocol, &packet[len..], &packet[8..40])
        }
        other => panic!("not an IP packet: {other:04x}"),
    };
    let pseudo = [&[0, protocol][..], &(transport.len() as u16).to_be_bytes()].concat();
    assert_eq!(
        sum(&[addresses, &pseudo, transport]),
        0xffff,
        "transport checksum"
    );
    let is_tcp = protocol == 6;
    let header_len = if is_tcp {
        usize::from(transport[12] >> 4) * 4
    } else {
        check_udp(transport);
        8
    };
    Packet {
        link: frame[..network].to_vec(),
        identification,
        sequence: is_tcp.then(|| u32::from_be_bytes(*transport[4..].first_chunk().unwrap())),
        tcp_flags: is_tcp.then(|| transport[13]),
        payload: transport[header_len..].to_vec(),
    }
}

fn check_udp(datagram: &[u8]) {
    let len = usize::from(number(datagram, 4));
    assert_eq!(len, datagram.len(), "UDP length");
    assert_ne!(number(datagram, 6), 0, "UDP without a checksum");
}
