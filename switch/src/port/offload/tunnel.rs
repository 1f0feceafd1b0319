//! Packets in tunnels: VXLAN, Geneve, GRE, IP in IP, and any other kind with an inner packet.
//!
//! A stack that offloads the segmentation of a transfer through a tunnel sends one super-frame with
//! the headers of both packets (`SKB_GSO_UDP_TUNNEL`, `SKB_GSO_GRE`, `SKB_GSO_IPXIP4`). The virtio
//! header that a packet socket returns with it (`virtio_net_hdr_from_skb`) cannot describe the
//! tunnel: it describes the inner packet, and where its checksum begins. So the inner packet is
//! located from there. The bytes between the two belong to the tunnel, of whatever kind, and are
//! repeated unchanged, except for a GRE checksum.

use super::checksum::Sum;
use super::layout::{self, Headers, IpVersion, PROTOCOL_TCP, PROTOCOL_UDP, UDP_HEADER_LEN};
use crate::frame::Offload;

/// Protocol number of IPv4 in IP (RFC 2003).
const PROTOCOL_IPV4: u8 = 4;
/// Protocol number of IPv6 in IP (RFC 4213).
const PROTOCOL_IPV6: u8 = 41;
/// Protocol number of GRE (RFC 2784).
const PROTOCOL_GRE: u8 = 47;
/// Protocol number of MPLS in IP (RFC 4023).
const PROTOCOL_MPLS: u8 = 137;

/// Shortest and longest header of IPv4.
const IPV4_HEADER_LENS: std::ops::RangeInclusive<usize> = 20..=60;
const IPV6_HEADER_LEN: usize = 40;
/// The most bytes before the inner transport header in which an IPv6 header is searched: its
/// extension headers are rare, and short.
const IPV6_SEARCH_LEN: usize = 512;

/// GRE's first sixteen bits (RFC 2784, 2.1; RFC 2890, 2).
const GRE_CHECKSUM: u16 = 0x8000;
const GRE_SEQUENCE: u16 = 0x1000;
const GRE_VERSION: u16 = 0x0007;
/// Offset of the checksum in a GRE header.
const GRE_CHECKSUM_AT: usize = 4;

/// Finds the packet that `outer` carries, whose transport header begins at the checksum start of
/// `offload`; `None` if there is none, or the kind of tunnel is unknown.
pub(super) fn locate_inner(frame: &[u8], outer: Headers, offload: &Offload) -> Option<Headers> {
    let transport = usize::from(offload.csum_start);
    // The earliest offset of the inner packet.
    let carrier = frame.get(outer.transport..)?;
    let earliest = outer.transport
        + match outer.protocol {
            PROTOCOL_UDP => UDP_HEADER_LEN,
            PROTOCOL_GRE => gre_header_len(carrier)?,
            PROTOCOL_IPV4 | PROTOCOL_IPV6 | PROTOCOL_MPLS => 0,
            _ => return None,
        };
    let room = transport.checked_sub(earliest)?;
    inner_ipv4(frame, transport, room).or_else(|| inner_ipv6(frame, transport, room))
}

/// Returns the length of a GRE header whose fields can be repeated in front of each piece.
fn gre_header_len(header: &[u8]) -> Option<usize> {
    let flags = u16::from_be_bytes(*header.first_chunk()?);
    // Version 1 (PPTP) has a length field, and a sequence number would have to be incremented.
    if flags & (GRE_SEQUENCE | GRE_VERSION) != 0 {
        return None;
    }
    let has_checksum = flags & GRE_CHECKSUM != 0;
    Some(if has_checksum { 8 } else { 4 })
}

/// Finds an IPv4 packet whose transport header is at `transport`, and that begins up to `room`
/// bytes before. Its length must match the rest of the frame, and its checksum must be valid.
fn inner_ipv4(frame: &[u8], transport: usize, room: usize) -> Option<Headers> {
    let mut lens = IPV4_HEADER_LENS.step_by(4).take_while(|len| *len <= room);
    lens.find_map(|len| {
        let network = transport - len;
        let packet = frame.get(network..)?;
        let (protocol, header_len) = layout::ipv4(packet)?;
        let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
        let is_whole = header_len == len && total == packet.len();
        // The length is checked first: with a wrong offload header, the frame may end before
        // `transport`.
        let is_sound = || Sum::default().bytes(&packet[..len]).finish() == [0, 0];
        (is_whole && is_sound()).then_some(Headers {
            version: IpVersion::V4,
            network,
            protocol,
            transport,
        })
    })
    .filter(|headers| is_cut(headers.protocol))
}

/// Finds an IPv6 packet in the same way; it has no checksum, but its length must match.
fn inner_ipv6(frame: &[u8], transport: usize, room: usize) -> Option<Headers> {
    let lens = IPV6_HEADER_LEN..=room.min(IPV6_SEARCH_LEN);
    // Extension headers come in units of eight bytes (RFC 8200, 4).
    lens.step_by(8).find_map(|len| {
        let network = transport - len;
        let packet = frame.get(network..)?;
        let (protocol, headers_len) = layout::ipv6(packet)?;
        let payload_len = usize::from(u16::from_be_bytes([packet[4], packet[5]]));
        let is_whole = headers_len == len && IPV6_HEADER_LEN + payload_len == packet.len();
        (is_whole && is_cut(protocol)).then_some(Headers {
            version: IpVersion::V6,
            network,
            protocol,
            transport,
        })
    })
}

const fn is_cut(protocol: u8) -> bool {
    matches!(protocol, PROTOCOL_TCP | PROTOCOL_UDP)
}

/// Completes the tunnel header of one piece whose inner packet and outer network header are
/// complete: the length and checksum of UDP, the checksum of GRE.
pub(super) fn finish_carrier(outer: &Headers, piece: &mut [u8]) {
    let (before, carrier) = piece.split_at_mut(outer.transport);
    match outer.protocol {
        PROTOCOL_UDP => finish_udp(outer, before, carrier),
        PROTOCOL_GRE => finish_gre(carrier),
        _ => {}
    }
}

/// A sender that omits the checksum sends zero (RFC 7348, 5), and the pieces then have zero too.
fn finish_udp(outer: &Headers, before: &[u8], datagram: &mut [u8]) {
    let len = u32::try_from(datagram.len()).unwrap_or(u32::MAX);
    layout::put(datagram, 4, datagram.len());
    if datagram[6..8] == [0, 0] {
        return;
    }
    datagram[6..8].fill(0);
    let sum = Sum::default()
        .pseudo_header(outer.version, &before[outer.network..], outer.protocol, len)
        .bytes(datagram);
    datagram[6..8].copy_from_slice(&sum.finish_nonzero());
}

fn finish_gre(packet: &mut [u8]) {
    if u16::from_be_bytes([packet[0], packet[1]]) & GRE_CHECKSUM == 0 {
        return;
    }
    let field = GRE_CHECKSUM_AT..GRE_CHECKSUM_AT + 2;
    packet[field.clone()].fill(0);
    let checksum = Sum::default().bytes(packet).finish();
    packet[field].copy_from_slice(&checksum);
}
