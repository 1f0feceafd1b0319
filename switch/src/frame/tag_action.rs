//! Changes to the VLAN tags of a frame at egress.

use std::borrow::Cow;

use arrayvec::ArrayVec;

use super::{EthernetFrame, Frame, Offload, TAG_LEN, VlanTag};

/// The length of the two addresses, which the outer tag follows.
const ADDRESSES_LEN: usize = 12;
/// The longest [`Edited::head`]: the addresses and a tag.
pub(crate) const MAX_HEAD_LEN: usize = ADDRESSES_LEN + TAG_LEN;

/// A change to the VLAN tags of a frame at the egress of one port.
///
/// Other ports send the same frame with their own actions, so its bytes are not modified: the
/// changed first bytes are written separately, in front of the rest ([`Edited`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TagAction {
    /// All tags stay.
    #[default]
    Keep,
    /// The outer tag is removed, if there is one.
    Pop,
    /// This tag is inserted in front of all others.
    Push(VlanTag),
    /// The outer tag is replaced by this one; without an outer tag, this one is inserted.
    Replace(VlanTag),
}

impl TagAction {
    /// Reports whether the frame leaves unchanged.
    #[must_use]
    #[inline]
    pub const fn is_keep(self) -> bool {
        matches!(self, Self::Keep)
    }

    /// The frame as it leaves.
    #[must_use]
    #[inline]
    pub fn edit<'f>(self, frame: &Frame<'f>) -> Edited<'f> {
        if self.is_keep() {
            return Edited {
                head: ArrayVec::new(),
                rest: frame.bytes,
                offload: frame.offload,
            };
        }
        self.edit_tags(frame)
    }

    fn edit_tags<'f>(self, frame: &Frame<'f>) -> Edited<'f> {
        let has_tag = EthernetFrame::new_checked(frame.bytes)
            .is_ok_and(|view| view.outer_type().is_tag() && view.payload().len() >= TAG_LEN);
        let removed = match self {
            Self::Pop | Self::Replace(_) if has_tag => TAG_LEN,
            _ => 0,
        };
        let inserted = match self {
            Self::Push(tag) | Self::Replace(tag) => Some(tag.to_bytes()),
            Self::Keep | Self::Pop => None,
        };
        let mut edited = Edited {
            head: ArrayVec::new(),
            rest: frame.bytes,
            offload: frame.offload,
        };
        let Some((addresses, behind)) = frame.bytes.split_at_checked(ADDRESSES_LEN) else {
            return edited;
        };
        if removed == 0 && inserted.is_none() {
            return edited;
        }
        edited.head.extend(addresses.iter().copied());
        edited.head.extend(inserted.into_iter().flatten());
        edited.rest = behind.get(removed..).unwrap_or_default();
        edited.offload = frame.offload.as_edited(frame.bytes.len(), edited.len());
        edited
    }
}

/// A frame with changed tags: its first bytes, and the rest where it was received.
#[derive(Clone, Debug)]
pub struct Edited<'f> {
    head: ArrayVec<u8, { MAX_HEAD_LEN }>,
    rest: &'f [u8],
    /// The offloaded work, with offsets for the changed frame.
    pub offload: Offload,
}

impl<'f> Edited<'f> {
    /// Returns the bytes in front of [`Edited::rest`]; empty if the frame is unchanged.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Returns the bytes after the head.
    #[must_use]
    pub const fn rest(&self) -> &'f [u8] {
        self.rest
    }

    /// Returns the length of the frame.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "no frame is empty")]
    pub const fn len(&self) -> usize {
        self.head.len() + self.rest.len()
    }

    /// Returns the frame in one piece, copied if it is in two.
    #[must_use]
    pub fn whole(&self) -> Cow<'f, [u8]> {
        if self.head.is_empty() {
            Cow::Borrowed(self.rest)
        } else {
            Cow::Owned([&self.head, self.rest].concat())
        }
    }

    /// Writes the frame to the beginning of `memory`; `None` if it does not fit.
    #[must_use]
    pub fn write<'m>(&self, memory: &'m mut [u8]) -> Option<&'m [u8]> {
        let memory = memory.get_mut(..self.len())?;
        let (head, rest) = memory.split_at_mut(self.head.len());
        head.copy_from_slice(&self.head);
        rest.copy_from_slice(self.rest);
        Some(memory)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TAG: VlanTag = VlanTag {
        tpid: 0x8100,
        tci: 10,
    };
    const OUTER: [u8; 4] = [0x88, 0xa8, 0, 7];

    fn edited(action: TagAction, frame: &[u8]) -> Vec<u8> {
        let edited = action.edit(&Frame::finished(frame));
        let mut memory = [0; 100];
        let written = edited.write(&mut memory).unwrap().to_vec();
        assert_eq!(written.len(), edited.len());
        written
    }

    #[test]
    fn the_outer_tag_alone_is_changed() {
        let untagged = [&[2; 12][..], &[8, 0, 0x45]].concat();
        let tagged = |tag: &[u8]| [&[2; 12][..], tag, &[8, 0, 0x45]].concat();
        let with = |tag: &[u8]| [&[2; 12][..], tag, &OUTER, &[8, 0, 0x45]].concat();
        let inner = tagged(&OUTER);
        assert_eq!(edited(TagAction::Keep, &inner), inner);
        assert_eq!(edited(TagAction::Pop, &inner), untagged);
        assert_eq!(edited(TagAction::Pop, &untagged), untagged);
        assert_eq!(edited(TagAction::Pop, &with(&TAG.to_bytes())), inner);
        assert_eq!(edited(TagAction::Push(TAG), &inner), with(&TAG.to_bytes()));
        let replaced = tagged(&TAG.to_bytes());
        assert_eq!(edited(TagAction::Push(TAG), &untagged), replaced);
        assert_eq!(edited(TagAction::Replace(TAG), &inner), replaced);
        assert_eq!(edited(TagAction::Replace(TAG), &untagged), replaced);
    }

    #[test]
    fn a_tag_that_is_cut_off_is_none() {
        let cut = [&[2; 12][..], &[0x81, 0, 0]].concat();
        assert_eq!(edited(TagAction::Pop, &cut), cut);
        assert_eq!(edited(TagAction::Push(TAG), &[2; 11]), [2; 11]);
    }

    #[test]
    fn offloads_keep_pointing_to_the_same_bytes() {
        let tagged = [&[2; 12][..], &OUTER, &[8, 0], &[0x45; 40]].concat();
        let offload = Offload {
            flags: Offload::NEEDS_CSUM,
            gso_type: Offload::GSO_TCP_V4,
            hdr_len: 58,
            gso_size: 1000,
            csum_start: 38,
            csum_offset: 16,
        };
        let frame = Frame {
            bytes: &tagged,
            offload,
        };
        let at = |action: TagAction| {
            let offload = action.edit(&frame).offload;
            (offload.csum_start, offload.hdr_len)
        };
        assert_eq!(at(TagAction::Keep), (38, 58));
        assert_eq!(at(TagAction::Pop), (34, 54));
        assert_eq!(at(TagAction::Push(TAG)), (42, 62));
        assert_eq!(at(TagAction::Replace(TAG)), (38, 58));
    }

    proptest! {
        #[test]
        fn what_was_pushed_is_popped_again(bytes in proptest::collection::vec(any::<u8>(), 14..60), tci: u16) {
            let tag = VlanTag { tpid: 0x8100, tci };
            let pushed = edited(TagAction::Push(tag), &bytes);
            prop_assert_eq!(edited(TagAction::Pop, &pushed), bytes);
        }
    }
}
