//! A frame in words.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use etherparse::{
    ArpPacketSlice, IpNumber, LaxIpPayloadSlice, LaxNetSlice, LaxSlicedPacket, TcpSlice,
    TransportSlice,
};
use serde::Serialize;
use vswitch_switch::frame::{EtherType, EthernetFrame, HEADER_LEN, MacAddr};

use super::icmp;
use vswitch_control::pcapng::{Frame, flag};

/// From whom to whom, in which VLANs, and about what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Addresses {
    src: Option<String>,
    dst: Option<String>,
    /// Of all tags, the outermost first.
    vlans: Vec<u16>,
    /// Behind all tags.
    ethertype: Option<u16>,
    ip_src: Option<IpAddr>,
    ip_dst: Option<IpAddr>,
    ip_protocol: Option<u8>,
    src_port: Option<u16>,
    dst_port: Option<u16>,
}

impl Addresses {
    /// What the frame tells.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let Ok(frame) = EthernetFrame::new_checked(bytes) else {
            return Self::default();
        };
        let packet = LaxSlicedPacket::from_ethernet(bytes).ok();
        let net = packet.as_ref().and_then(|packet| packet.net.as_ref());
        let ip = net.and_then(ip_addresses);
        let ports = packet.as_ref().and_then(|packet| match &packet.transport {
            Some(TransportSlice::Tcp(tcp)) => Some((tcp.source_port(), tcp.destination_port())),
            Some(TransportSlice::Udp(udp)) => Some((udp.source_port(), udp.destination_port())),
            _ => None,
        });
        Self {
            src: Some(frame.src().to_string()),
            dst: Some(frame.dst().to_string()),
            vlans: vlans(bytes).collect(),
            ethertype: frame.network().map(|(ethertype, _)| ethertype.0),
            ip_src: ip.map(|(src, _)| src),
            ip_dst: ip.map(|(_, dst)| dst),
            ip_protocol: net
                .and_then(LaxNetSlice::ip_payload_ref)
                .map(|payload| payload.ip_number.0),
            src_port: ports.map(|(src, _)| src),
            dst_port: ports.map(|(_, dst)| dst),
        }
    }
}

/// All that is told of a frame in one line, but when and where.
pub(crate) fn frame(frame: &Frame<'_>) -> String {
    let mut line = addresses(frame.bytes);
    // Nothing fails that writes to a text.
    let _ = write!(line, " {} bytes: {}", frame.len, payload(frame));
    if frame.has(flag::TO_BE_SEGMENTED) {
        let _ = write!(line, ", super-frame of {} bytes", frame.len);
    }
    if frame.has(flag::CHECKSUM_NOT_READY) {
        line.push_str(", checksum unfinished");
    }
    line
}

/// From whom to whom, and in which VLANs.
pub(crate) fn addresses(bytes: &[u8]) -> String {
    let Ok(frame) = EthernetFrame::new_checked(bytes) else {
        return "runt".to_owned();
    };
    let mut text = format!("{} > {}", frame.src(), frame.dst());
    for vlan in vlans(bytes) {
        let _ = write!(text, " vlan {vlan}");
    }
    text
}

/// What is behind the Ethernet header and its tags.
pub(crate) fn payload(frame: &Frame<'_>) -> String {
    let Ok(packet) = LaxSlicedPacket::from_ethernet(frame.bytes) else {
        return "shorter than an Ethernet header".to_owned();
    };
    match &packet.net {
        Some(LaxNetSlice::Arp(message)) => arp(message),
        Some(net @ LaxNetSlice::Ipv4(_)) => ip("IPv4", net, packet.transport.as_ref(), frame),
        Some(net @ LaxNetSlice::Ipv6(_)) => ip("IPv6", net, packet.transport.as_ref(), frame),
        None => other(frame.bytes),
    }
}

/// The VLANs of all tags; of one that is cut off nothing is known.
fn vlans(bytes: &[u8]) -> impl Iterator<Item = u16> {
    let tags = bytes.get(HEADER_LEN - 2..).unwrap_or_default();
    tags.chunks_exact(4).map_while(|tag| {
        let [high, low, tci @ ..] = *tag.first_chunk::<4>()?;
        let is_tag = EtherType(u16::from_be_bytes([high, low])).is_tag();
        is_tag.then(|| u16::from_be_bytes(tci) & 0x0fff)
    })
}

/// An ARP message (RFC 826).
fn arp(message: &ArpPacketSlice<'_>) -> String {
    let v4 = |octets: &[u8]| {
        let octets: Option<[u8; 4]> = octets.try_into().ok();
        octets.map_or_else(
            || "?".to_owned(),
            |octets| Ipv4Addr::from(octets).to_string(),
        )
    };
    let mac = |octets: &[u8]| {
        let octets: Option<[u8; 6]> = octets.try_into().ok();
        octets.map_or_else(|| "?".to_owned(), |octets| MacAddr(octets).to_string())
    };
    let sender = v4(message.sender_protocol_addr());
    let target = v4(message.target_protocol_addr());
    match message.operation().0 {
        1 if sender == target => format!("ARP {sender} is announced"),
        1 if sender == "0.0.0.0" => format!("ARP who has {target}?"),
        1 => format!("ARP who has {target}? tell {sender}"),
        2 => format!("ARP {sender} is at {}", mac(message.sender_hw_addr())),
        operation => format!("ARP operation {operation}"),
    }
}

fn ip_addresses(net: &LaxNetSlice<'_>) -> Option<(IpAddr, IpAddr)> {
    match net {
        LaxNetSlice::Ipv4(packet) => {
            let header = packet.header();
            Some((
                header.source_addr().into(),
                header.destination_addr().into(),
            ))
        }
        LaxNetSlice::Ipv6(packet) => {
            let header = packet.header();
            Some((
                Ipv6Addr::from(header.source()).into(),
                Ipv6Addr::from(header.destination()).into(),
            ))
        }
        LaxNetSlice::Arp(_) => None,
    }
}

fn ip(
    version: &str,
    net: &LaxNetSlice<'_>,
    transport: Option<&TransportSlice<'_>>,
    frame: &Frame<'_>,
) -> String {
    let (Some((src, dst)), Some(payload)) = (ip_addresses(net), net.ip_payload_ref()) else {
        return version.to_owned();
    };
    let between = |src_port, dst_port| {
        let (src, dst) = (
            SocketAddr::new(src, src_port),
            SocketAddr::new(dst, dst_port),
        );
        format!("{version} {src} > {dst}")
    };
    let missing = cut_off(frame);
    match transport {
        Some(TransportSlice::Tcp(segment)) => {
            let between = between(segment.source_port(), segment.destination_port());
            format!("{between} {}", tcp(segment, missing))
        }
        Some(TransportSlice::Udp(datagram)) => {
            let between = between(datagram.source_port(), datagram.destination_port());
            let len = datagram.payload().len() + missing;
            format!("{between} UDP, {len} bytes")
        }
        Some(TransportSlice::Icmpv4(message)) => {
            let told = icmp::v4(message.type_u8(), message.code_u8(), message.bytes5to8());
            format!("{version} {src} > {dst} {told}")
        }
        Some(TransportSlice::Icmpv6(message)) => {
            let (kind, code) = (message.type_u8(), message.code_u8());
            let told = icmp::v6(kind, code, message.bytes5to8(), message.payload());
            format!("{version} {src} > {dst} {told}")
        }
        Some(TransportSlice::Igmp(_)) => format!("{version} {src} > {dst} IGMP"),
        None => format!("{version} {src} > {dst} {}", unknown(payload)),
    }
}

/// A packet without a transport header that could be read.
fn unknown(payload: &LaxIpPayloadSlice<'_>) -> String {
    let name = match payload.ip_number {
        IpNumber::TCP => "TCP".to_owned(),
        IpNumber::UDP => "UDP".to_owned(),
        IpNumber::SCTP => "SCTP".to_owned(),
        IpNumber::GRE => "GRE".to_owned(),
        IpNumber::ICMP => "ICMP".to_owned(),
        IpNumber::IPV6_ICMP => "ICMPv6".to_owned(),
        IpNumber(number) => format!("protocol {number}"),
    };
    let piece = if payload.fragmented { ", fragment" } else { "" };
    let cut = if payload.incomplete {
        ", cut short"
    } else {
        ""
    };
    format!("{name}{piece}{cut}")
}

/// Bytes of the frame that were not captured.
fn cut_off(frame: &Frame<'_>) -> usize {
    let len = usize::try_from(frame.len).unwrap_or(usize::MAX);
    len.saturating_sub(frame.bytes.len())
}

/// A segment (RFC 9293), of whose payload so much was cut off.
fn tcp(segment: &TcpSlice<'_>, missing: usize) -> String {
    let flags = [
        (segment.syn(), "SYN"),
        (segment.fin(), "FIN"),
        (segment.rst(), "RST"),
        (segment.psh(), "PSH"),
        (segment.ack(), "ACK"),
        (segment.urg(), "URG"),
        (segment.ece(), "ECE"),
        (segment.cwr(), "CWR"),
    ];
    let flags: Vec<_> = flags.iter().filter(|(is_set, _)| *is_set).collect();
    let flags: Vec<_> = flags.iter().map(|(_, name)| *name).collect();
    let flags = if flags.is_empty() {
        "no flags".to_owned()
    } else {
        flags.join(" ")
    };
    let mut text = format!("TCP {flags}, seq {}", segment.sequence_number());
    if segment.ack() {
        let _ = write!(text, ", ack {}", segment.acknowledgment_number());
    }
    let len = segment.payload().len() + missing;
    let _ = write!(text, ", win {}, {len} bytes", segment.window_size());
    text
}

/// What is neither IP nor ARP.
fn other(bytes: &[u8]) -> String {
    let Some((EtherType(ethertype), _)) = EthernetFrame::new_checked(bytes)
        .ok()
        .and_then(|frame| frame.network())
    else {
        return "cut off inside its tags".to_owned();
    };
    match ethertype {
        // A length (IEEE 802.3-2022, 3.2.6): an LLC header follows.
        0..=1500 => "LLC".to_owned(),
        0x0800 => "IPv4, damaged".to_owned(),
        0x0806 => "ARP, damaged".to_owned(),
        0x86dd => "IPv6, damaged".to_owned(),
        0x88cc => "LLDP".to_owned(),
        0x8847 => "MPLS".to_owned(),
        0x8863 | 0x8864 => "PPPoE".to_owned(),
        0x88e5 => "MACsec".to_owned(),
        0x88f7 => "PTP".to_owned(),
        other => format!("EtherType 0x{other:04x}"),
    }
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
