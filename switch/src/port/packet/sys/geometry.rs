//! The memory layout of a receive ring: slots in blocks, as in `packet_set_ring`.
//!
//! # Theory of operation
//!
//! The kernel writes into the slots in turn, so all of them pass through the CPU's caches. A frame
//! of 64 bytes and its header take three cache lines at the beginning of a slot. If slots were a
//! power of two apart, those lines would fall into a few sets of a cache, which then holds a
//! fraction of its capacity: with 2,048 slots 2,048 bytes apart, a second-level cache of 2 MiB with
//! 16 ways holds the beginnings of half of them. So a slot is an odd number of cache lines, and as
//! short as frames of the usual MTU allow: 1,728 bytes.
//!
//! The kernel puts as many slots into a block as fit, and a block is a number of whole pages. To
//! find a slot by a shift and a mask, the number of slots per block is a power of two: 7 pages of 4
//! KiB hold 16 slots. With pages of other sizes, slots have 2,048 bytes, of which any block holds
//! such a number.

/// Bytes of a cache line of all known processors.
const LINE_LEN: usize = 64;
/// A slot: a frame of 1,500 bytes with four tags in addition to its header, an encapsulation of 50
/// bytes, and 76 bytes that the kernel puts before it.
const COMPACT: usize = 27 * LINE_LEN;
/// A slot where the compact ones do not fit.
const WIDE: usize = 2048;
/// The least number of slots of a block.
const BLOCK_SLOTS: usize = 16;

/// The layout of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    slot_len: usize,
    block_len: usize,
    /// The number of slots of a block is this power of two.
    block_shift: u32,
}

impl Geometry {
    /// Returns the layout of a new ring.
    pub(super) fn for_pages_of(page_len: usize, slots: usize) -> Self {
        Self::of_slots(COMPACT, page_len, slots).unwrap_or(Self::in_blocks(WIDE, page_len))
    }

    /// Returns the layout of a ring of `slots` slots, a power of two, whose slots have this length;
    /// `None` if there is none.
    pub(super) fn of_slots(slot_len: usize, page_len: usize, slots: usize) -> Option<Self> {
        if ![COMPACT, WIDE].contains(&slot_len) {
            return None;
        }
        let geometry = Self::in_blocks(slot_len, page_len);
        let fit = geometry.block_len / slot_len;
        (fit == 1 << geometry.block_shift && fit <= slots).then_some(geometry)
    }

    /// [`BLOCK_SLOTS`] slots, or as many as a page holds, in whole pages.
    fn in_blocks(slot_len: usize, page_len: usize) -> Self {
        let block_slots = (page_len / slot_len).max(BLOCK_SLOTS);
        Self {
            slot_len,
            block_len: (block_slots * slot_len).next_multiple_of(page_len),
            block_shift: block_slots.ilog2(),
        }
    }

    /// Returns the bytes of a slot.
    pub(super) const fn slot_len(self) -> usize {
        self.slot_len
    }

    /// Returns the bytes that the kernel allocates together, as contiguous pages.
    pub(super) const fn block_len(self) -> usize {
        self.block_len
    }

    /// Returns the number of blocks of a ring of `slots` slots.
    pub(super) const fn blocks(self, slots: usize) -> usize {
        slots >> self.block_shift
    }

    /// Returns the bytes of a ring of `slots` slots.
    pub(super) const fn memory_len(self, slots: usize) -> usize {
        self.blocks(slots) * self.block_len
    }

    /// Returns the offset of a slot.
    #[inline]
    pub(super) const fn offset(self, slot: usize) -> usize {
        let block = slot >> self.block_shift;
        let in_block = slot - (block << self.block_shift);
        block * self.block_len + in_block * self.slot_len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `packet_set_ring` and `packet_mmap` demand.
    fn check(geometry: Geometry, page_len: usize, slots: usize) {
        let Geometry {
            slot_len,
            block_len,
            ..
        } = geometry;
        assert_eq!(block_len % page_len, 0);
        assert_eq!(slot_len % 16, 0, "TPACKET_ALIGNMENT");
        let per_block = block_len / slot_len;
        assert_eq!(per_block * geometry.blocks(slots), slots, "{geometry:?}");
        for slot in 0..slots {
            let offset = slot / per_block * block_len + slot % per_block * slot_len;
            assert_eq!(geometry.offset(slot), offset);
        }
        assert!(geometry.offset(slots - 1) + slot_len <= geometry.memory_len(slots));
    }

    #[test]
    fn rings_are_as_the_kernel_wants_them_with_pages_of_any_size() {
        for page_len in [4096, 16_384, 65_536] {
            for slots in [128, 256, 1024, 2048, 65_536] {
                check(Geometry::for_pages_of(page_len, slots), page_len, slots);
                let wide = Geometry::of_slots(WIDE, page_len, slots).unwrap();
                check(wide, page_len, slots);
                assert_eq!(wide.memory_len(slots), slots * WIDE);
            }
        }
    }

    #[test]
    fn slots_of_the_usual_pages_are_spread_over_the_cache() {
        let geometry = Geometry::for_pages_of(4096, 2048);
        assert_eq!((geometry.slot_len, geometry.block_len), (1728, 7 * 4096));
        // The sets of a cache of 2 MiB with 16 ways into which the slots' first lines fall.
        let mut sets = std::collections::BTreeMap::<usize, usize>::new();
        for slot in 0..2048 {
            *sets
                .entry(geometry.offset(slot) / LINE_LEN % 2048)
                .or_default() += 1;
        }
        assert!(sets.values().all(|&lines| lines <= 4), "{sets:?}");
    }

    #[test]
    fn slots_of_another_length_are_unknown() {
        for slot_len in [0, 64, 1727, 4096, usize::MAX] {
            assert_eq!(Geometry::of_slots(slot_len, 4096, 2048), None);
        }
    }
}
