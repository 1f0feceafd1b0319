//! How frames pass between ports and the bridge: borrowed, in batches, without a copy.

use arrayvec::ArrayVec;

use crate::wire::Offload;

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

/// Receive buffers for one batch, shared by all ports that copy: one thread handles one batch
/// at a time, so a switch needs only one arena whatever the number of its ports, and its
/// first lines stay in the cache.
#[derive(Debug)]
pub struct Arena {
    memory: Box<[u8]>,
}

impl Arena {
    /// Bytes of one buffer: a super-frame of 64 KiB with its headers and room to put a tag back.
    pub const BUFFER_LEN: usize = 65_536 + 1_024;
    /// Distance between buffers. Not a multiple of the page size, so that the beginnings of
    /// the buffers do not all fall into the same set of the processor's cache.
    const STRIDE: usize = Self::BUFFER_LEN + 192;

    /// An arena of [`BATCH`] buffers. The kernel gives their pages only when they are used.
    #[must_use]
    pub fn new() -> Self {
        Self {
            memory: vec![0; Self::STRIDE * BATCH].into_boxed_slice(),
        }
    }

    /// The buffers, each [`Arena::BUFFER_LEN`] bytes long; what they hold is left from before.
    pub fn buffers(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.memory
            .chunks_exact_mut(Self::STRIDE)
            .map(|chunk| &mut chunk[..Self::BUFFER_LEN])
    }
}

impl Default for Arena {
    fn default() -> Self {
        Self::new()
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

    #[test]
    fn an_arena_has_a_buffer_for_each_frame_of_a_batch() {
        let mut arena = Arena::new();
        assert_eq!(arena.buffers().count(), BATCH);
        assert!(arena.buffers().all(|b| b.len() == Arena::BUFFER_LEN));
    }
}
