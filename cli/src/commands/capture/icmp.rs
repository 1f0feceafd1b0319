//! ICMP messages in words (RFC 792, RFC 4443, RFC 4861).

use std::net::Ipv6Addr;

/// A message of ICMP: its type, its code, and the four octets behind the checksum.
pub(super) fn v4(kind: u8, code: u8, rest: [u8; 4]) -> String {
    let [a, b, c, d] = rest;
    let (identifier, number) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    match (kind, code) {
        (0, _) => format!("ICMP echo reply, id {identifier}, seq {number}"),
        (8, _) => format!("ICMP echo request, id {identifier}, seq {number}"),
        (3, 0) => "ICMP network unreachable".to_owned(),
        (3, 1) => "ICMP host unreachable".to_owned(),
        (3, 2) => "ICMP protocol unreachable".to_owned(),
        (3, 3) => "ICMP port unreachable".to_owned(),
        (3, 4) => format!("ICMP packet too big, mtu {number}"),
        (3, _) => format!("ICMP unreachable, code {code}"),
        (5, _) => "ICMP redirect".to_owned(),
        (9, _) => "ICMP router advertisement".to_owned(),
        (10, _) => "ICMP router solicitation".to_owned(),
        (11, _) => "ICMP time exceeded".to_owned(),
        (12, _) => "ICMP parameter problem".to_owned(),
        _ => format!("ICMP type {kind}, code {code}"),
    }
}

/// The same of `ICMPv6`, with what follows.
pub(super) fn v6(kind: u8, code: u8, rest: [u8; 4], payload: &[u8]) -> String {
    let [a, b, c, d] = rest;
    let (identifier, number) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let target = || {
        let octets = payload.first_chunk::<16>();
        octets.map_or_else(
            || "?".to_owned(),
            |octets| Ipv6Addr::from(*octets).to_string(),
        )
    };
    match (kind, code) {
        (1, 0) => "ICMPv6 no route".to_owned(),
        (1, 3) => "ICMPv6 host unreachable".to_owned(),
        (1, 4) => "ICMPv6 port unreachable".to_owned(),
        (1, _) => format!("ICMPv6 unreachable, code {code}"),
        (2, _) => format!("ICMPv6 packet too big, mtu {}", u32::from_be_bytes(rest)),
        (3, _) => "ICMPv6 time exceeded".to_owned(),
        (4, _) => "ICMPv6 parameter problem".to_owned(),
        (128, _) => format!("ICMPv6 echo request, id {identifier}, seq {number}"),
        (129, _) => format!("ICMPv6 echo reply, id {identifier}, seq {number}"),
        (130, _) => "ICMPv6 multicast listener query".to_owned(),
        (131 | 143, _) => "ICMPv6 multicast listener report".to_owned(),
        (132, _) => "ICMPv6 multicast listener done".to_owned(),
        (133, _) => "ICMPv6 router solicitation".to_owned(),
        (134, _) => "ICMPv6 router advertisement".to_owned(),
        (135, _) => format!("ICMPv6 who has {}?", target()),
        (136, _) => format!("ICMPv6 {} is here", target()),
        (137, _) => "ICMPv6 redirect".to_owned(),
        _ => format!("ICMPv6 type {kind}, code {code}"),
    }
}
