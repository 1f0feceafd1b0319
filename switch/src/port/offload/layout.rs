//! Locates the headers of an IP frame. Nothing in the frame is trusted: an inconsistent frame has
//! no layout.

use super::tunnel;
use crate::frame::{EtherType, EthernetFrame, Offload, Segmentation};
use crate::port::Frame;

/// Protocol number of TCP (RFC 9293).
pub(super) const PROTOCOL_TCP: u8 = 6;
/// Protocol number of UDP (RFC 768).
pub(super) const PROTOCOL_UDP: u8 = 17;
/// Protocol number of SCTP (RFC 9260).
pub(super) const PROTOCOL_SCTP: u8 = 132;

/// Length of a UDP header.
pub(super) const UDP_HEADER_LEN: usize = 8;
const TCP_HEADER_LEN: usize = 20;
const IPV4_HEADER_LEN: usize = 20;
const IPV6_HEADER_LEN: usize = 40;

/// Which Internet Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IpVersion {
    V4,
    V6,
}

/// The headers of an IP packet that is not a fragment, after any stack of VLAN tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Headers {
    pub(super) version: IpVersion,
    /// Offset of the IP header in the frame.
    pub(super) network: usize,
    /// Protocol number of the transport header.
    pub(super) protocol: u8,
    /// Offset of the transport header in the frame; at most the frame's length.
    pub(super) transport: usize,
}

/// Finds the headers of `frame`; `None` if it is not a whole IP packet.
pub(super) fn locate(frame: &[u8]) -> Option<Headers> {
    let (ethertype, network) = EthernetFrame::new_checked(frame).ok()?.network()?;
    let packet = frame.get(network..)?;
    let (version, protocol, len) = match ethertype {
        EtherType::IPV4 => ipv4(packet).map(|(protocol, len)| (IpVersion::V4, protocol, len)),
        EtherType::IPV6 => ipv6(packet).map(|(protocol, len)| (IpVersion::V6, protocol, len)),
        _ => None,
    }?;
    Some(Headers {
        version,
        network,
        protocol,
        transport: network + len,
    })
}

/// The protocol of an IPv4 packet and the length of its header (RFC 791, 3.1).
pub(super) fn ipv4(packet: &[u8]) -> Option<(u8, usize)> {
    let header = packet.first_chunk::<IPV4_HEADER_LEN>()?;
    let len = usize::from(header[0] & 0x0f) * 4;
    // A fragment has no reliable transport header.
    let is_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0;
    let is_sound = header[0] >> 4 == 4 && (IPV4_HEADER_LEN..=packet.len()).contains(&len);
    (is_sound && !is_fragment).then_some((header[9], len))
}

/// The protocol behind the extension headers of an IPv6 packet, and the length of all of its
/// headers (RFC 8200, 4).
pub(super) fn ipv6(packet: &[u8]) -> Option<(u8, usize)> {
    const HOP_BY_HOP: u8 = 0;
    const ROUTING: u8 = 43;
    const DESTINATION: u8 = 60;
    const MOBILITY_AND_LATER: [u8; 3] = [135, 139, 140];
    const FRAGMENT: u8 = 44;

    let header = packet.first_chunk::<IPV6_HEADER_LEN>()?;
    if header[0] >> 4 != 6 {
        return None;
    }
    let mut next = header[6];
    let mut at = IPV6_HEADER_LEN;
    loop {
        let extension = packet.get(at..)?;
        match next {
            HOP_BY_HOP | DESTINATION => {}
            // On the way to an intermediate hop, the checksum covers another destination address
            // than the header's.
            ROUTING if extension.get(3) == Some(&0) => {}
            ROUTING | FRAGMENT => return None,
            _ if MOBILITY_AND_LATER.contains(&next) => {}
            protocol => return Some((protocol, at)),
        }
        at += (usize::from(*extension.get(1)?) + 1) * 8;
        next = extension[0];
    }
}

/// The headers of a super-frame, all of which are repeated before each piece of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// The packet that carries the other in a tunnel; `None` without a tunnel.
    pub(super) outer: Option<Headers>,
    /// The packet whose payload is segmented.
    pub(super) headers: Headers,
    /// Length of all headers, and so the offset of the payload.
    pub(super) payload: usize,
}

impl Layout {
    /// Computes the layout of a super-frame for `segmentation`; `None` if the frame and the offload
    /// header contradict each other.
    pub(super) fn of(frame: &[u8], offload: &Offload, segmentation: Segmentation) -> Option<Self> {
        let first = locate(frame)?;
        let is_plain =
            !offload.needs_checksum() || usize::from(offload.csum_start) == first.transport;
        let (outer, headers) = if is_plain {
            (None, first)
        } else {
            (Some(first), tunnel::locate_inner(frame, first, offload)?)
        };
        let transport = frame.get(headers.transport..)?;
        let len = match (segmentation, headers.version, headers.protocol) {
            (Segmentation::TcpV4, IpVersion::V4, PROTOCOL_TCP)
            | (Segmentation::TcpV6, IpVersion::V6, PROTOCOL_TCP) => {
                let len = usize::from(transport.get(12)? >> 4) * 4;
                (len >= TCP_HEADER_LEN).then_some(len)?
            }
            (Segmentation::UdpL4, _, PROTOCOL_UDP) => UDP_HEADER_LEN,
            _ => return None,
        };
        (len <= transport.len()).then_some(Self {
            outer,
            headers,
            payload: headers.transport + len,
        })
    }

    /// Returns the offset of the packet that the MTU limits.
    pub(super) fn network(&self) -> usize {
        self.outer.unwrap_or(self.headers).network
    }
}

/// Returns the offload header of `frame` for the kernel, with the true length of a super-frame's
/// link, network and transport headers. The kernel uses that length as the length of the new
/// buffer's linear part, and thus of what the receiving stack reads first.
///
/// `None` for a super-frame in a tunnel: a virtio header describes only the inner packet, and the
/// kernel would apply it to the outer one. Such a frame must be segmented in software.
#[inline]
pub(crate) fn outgoing_header(frame: &Frame<'_>) -> Option<[u8; Offload::LEN]> {
    let mut offload = frame.offload;
    if let Some(segmentation) = offload.segmentation()
        && let Some(layout) = Layout::of(frame.bytes, &offload, segmentation)
    {
        if layout.outer.is_some() {
            return None;
        }
        if let Ok(len) = u16::try_from(layout.payload) {
            offload.hdr_len = len;
        }
    }
    Some(offload.to_bytes())
}

/// Stores the low 16 bits of `value` at `at`, in network byte order.
pub(super) fn put(bytes: &mut [u8], at: usize, value: usize) {
    // Identifications wrap; lengths were checked to fit.
    #[expect(clippy::cast_possible_truncation)]
    bytes[at..at + 2].copy_from_slice(&(value as u16).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(tags: &[u8], ethertype: u16, packet: &[u8]) -> Vec<u8> {
        [&[2; 12], tags, &ethertype.to_be_bytes(), packet].concat()
    }

    fn ipv6_packet(next: u8, behind: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; 40];
        packet[0] = 0x60;
        packet[6] = next;
        packet.extend(behind);
        packet
    }

    #[test]
    fn extension_headers_and_tags_are_skipped() {
        let mut behind = vec![60, 0, 0, 0, 0, 0, 0, 0]; // hop by hop, 8 bytes
        behind.extend([6, 1]); // destination options, 16 bytes
        behind.extend([0; 14]);
        behind.extend([0; 20]);
        let frame = frame(
            &[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2],
            0x86dd,
            &ipv6_packet(0, &behind),
        );
        let headers = locate(&frame).unwrap();
        assert_eq!(headers.network, 22);
        assert_eq!(headers.protocol, PROTOCOL_TCP);
        assert_eq!(headers.transport, 22 + 40 + 8 + 16);
    }

    #[test]
    fn what_has_no_transport_header_has_no_layout() {
        let whole = frame(&[], 0x86dd, &ipv6_packet(17, &[0; 8]));
        assert!(locate(&whole).is_some());
        let fragment = frame(&[], 0x86dd, &ipv6_packet(44, &[17, 0, 0, 1, 0, 0, 0, 0]));
        let under_way = frame(&[], 0x86dd, &ipv6_packet(43, &[17, 0, 4, 1, 0, 0, 0, 0]));
        let cut_off = frame(&[], 0x86dd, &ipv6_packet(0, &[17, 9, 0, 0, 0, 0, 0, 0]));
        let mut short_ihl = vec![0; 20];
        short_ihl[0] = 0x44;
        let mut v4_fragment = vec![0; 20];
        (v4_fragment[0], v4_fragment[6]) = (0x45, 0x20);
        for bad in [
            fragment,
            under_way,
            cut_off,
            frame(&[], 0x0800, &short_ihl),
            frame(&[], 0x0800, &v4_fragment),
            frame(&[], 0x0806, &[0; 28]),
            vec![0; 13],
        ] {
            assert_eq!(locate(&bad), None, "{bad:02x?}");
        }
    }
}
