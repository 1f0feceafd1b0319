//! Work that a sender has left to its network card: the virtio network header.
//!
//! Layout and meaning follow the Virtual I/O Device specification, version 1.3, 5.1.6, and
//! `include/uapi/linux/virtio_net.h`.

/// A frame's unfinished work: a checksum to fill in, a super-frame to cut into segments.
///
/// Frames of ports without offloads carry [`Offload::NONE`]. The fields are those of `struct
/// virtio_net_hdr`. They are untrusted: code that uses them must first check them against the
/// frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload {
    /// `VIRTIO_NET_HDR_F_*` bits.
    pub flags: u8,
    /// `VIRTIO_NET_HDR_GSO_*`: how to segment, with the ECN bit.
    pub gso_type: u8,
    /// Bytes of link, network and transport headers of a super-frame; a hint.
    pub hdr_len: u16,
    /// Payload bytes of each segment of a super-frame.
    pub gso_size: u16,
    /// Offset in the frame from which the checksum is taken.
    pub csum_start: u16,
    /// Offset behind `csum_start` where the checksum is stored.
    pub csum_offset: u16,
}

/// How a super-frame must be segmented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segmentation {
    /// TCP over IPv4.
    TcpV4,
    /// TCP over IPv6.
    TcpV6,
    /// UDP datagrams of equal size (USO); the IP version is the packet's own.
    UdpL4,
    /// IP fragments of one UDP datagram (UFO), of old kernels.
    UdpFragments,
    /// An unknown type.
    Unknown(u8),
}

impl Offload {
    /// Length of the header on the socket.
    pub const LEN: usize = 10;
    /// No offloaded work.
    pub const NONE: Self = Self {
        flags: 0,
        gso_type: 0,
        hdr_len: 0,
        gso_size: 0,
        csum_start: 0,
        csum_offset: 0,
    };
    /// `VIRTIO_NET_HDR_F_NEEDS_CSUM`: the checksum field holds the pseudo-header's sum only.
    pub const NEEDS_CSUM: u8 = 1;
    /// `VIRTIO_NET_HDR_F_DATA_VALID`: the checksum was verified on the way in.
    pub const DATA_VALID: u8 = 2;
    /// `VIRTIO_NET_HDR_GSO_TCPV4`: must be segmented as TCP over IPv4.
    pub const GSO_TCP_V4: u8 = 1;
    /// `VIRTIO_NET_HDR_GSO_ECN`: TCP with congestion-window-reduced in the first segment only.
    pub const GSO_ECN: u8 = 0x80;

    /// Reports whether the frame is complete: no checksum to fill in, nothing to segment.
    #[must_use]
    #[inline]
    pub const fn is_finished(&self) -> bool {
        !self.needs_checksum() && self.gso_type == 0
    }

    /// Reports whether the checksum still has to be filled in.
    #[must_use]
    #[inline]
    pub const fn needs_checksum(&self) -> bool {
        self.flags & Self::NEEDS_CSUM != 0
    }

    /// Returns how the frame must be segmented; `None` for an ordinary frame.
    #[must_use]
    pub const fn segmentation(&self) -> Option<Segmentation> {
        Some(match self.gso_type & !Self::GSO_ECN {
            0 => return None,
            1 => Segmentation::TcpV4,
            3 => Segmentation::UdpFragments,
            4 => Segmentation::TcpV6,
            5 => Segmentation::UdpL4,
            other => Segmentation::Unknown(other),
        })
    }

    /// Returns the header for the frame after `bytes` bytes were inserted in front of the network
    /// header, as when a VLAN tag is put back.
    #[must_use]
    #[inline]
    pub const fn shifted(mut self, bytes: u16) -> Self {
        if self.needs_checksum() {
            self.csum_start = self.csum_start.saturating_add(bytes);
        }
        if self.gso_type != 0 {
            self.hdr_len = self.hdr_len.saturating_add(bytes);
        }
        self
    }

    /// Returns the header for the frame after `bytes` bytes were removed in front of the network
    /// header.
    #[must_use]
    #[inline]
    pub const fn shifted_back(mut self, bytes: u16) -> Self {
        if self.needs_checksum() {
            self.csum_start = self.csum_start.saturating_sub(bytes);
        }
        if self.gso_type != 0 {
            self.hdr_len = self.hdr_len.saturating_sub(bytes);
        }
        self
    }

    /// Returns the header after a tag action has changed the frame's length from `len` to
    /// `edited_len`.
    #[must_use]
    pub(crate) fn as_edited(self, len: usize, edited_len: usize) -> Self {
        let by = |more: usize| u16::try_from(more).unwrap_or(0);
        match edited_len.checked_sub(len) {
            Some(more) => self.shifted(by(more)),
            None => self.shifted_back(by(len - edited_len)),
        }
    }

    /// Reads the header from the bytes before a frame; multi-byte fields are in host order.
    #[must_use]
    #[inline]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let [flags, gso_type, a, b, c, d, e, f, g, h] = bytes;
        Self {
            flags,
            gso_type,
            hdr_len: u16::from_ne_bytes([a, b]),
            gso_size: u16::from_ne_bytes([c, d]),
            csum_start: u16::from_ne_bytes([e, f]),
            csum_offset: u16::from_ne_bytes([g, h]),
        }
    }

    /// Returns the header as it precedes a frame.
    #[must_use]
    #[inline]
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        let [a, b] = self.hdr_len.to_ne_bytes();
        let [c, d] = self.gso_size.to_ne_bytes();
        let [e, f] = self.csum_start.to_ne_bytes();
        let [g, h] = self.csum_offset.to_ne_bytes();
        [self.flags, self.gso_type, a, b, c, d, e, f, g, h]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_round_trip() {
        let bytes = [1, 0x84, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(Offload::from_bytes(bytes).to_bytes(), bytes);
        assert_eq!(
            Offload::from_bytes([0; Offload::LEN]),
            Offload::NONE,
            "all zero is nothing to do"
        );
    }

    #[test]
    fn ecn_does_not_hide_the_segmentation() {
        let offload = Offload {
            gso_type: 1 | Offload::GSO_ECN,
            ..Offload::NONE
        };
        assert_eq!(offload.segmentation(), Some(Segmentation::TcpV4));
        assert!(!offload.is_finished());
    }

    #[test]
    fn a_tag_in_front_moves_the_checksum_only_where_there_is_one() {
        assert_eq!(Offload::NONE.shifted(4), Offload::NONE);
        let partial = Offload {
            flags: Offload::NEEDS_CSUM,
            csum_start: 34,
            csum_offset: 16,
            ..Offload::NONE
        };
        assert_eq!(partial.shifted(4).csum_start, 38);
    }
}
