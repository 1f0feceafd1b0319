//! How frames pass between ports and the bridge: borrowed, in batches, without a copy.

use arrayvec::ArrayVec;

use super::Offload;

/// The most frames a port hands over at once.
pub const BATCH: usize = 64;

/// One frame in the memory of the port that received it.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The frame from its destination address on, VLAN tags in place, without check sequence.
    pub bytes: &'a [u8],
    /// What its sender left undone.
    pub offload: Offload,
}

impl<'a> Frame<'a> {
    /// A complete frame: nothing left to do.
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

/// The frames of a batch that leave by one port, in the order they came.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'s, 'f> {
    frames: &'s [Frame<'f>],
    indices: &'s [u8],
}

impl<'s, 'f> Selection<'s, 'f> {
    /// Those of `frames` at `indices`. An index out of range is left out.
    #[must_use]
    pub const fn new(frames: &'s [Frame<'f>], indices: &'s [u8]) -> Self {
        Self { frames, indices }
    }

    /// How many frames are to be sent; at most [`BATCH`].
    #[must_use]
    pub const fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// The frames, in order.
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
