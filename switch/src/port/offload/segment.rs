//! Segments a super-frame, as a network card would.
//!
//! The headers are repeated in front of each piece of the payload and adapted as by the kernel's
//! `tcp_gso_segment`, `__udp_gso_segment` and `inet_gso_segment`.

use super::checksum::Sum;
use super::layout::{Headers, IpVersion, Layout, PROTOCOL_TCP, put};
use super::tunnel;
use crate::frame::{Offload, Segmentation};

/// The most segments of one super-frame. The smallest maximum segment size of Linux
/// (`TCP_MIN_SND_MSS`, 48) gives 1,366; a larger number would only keep the switch busy.
const MAX_SEGMENTS: usize = 2_048;

const TCP_SEQUENCE: usize = 4;
const TCP_FLAGS: usize = 13;
const TCP_CHECKSUM: usize = 16;
const UDP_LENGTH: usize = 4;
const UDP_CHECKSUM: usize = 6;
const FIN_AND_PSH: u8 = 0x01 | 0x08;
const CWR: u8 = 0x80;

/// A validated super-frame, with all that is needed to segment it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SuperFrame<'a> {
    frame: &'a [u8],
    layout: Layout,
    /// Payload of each segment but the last.
    size: usize,
}

impl<'a> SuperFrame<'a> {
    /// Checks that `frame` can be segmented according to `offload`.
    ///
    /// `None` if it cannot: its headers contradict the offload header, a length is wrong, there
    /// would be too many segments, or it would need IP fragments of a datagram (UFO), which no
    /// kernel since 4.14 sends.
    pub(super) fn new_checked(frame: &'a [u8], offload: &Offload) -> Option<Self> {
        let segmentation = offload.segmentation()?;
        let layout = Layout::of(frame, offload, segmentation)?;
        if segmentation == Segmentation::UdpL4 && offload.gso_type & Offload::GSO_ECN != 0 {
            return None;
        }
        let this = Self {
            frame,
            layout,
            size: usize::from(offload.gso_size),
        };
        let fits_length_field = u16::try_from(this.longest_packet()).is_ok();
        (this.size > 0 && fits_length_field && this.count() <= MAX_SEGMENTS).then_some(this)
    }

    /// Returns the number of segments; one if there is no payload.
    pub(super) fn count(&self) -> usize {
        self.payload_len().div_ceil(self.size.max(1)).max(1)
    }

    /// Returns the length of the longest segment with all headers.
    pub(super) fn longest(&self) -> usize {
        self.layout.payload + self.payload_len().min(self.size)
    }

    /// Returns the length of the longest segment without link header and tags, which the MTU
    /// limits.
    pub(super) fn longest_packet(&self) -> usize {
        self.longest() - self.layout.network()
    }

    fn payload_len(&self) -> usize {
        self.frame.len() - self.layout.payload
    }

    /// Writes segment `index`, of [`SuperFrame::count`], to the beginning of `out`, which has
    /// room for [`SuperFrame::longest`]; returns its length.
    pub(super) fn write(&self, index: usize, out: &mut [u8]) -> usize {
        let from = self.layout.payload + index * self.size;
        let to = self.frame.len().min(from + self.size);
        let len = self.layout.payload + (to - from);
        let out = &mut out[..len];
        let (head, body) = out.split_at_mut(self.layout.payload);
        head.copy_from_slice(&self.frame[..self.layout.payload]);
        body.copy_from_slice(&self.frame[from..to]);

        let headers = &self.layout.headers;
        write_network(headers, index, out);
        if headers.protocol == PROTOCOL_TCP {
            self.write_tcp(index, to == self.frame.len(), out);
        } else {
            write_udp(headers, out);
        }
        // From the inside out: the checksum of an outer header covers all that it carries.
        if let Some(outer) = &self.layout.outer {
            write_network(outer, index, out);
            tunnel::finish_carrier(outer, out);
        }
        len
    }

    /// Writes the sequence number, clears flags that belong to the first or last segment only, and
    /// writes the checksum.
    fn write_tcp(&self, index: usize, is_last: bool, out: &mut [u8]) {
        let segment = &mut out[self.layout.headers.transport..];
        if let Some(sequence) = segment[TCP_SEQUENCE..].first_chunk_mut() {
            // Bounded by the frame's length; sequence numbers wrap.
            #[expect(clippy::cast_possible_truncation)]
            let behind_first = (index * self.size) as u32;
            *sequence = u32::from_be_bytes(*sequence)
                .wrapping_add(behind_first)
                .to_be_bytes();
        }
        if !is_last {
            segment[TCP_FLAGS] &= !FIN_AND_PSH;
        }
        if index > 0 {
            segment[TCP_FLAGS] &= !CWR;
        }
        write_checksum(&self.layout.headers, TCP_CHECKSUM, Sum::finish, out);
    }
}

/// Writes the lengths, and for IPv4 identification and header checksum.
fn write_network(headers: &Headers, index: usize, out: &mut [u8]) {
    let packet = &mut out[headers.network..];
    match headers.version {
        IpVersion::V4 => {
            let len = headers.transport - headers.network;
            put(packet, 2, packet.len());
            let first = u16::from_be_bytes([packet[4], packet[5]]);
            put(packet, 4, usize::from(first) + index);
            packet[10..12].fill(0);
            let checksum = Sum::default().bytes(&packet[..len]).finish();
            packet[10..12].copy_from_slice(&checksum);
        }
        IpVersion::V6 => put(packet, 4, packet.len() - 40),
    }
}

/// Writes length and checksum.
fn write_udp(headers: &Headers, out: &mut [u8]) {
    let datagram = &mut out[headers.transport..];
    put(datagram, UDP_LENGTH, datagram.len());
    write_checksum(headers, UDP_CHECKSUM, Sum::finish_nonzero, out);
}

fn write_checksum(headers: &Headers, at: usize, finish: fn(Sum) -> [u8; 2], out: &mut [u8]) {
    let (link_and_network, transport) = out.split_at_mut(headers.transport);
    transport[at..at + 2].fill(0);
    let sum = Sum::default()
        .pseudo_header(
            headers.version,
            &link_and_network[headers.network..],
            headers.protocol,
            u32::try_from(transport.len()).unwrap_or(u32::MAX),
        )
        .bytes(transport);
    transport[at..at + 2].copy_from_slice(&finish(sum));
}
