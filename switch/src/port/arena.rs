//! Receive buffers that ports share.

use crate::frame::BATCH;

/// Receive buffers for one batch, shared by all ports that copy: one thread handles one batch
/// at a time, so a switch needs only one arena whatever the number of its ports, and its
/// first lines stay in the cache.
#[derive(Debug)]
pub struct Arena {
    memory: Box<[u8]>,
}

impl Arena {
    /// Bytes of one buffer: a super-frame of 64 KiB with its headers, and room to put a tag back.
    pub const BUFFER_LEN: usize = 65_536 + 1_024;
    /// Distance between buffers. Not a multiple of the page size, so that the beginnings of the
    /// buffers do not all map to the same set of the CPU's cache.
    const STRIDE: usize = Self::BUFFER_LEN + 192;

    /// Creates an arena of [`BATCH`] buffers. The kernel allocates their pages only when they are
    /// used.
    #[must_use]
    pub fn new() -> Self {
        Self {
            memory: vec![0; Self::STRIDE * BATCH].into_boxed_slice(),
        }
    }

    /// Returns the buffers, each [`Arena::BUFFER_LEN`] bytes long, with their previous contents.
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
    fn an_arena_has_a_buffer_for_each_frame_of_a_batch() {
        let mut arena = Arena::new();
        assert_eq!(arena.buffers().count(), BATCH);
        assert!(arena.buffers().all(|b| b.len() == Arena::BUFFER_LEN));
    }
}
