//! How long a frame may be that leaves by a port.

use super::Frame;
use crate::bridge::DropReason;
use crate::wire::{EtherType, EthernetFrame, HEADER_LEN, TAG_LEN};

/// How long a frame may be that leaves by a port; a super-frame may be of any length.
///
/// The two ends of a cable have their own say. The near one sends what its MTU allows, and four
/// bytes more behind a C-tag (`packet_snd` in Linux). The far one takes four bytes more than its MTU
/// allows, whatever they are (`__is_skb_forwardable`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLimit {
    /// The MTU of the port's own interface.
    pub mtu_bytes: usize,
    /// The MTU of the interface at the other end of its cable, where that is known.
    pub peer_mtu_bytes: Option<usize>,
}

impl FrameLimit {
    /// By how much the MTU of a cable's near end exceeds the far one's so that frames have room for
    /// VLAN tags: three of them.
    pub const TAG_ROOM_BYTES: usize = 3 * TAG_LEN;

    /// The limit of a port of which the MTU alone is known.
    #[must_use]
    pub const fn of(mtu_bytes: usize) -> Self {
        Self {
            mtu_bytes,
            peer_mtu_bytes: None,
        }
    }

    /// Why the frame cannot leave; `None` if it can, as far as its length goes.
    #[must_use]
    pub fn refuses(&self, frame: &Frame<'_>) -> Option<DropReason> {
        if frame.offload.segmentation().is_some() {
            return None;
        }
        let most = self.mtu_bytes + HEADER_LEN;
        let is_sent =
            frame.bytes.len() <= most || frame.bytes.len() <= most + TAG_LEN && has_c_tag(frame);
        if !is_sent {
            Some(DropReason::EgressTooBig)
        } else if frame.bytes.len() > self.peer_len() {
            Some(self.peer_refusal())
        } else {
            None
        }
    }

    /// The longest frame that the other end takes.
    #[must_use]
    pub fn peer_len(&self) -> usize {
        self.peer_mtu_bytes
            .map_or(usize::MAX, |mtu| mtu + HEADER_LEN + TAG_LEN)
    }

    /// Why a frame is dropped that is too long for the other end alone.
    #[must_use]
    pub fn peer_refusal(&self) -> DropReason {
        if self.room_for_tags().is_some() {
            DropReason::EgressTooBig
        } else {
            DropReason::EgressPeerMtu
        }
    }

    /// The largest payload behind an Ethernet header: the MTU, but for what is room for tags.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.mtu_bytes - self.room_for_tags().unwrap_or(0)
    }

    /// How much of the MTU is room for tags. `None` if the ends differ by more than that, or the
    /// other way round, or if that is not known.
    fn room_for_tags(&self) -> Option<usize> {
        self.mtu_bytes
            .checked_sub(self.peer_mtu_bytes?)
            .filter(|room| *room <= Self::TAG_ROOM_BYTES)
    }
}

fn has_c_tag(frame: &Frame<'_>) -> bool {
    EthernetFrame::new_checked(frame.bytes).is_ok_and(|view| view.outer_type() == EtherType::C_TAG)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Offload;

    /// A frame of that length, with those tags.
    fn refused(limit: FrameLimit, tpids: &[u16], len: usize) -> Option<DropReason> {
        let mut bytes = vec![2; 12];
        for tpid in tpids {
            bytes.extend(tpid.to_be_bytes());
            bytes.extend([0, 1]);
        }
        bytes.extend([8, 0]);
        bytes.resize(len, 0);
        limit.refuses(&Frame::finished(&bytes))
    }

    #[test]
    fn tags_and_super_frames_have_room_to_spare() {
        let too_big = Some(DropReason::EgressTooBig);
        let limit = FrameLimit::of(1500);
        assert_eq!(refused(limit, &[], 1514), None);
        assert_eq!(refused(limit, &[], 1515), too_big);
        assert_eq!(refused(limit, &[0x8100], 1518), None);
        assert_eq!(refused(limit, &[0x8100], 1519), too_big);
        assert_eq!(refused(limit, &[0x88a8], 1518), too_big);
        let offload = Offload {
            gso_type: 1,
            ..Offload::NONE
        };
        let bytes = &[2; 3000][..];
        assert_eq!(limit.refuses(&Frame { bytes, offload }), None);
    }

    #[test]
    fn a_cable_has_room_for_a_tag_of_any_kind() {
        let limit = FrameLimit {
            mtu_bytes: 1512,
            peer_mtu_bytes: Some(1500),
        };
        assert_eq!(limit.payload_bytes(), 1500);
        assert_eq!(refused(limit, &[0x88a8], 1518), None);
        let too_big = Some(DropReason::EgressTooBig);
        assert_eq!(refused(limit, &[0x88a8, 0x8100], 1522), too_big);
    }

    #[test]
    fn ends_that_differ_are_told_apart_from_room_for_tags() {
        let wide = FrameLimit {
            mtu_bytes: 9000,
            peer_mtu_bytes: Some(1500),
        };
        assert_eq!(wide.payload_bytes(), 9000);
        assert_eq!(refused(wide, &[], 1518), None);
        assert_eq!(refused(wide, &[], 1519), Some(DropReason::EgressPeerMtu));
        assert_eq!(refused(wide, &[], 9015), Some(DropReason::EgressTooBig));
        let narrow = FrameLimit {
            mtu_bytes: 1500,
            peer_mtu_bytes: Some(9000),
        };
        assert_eq!(narrow.payload_bytes(), 1500);
        assert_eq!(refused(narrow, &[], 1515), Some(DropReason::EgressTooBig));
    }
}
