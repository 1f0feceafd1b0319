//! Frames of known content, and frames of none.

use std::time::Duration;

use etherparse::PacketBuilder;

use super::*;

const SRC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const DST: [u8; 6] = [2, 0, 0, 0, 0, 2];

fn shown(bytes: &[u8], len: usize, flags: u32) -> String {
    frame(&Frame {
        interface: 0,
        time: Duration::ZERO,
        len: u32::try_from(len).unwrap(),
        bytes,
        flags,
        lost_before: 0,
        comments: Vec::new(),
    })
}

fn told(bytes: &[u8]) -> String {
    shown(bytes, bytes.len(), 0)
}

fn raw(behind_addresses: &[u8]) -> Vec<u8> {
    [&DST, &SRC, behind_addresses].concat()
}

const WHO: &str = "02:00:00:00:00:01 > 02:00:00:00:00:02";

#[test]
fn tcp_is_told_with_flags_and_numbers() {
    let mut bytes = Vec::new();
    PacketBuilder::ethernet2(SRC, DST)
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .tcp(43210, 80, 1234, 64240)
        .syn()
        .write(&mut bytes, &[])
        .unwrap();
    assert_eq!(
        told(&bytes),
        format!(
            "{WHO} 54 bytes: IPv4 10.0.0.1:43210 > 10.0.0.2:80 TCP SYN, seq 1234, win 64240, 0 bytes"
        )
    );
    bytes.clear();
    PacketBuilder::ethernet2(SRC, DST)
        .ipv6(
            [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
            64,
        )
        .tcp(1, 2, 3, 4)
        .ack(5)
        .psh()
        .write(&mut bytes, &[0; 100])
        .unwrap();
    let flags = flag::TO_BE_SEGMENTED | flag::CHECKSUM_NOT_READY;
    let expected = format!(
        "{WHO} 174 bytes: IPv6 [fd00::1]:1 > [fd00::2]:2 TCP PSH ACK, seq 3, ack 5, win 4, 100 \
         bytes, super-frame of 174 bytes, checksum unfinished"
    );
    assert_eq!(shown(&bytes, 174, flags), expected);
    assert_eq!(shown(&bytes[..100], 174, flags), expected, "cut short");
}

#[test]
fn udp_icmp_and_tags_are_told() {
    let mut bytes = Vec::new();
    PacketBuilder::ethernet2(SRC, DST)
        .single_vlan(100.try_into().unwrap())
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .udp(68, 67)
        .write(&mut bytes, &[0; 3])
        .unwrap();
    assert_eq!(
        told(&bytes),
        format!("{WHO} vlan 100 49 bytes: IPv4 10.0.0.1:68 > 10.0.0.2:67 UDP, 3 bytes")
    );
    bytes.clear();
    PacketBuilder::ethernet2(SRC, DST)
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .icmpv4_echo_request(7, 1)
        .write(&mut bytes, &[0; 8])
        .unwrap();
    assert_eq!(
        told(&bytes),
        format!("{WHO} 50 bytes: IPv4 10.0.0.1 > 10.0.0.2 ICMP echo request, id 7, seq 1")
    );
    let addresses = Addresses::of(&bytes);
    assert_eq!(addresses.ip_protocol, Some(1));
    assert_eq!(addresses.ip_src, Some([10, 0, 0, 1].into()));
}

#[test]
fn arp_asks_and_answers() {
    let message = |operation: u8, sender: [u8; 4], target: [u8; 4]| {
        let head = [8, 6, 0, 1, 8, 0, 6, 4, 0, operation];
        let bytes = [&head[..], &SRC, &sender, &[0; 6], &target].concat();
        told(&raw(&bytes))
    };
    let (mario, luigi) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    assert!(message(1, mario, luigi).ends_with("42 bytes: ARP who has 10.0.0.2? tell 10.0.0.1"));
    assert!(message(2, mario, luigi).ends_with("ARP 10.0.0.1 is at 02:00:00:00:00:01"));
    assert!(message(1, mario, mario).ends_with("ARP 10.0.0.1 is announced"));
    assert!(message(9, mario, luigi).ends_with("ARP operation 9"));
}

#[test]
fn what_is_nothing_of_that_is_told_too() {
    for (bytes, expected) in [
        (raw(&[0x88, 0xb5, 1, 2]), "16 bytes: EtherType 0x88b5"),
        (raw(&[0x88, 0xcc]), "14 bytes: LLDP"),
        (raw(&[0, 3, 0x42, 0x42, 3]), "17 bytes: LLC"),
        (raw(&[8, 0, 0x45]), "15 bytes: IPv4, damaged"),
        (
            raw(&[0x81, 0, 0, 5, 8]),
            "17 bytes: cut off inside its tags",
        ),
        (
            b"short".to_vec(),
            "runt 5 bytes: shorter than an Ethernet header",
        ),
    ] {
        assert!(told(&bytes).ends_with(expected), "{}", told(&bytes));
    }
    let double = raw(&[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8, 0x88, 0xb5]);
    assert!(
        told(&double).contains("vlan 7 vlan 8 "),
        "{}",
        told(&double)
    );
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, ethertype in 0..6_usize, flags: u32) {
        let ethertypes = [[8, 0], [8, 6], [0x86, 0xdd], [0x81, 0], [0x88, 0xb5], [0, 9]];
        for start in [raw(&ethertypes[ethertype]), Vec::new()] {
            let bytes = [start, bytes.clone()].concat();
            let text = shown(&bytes, bytes.len() + 5, flags);
            assert!(!text.contains(char::is_control), "{text:?}");
            let _ = Addresses::of(&bytes);
        }
    }
}
