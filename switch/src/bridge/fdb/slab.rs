//! The nodes of the stations, at indices that do not change, linked into lists.

use crate::bridge::PortId;
use crate::bridge::damping::{Beat, Moves};
use crate::bridge::key::Key;
use crate::frame::Timestamp;

/// No place: the end of a list.
const NIL: u32 = u32::MAX;

/// One station. Two fit in a cache line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// [`Key::NOBODY`] for a free place.
    key: Key,
    /// When the station was last seen.
    pub(super) seen: Timestamp,
    prev: u32,
    next: u32,
    pub(super) port: PortId,
    pub(super) is_static: bool,
    moves: u8,
    moves_since: Beat,
    moves_home: PortId,
}

impl Node {
    /// Returns its recent moves.
    pub(super) const fn moves(&self) -> Moves {
        Moves {
            count: self.moves,
            since: self.moves_since,
            home: self.moves_home,
        }
    }

    /// Records its moves.
    pub(super) const fn set_moves(&mut self, moves: Moves) {
        (self.moves, self.moves_since) = (moves.count, moves.since);
        self.moves_home = moves.home;
    }
}

/// A list through the slab: its ends and its length.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    head: u32,
    tail: u32,
    len: u32,
}

impl List {
    pub(super) const EMPTY: Self = Self {
        head: NIL,
        tail: NIL,
        len: 0,
    };

    /// The oldest place of the list.
    #[inline]
    pub(super) fn head(&self) -> Option<u32> {
        (self.head != NIL).then_some(self.head)
    }

    /// The newest place of the list.
    pub(super) fn tail(&self) -> Option<u32> {
        (self.tail != NIL).then_some(self.tail)
    }

    #[inline]
    pub(super) const fn len(&self) -> u32 {
        self.len
    }
}

/// Places for stations. Free ones are chained through `next` and used again, latest first.
#[derive(Debug)]
pub(super) struct Slab {
    nodes: Vec<Node>,
    free: u32,
    len: usize,
}

impl Slab {
    pub(super) const fn new() -> Self {
        Self {
            nodes: Vec::new(),
            free: NIL,
            len: 0,
        }
    }

    /// Reserves memory for `max` stations at once, so that growth never copies the slab while
    /// frames wait. The system allocates pages only when they are used. If the reservation fails,
    /// the slab grows as vectors do.
    pub(super) fn reserve(&mut self, max: usize) {
        let more = max.saturating_sub(self.nodes.len());
        let _ = self.nodes.try_reserve_exact(more);
    }

    /// The number of stations.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// The number of places, free ones included.
    pub(super) const fn places(&self) -> usize {
        self.nodes.len()
    }

    /// Gives the station at `slot` another key.
    pub(super) fn set_key(&mut self, slot: u32, key: Key) {
        if let Some(node) = self.nodes.get_mut(slot as usize) {
            node.key = key;
        }
    }

    /// The station at `slot` and its key; `None` for a free place.
    pub(super) fn get(&self, slot: u32) -> Option<(Key, &Node)> {
        let node = self.nodes.get(slot as usize)?;
        (node.key != Key::NOBODY).then_some((node.key, node))
    }

    /// The key of the station at `slot`, which is one.
    #[inline]
    pub(super) fn node_mut(&mut self, slot: u32) -> &mut Node {
        &mut self.nodes[slot as usize]
    }

    /// Puts a station into a free place, in no list yet.
    #[inline]
    pub(super) fn insert(&mut self, key: Key, port: PortId, seen: Timestamp) -> u32 {
        let node = Node {
            key,
            seen,
            prev: NIL,
            next: NIL,
            port,
            is_static: false,
            moves: Moves::NONE.count,
            moves_since: Moves::NONE.since,
            moves_home: Moves::NONE.home,
        };
        self.len += 1;
        if self.free == NIL {
            self.nodes.push(node);
            u32::try_from(self.nodes.len() - 1).unwrap_or(NIL)
        } else {
            let slot = self.free;
            self.free = self.nodes[slot as usize].next;
            self.nodes[slot as usize] = node;
            slot
        }
    }

    /// Frees the place of a station that is in no list any more.
    #[inline]
    pub(super) fn remove(&mut self, slot: u32) {
        let node = &mut self.nodes[slot as usize];
        node.key = Key::NOBODY;
        node.next = self.free;
        self.free = slot;
        self.len -= 1;
    }

    /// Puts `slot` at the end of `list`.
    #[inline]
    pub(super) fn push_back(&mut self, list: &mut List, slot: u32) {
        let node = &mut self.nodes[slot as usize];
        node.prev = list.tail;
        node.next = NIL;
        if list.tail == NIL {
            list.head = slot;
        } else {
            self.nodes[list.tail as usize].next = slot;
        }
        list.tail = slot;
        list.len += 1;
    }

    /// Takes `slot` out of `list`, which it is in.
    #[inline]
    pub(super) fn unlink(&mut self, list: &mut List, slot: u32) {
        let Node { prev, next, .. } = self.nodes[slot as usize];
        if prev == NIL {
            list.head = next;
        } else {
            self.nodes[prev as usize].next = next;
        }
        if next == NIL {
            list.tail = prev;
        } else {
            self.nodes[next as usize].prev = prev;
        }
        list.len -= 1;
    }

    /// The place after `slot` in its list.
    pub(super) fn after(&self, slot: u32) -> Option<u32> {
        let next = self.nodes[slot as usize].next;
        (next != NIL).then_some(next)
    }

    /// The place before `slot` in its list.
    pub(super) fn before(&self, slot: u32) -> Option<u32> {
        let prev = self.nodes[slot as usize].prev;
        (prev != NIL).then_some(prev)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{MacAddr, VlanId};

    fn key(last: u8) -> Key {
        Key::new(VlanId::NONE, MacAddr([2, 0, 0, 0, 0, last]))
    }

    fn forward(slab: &Slab, list: &List) -> Vec<u32> {
        let mut slots: Vec<_> =
            std::iter::successors(list.tail(), |&slot| slab.before(slot)).collect();
        slots.reverse();
        slots
    }

    #[test]
    fn two_nodes_fit_in_a_cache_line() {
        assert_eq!(size_of::<Node>(), 32);
    }

    #[test]
    fn a_list_keeps_its_order_when_any_of_its_places_leaves() {
        for leaving in 0..3 {
            let mut slab = Slab::new();
            let mut list = List::EMPTY;
            for last in 0..3 {
                let slot = slab.insert(key(last), PortId(1), Timestamp::ZERO);
                slab.push_back(&mut list, slot);
            }
            slab.unlink(&mut list, leaving);
            slab.push_back(&mut list, leaving);
            let mut expected: Vec<_> = (0..3).filter(|&slot| slot != leaving).collect();
            expected.push(leaving);
            assert_eq!(forward(&slab, &list), expected);
            assert_eq!(list.head(), Some(expected[0]));
            assert_eq!(list.len(), 3);
        }
    }

    #[test]
    fn a_freed_place_is_used_again() {
        let mut slab = Slab::new();
        let first = slab.insert(key(1), PortId(1), Timestamp::ZERO);
        slab.insert(key(2), PortId(1), Timestamp::ZERO);
        slab.remove(first);
        assert!(slab.get(first).is_none());
        assert_eq!(slab.len(), 1);
        assert_eq!(slab.insert(key(3), PortId(1), Timestamp::ZERO), first);
        assert_eq!(slab.get(first).map(|(found, _)| found), Some(key(3)));
        assert_eq!(slab.places(), 2);
    }
}
