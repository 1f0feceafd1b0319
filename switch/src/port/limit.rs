//! The length limit of frames that leave by a port.

use super::Frame;
use crate::frame::{DropReason, EtherType, EthernetFrame, HEADER_LEN, TAG_LEN};

/// The length limit of frames that leave by a port; super-frames are not limited.
///
/// Each end of a veth pair has its own limit. The near end sends frames up to its MTU, and four
/// bytes more with a C-tag (`packet_snd` in Linux). The far end accepts frames up to four bytes
/// more than its MTU, whatever those bytes are (`__is_skb_forwardable`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLimit {
    /// The MTU of the port's own interface.
    pub mtu_bytes: usize,
    /// The MTU of the interface at the other end of its veth pair, if it is known.
    pub peer_mtu_bytes: Option<usize>,
    /// Whether the outer tag of a frame that is too long for the other end can become metadata.
    pub sets_tags_aside: bool,
}

impl FrameLimit {
    /// By how much the MTU of the near end must exceed the far one's so that there is room for VLAN
    /// tags: two tags of the frame, and one extra tag that marks the first of them as metadata.
    pub const TAG_ROOM_BYTES: usize = 3 * TAG_LEN;

    /// The limit of a port of which only the MTU is known.
    #[must_use]
    pub const fn of(mtu_bytes: usize) -> Self {
        Self {
            mtu_bytes,
            peer_mtu_bytes: None,
            sets_tags_aside: false,
        }
    }

    /// Returns why the frame is too long to leave; `None` if it is not.
    #[must_use]
    pub fn refuses(&self, frame: &Frame<'_>) -> Option<DropReason> {
        if frame.offload.segmentation().is_some() {
            return None;
        }
        let most = self.mtu_bytes + HEADER_LEN;
        let len = frame.bytes.len();
        let is_aside = self.sets_aside(frame.bytes);
        let is_sent = if is_aside {
            len + TAG_LEN <= most
        } else {
            let is_tagged = || outer_type(frame.bytes) == Some(EtherType::C_TAG);
            len <= most || len <= most + TAG_LEN && is_tagged()
        };
        let taken = if is_aside { len - TAG_LEN } else { len };
        if !is_sent {
            Some(DropReason::EgressTooBig)
        } else if taken > self.peer_len() {
            Some(self.peer_refusal())
        } else {
            None
        }
    }

    /// Reports whether the outer tag of this frame becomes metadata: the frame is too long for the
    /// other end.
    #[must_use]
    #[inline]
    pub fn sets_aside(&self, frame: &[u8]) -> bool {
        self.sets_tags_aside
            && frame.len() > self.peer_len()
            && matches!(outer_type(frame), Some(EtherType::C_TAG | EtherType::S_TAG))
    }

    /// Returns the longest frame that the other end accepts, without tags in metadata.
    #[must_use]
    pub fn peer_len(&self) -> usize {
        self.peer_mtu_bytes
            .map_or(usize::MAX, |mtu| mtu + HEADER_LEN + TAG_LEN)
    }

    /// Returns the drop reason of a frame that is too long for the other end only.
    #[must_use]
    pub fn peer_refusal(&self) -> DropReason {
        if self.room_for_tags().is_some() {
            DropReason::EgressTooBig
        } else {
            DropReason::EgressPeerMtu
        }
    }

    /// Returns the largest payload after an Ethernet header: the MTU without the room for tags.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.mtu_bytes - self.room_for_tags().unwrap_or(0)
    }

    /// Returns how much of the MTU is room for tags. `None` if the near end's MTU exceeds the far
    /// one's by more than that, or is smaller, or if the far one is unknown.
    fn room_for_tags(&self) -> Option<usize> {
        self.mtu_bytes
            .checked_sub(self.peer_mtu_bytes?)
            .filter(|room| *room <= Self::TAG_ROOM_BYTES)
    }
}

fn outer_type(frame: &[u8]) -> Option<EtherType> {
    let view = EthernetFrame::new_checked(frame).ok()?;
    Some(view.outer_type())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Offload;

    /// Returns why a frame of that length, with those tags, is refused.
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
            peer_mtu_bytes: Some(1500),
            ..FrameLimit::of(1512)
        };
        assert_eq!(limit.payload_bytes(), 1500);
        assert_eq!(refused(limit, &[0x88a8], 1518), None);
        let too_big = Some(DropReason::EgressTooBig);
        assert_eq!(refused(limit, &[0x88a8, 0x8100], 1522), too_big);
    }

    #[test]
    fn a_cable_that_sets_tags_aside_has_room_for_two() {
        let limit = FrameLimit {
            peer_mtu_bytes: Some(1500),
            sets_tags_aside: true,
            ..FrameLimit::of(1512)
        };
        let too_big = Some(DropReason::EgressTooBig);
        for tags in [[0x88a8, 0x8100], [0x8100, 0x8100], [0x88a8, 0x88a8]] {
            assert_eq!(refused(limit, &tags, 1522), None);
            assert_eq!(refused(limit, &tags, 1523), too_big);
        }
        assert_eq!(refused(limit, &[0x88a8], 1518), None);
        assert_eq!(refused(limit, &[], 1519), too_big, "there is no tag");
        let short = [&[2; 12][..], &[0x88, 0xa8, 0, 1, 8, 0]].concat();
        assert!(
            !limit.sets_aside(&short),
            "it is short enough with its tags"
        );
    }

    #[test]
    fn ends_that_differ_are_told_apart_from_room_for_tags() {
        let wide = FrameLimit {
            peer_mtu_bytes: Some(1500),
            ..FrameLimit::of(9000)
        };
        assert_eq!(wide.payload_bytes(), 9000);
        assert_eq!(refused(wide, &[], 1518), None);
        assert_eq!(refused(wide, &[], 1519), Some(DropReason::EgressPeerMtu));
        assert_eq!(refused(wide, &[], 9015), Some(DropReason::EgressTooBig));
        let narrow = FrameLimit {
            peer_mtu_bytes: Some(9000),
            ..FrameLimit::of(1500)
        };
        assert_eq!(narrow.payload_bytes(), 1500);
        assert_eq!(refused(narrow, &[], 1515), Some(DropReason::EgressTooBig));
    }
}
