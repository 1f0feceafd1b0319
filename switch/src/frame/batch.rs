//! How frames pass between ports and the bridge: borrowed, in batches, without a copy.

use arrayvec::ArrayVec;

use super::{Offload, TagAction};

/// The most frames that a port passes on at once.
pub const BATCH: usize = 64;

/// One frame in the memory of the port that received it.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The frame from its destination address on, VLAN tags in place, without check sequence.
    pub bytes: &'a [u8],
    /// The offloaded work that is not done yet.
    pub offload: Offload,
}

impl<'a> Frame<'a> {
    /// Wraps a complete frame without offloaded work.
    #[must_use]
    pub const fn finished(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            offload: Offload::NONE,
        }
    }
}

/// Up to [`BATCH`] frames that one port received together.
pub type Batch<'a> = ArrayVec<Frame<'a>, BATCH>;

/// The actions on the tags of the frames that leave by one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagActions<'s> {
    /// The same for all of them.
    All(TagAction),
    /// One action per frame, in order.
    Each(&'s [TagAction]),
}

/// The frames of a batch that leave by one port, in order of arrival, and the action on the tags of
/// each.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'s, 'f> {
    frames: &'s [Frame<'f>],
    indices: &'s [u8],
    tags: TagActions<'s>,
}

impl<'s, 'f> Selection<'s, 'f> {
    /// Selects those of `frames` at `indices`, unchanged. An index out of range is skipped.
    #[must_use]
    pub const fn new(frames: &'s [Frame<'f>], indices: &'s [u8]) -> Self {
        Self {
            frames,
            indices,
            tags: TagActions::All(TagAction::Keep),
        }
    }

    /// Returns the same frames with these tag actions.
    #[must_use]
    pub const fn with_tags(self, tags: TagActions<'s>) -> Self {
        Self { tags, ..self }
    }

    /// Reports whether all frames leave unchanged.
    #[must_use]
    #[inline]
    pub const fn keeps_tags(&self) -> bool {
        matches!(self.tags, TagActions::All(TagAction::Keep))
    }

    /// Returns how many frames to send; at most [`BATCH`].
    #[must_use]
    pub const fn len(&self) -> usize {
        self.indices.len()
    }

    /// Reports whether there are no frames to send.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// Iterates over the frames, in order, each with its tag action.
    pub fn actions(&self) -> impl Iterator<Item = (&'s Frame<'f>, TagAction)> + use<'s, 'f> {
        let Self {
            frames,
            indices,
            tags,
        } = *self;
        indices.iter().enumerate().filter_map(move |(at, &index)| {
            let action = match tags {
                TagActions::All(action) => action,
                TagActions::Each(actions) => actions.get(at).copied().unwrap_or_default(),
            };
            Some((frames.get(usize::from(index))?, action))
        })
    }

    /// Iterates over the frames as received, in order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = &'s Frame<'f>> + use<'s, 'f> {
        let frames = self.frames;
        self.indices
            .iter()
            .filter_map(move |&index| frames.get(usize::from(index)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_keeps_the_order_and_ignores_what_is_out_of_range() {
        let frames = [Frame::finished(b"a"), Frame::finished(b"b")];
        let chosen = Selection::new(&frames, &[1, 7, 0]);
        let bytes: Vec<_> = chosen.iter().map(|frame| frame.bytes).collect();
        assert_eq!(bytes, [b"b", b"a"]);
    }
}
