//! The ports of a datapath, and which of them may have frames.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use crate::bridge::PortId;
use crate::port::{Counters, LinkState, Port};

/// A port and the datapath's state of it.
pub(super) struct Slot {
    pub(super) port: Box<dyn Port>,
    pub(super) state: State,
}

/// The datapath's state of a port.
pub(super) struct State {
    pub(super) counters: Counters,
    pub(super) link: LinkState,
    /// The link was set down from another source: nothing is received until it is set up.
    pub(super) held_down: bool,
    link_change_noted: bool,
    on_ready_list: bool,
}

/// All ports, by number.
#[derive(Default)]
pub(super) struct PortTable {
    slots: Vec<Option<Slot>>,
    /// Port numbers by the hash of the name; the name itself is stored with its port only.
    by_name: HashTable<PortId>,
    name_hash: RandomState,
    /// Ports that may have frames, the one that has waited longest first.
    ready: VecDeque<PortId>,
    /// Ports whose link has changed since the last query; each at most once.
    link_changes: Vec<PortId>,
}

impl PortTable {
    pub(super) fn insert(&mut self, id: PortId, port: Box<dyn Port>) {
        let state = State {
            counters: Counters::default(),
            link: LinkState::Up,
            held_down: false,
            link_change_noted: false,
            on_ready_list: false,
        };
        let hash = self.name_hash.hash_one(port.name());
        self.put_back(id, Slot { port, state });
        let (slots, hasher) = (&self.slots, &self.name_hash);
        self.by_name.insert_unique(hash, id, |other| {
            hasher.hash_one(name_of(slots, *other).unwrap_or_default())
        });
        // Each port is on the list at most once: with room for all of them it never grows.
        self.ready.reserve(self.slots.len());
        self.mark_ready(id);
    }

    /// Replaces a port by another one of the same name; returns the previous port.
    pub(super) fn replace(
        &mut self,
        id: PortId,
        port: Box<dyn Port>,
    ) -> Result<Box<dyn Port>, Box<dyn Port>> {
        match self.get_mut(id) {
            Some(slot) if slot.port.name() == port.name() => {
                Ok(std::mem::replace(&mut slot.port, port))
            }
            _ => Err(port),
        }
    }

    pub(super) fn remove(&mut self, id: PortId) -> Option<Slot> {
        self.ready.retain(|ready| *ready != id);
        let slot = self.take(id)?;
        let hash = self.name_hash.hash_one(slot.port.name());
        if let Ok(entry) = self.by_name.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        Some(slot)
    }

    pub(super) fn find(&self, name: &str) -> Option<PortId> {
        let hash = self.name_hash.hash_one(name);
        let is_named = |id: &PortId| name_of(&self.slots, *id) == Some(name);
        self.by_name.find(hash, is_named).copied()
    }

    /// Takes a port out temporarily, to use it together with the others.
    pub(super) fn take(&mut self, id: PortId) -> Option<Slot> {
        self.slots.get_mut(usize::from(id.0))?.take()
    }

    pub(super) fn put_back(&mut self, id: PortId, slot: Slot) {
        let index = usize::from(id.0);
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        self.slots[index] = Some(slot);
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: PortId) -> Option<&mut Slot> {
        self.slots.get_mut(usize::from(id.0))?.as_mut()
    }

    pub(super) fn get(&self, id: PortId) -> Option<&Slot> {
        self.slots.get(usize::from(id.0))?.as_ref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (PortId, &Slot)> {
        (0..)
            .zip(&self.slots)
            .filter_map(|(index, slot)| Some((PortId(index), slot.as_ref()?)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (PortId, &mut Slot)> {
        (0..)
            .zip(&mut self.slots)
            .filter_map(|(index, slot)| Some((PortId(index), slot.as_mut()?)))
    }

    /// Puts the port on the ready list, unless it is on the list already or its device is gone.
    pub(super) fn mark_ready(&mut self, id: PortId) {
        let Some(slot) = self.get_mut(id) else { return };
        if !slot.state.on_ready_list && slot.state.link != LinkState::Absent {
            slot.state.on_ready_list = true;
            self.ready.push_back(id);
        }
    }

    /// Takes the port that has waited longest off the ready list.
    pub(super) fn next_ready(&mut self) -> Option<PortId> {
        let id = self.ready.pop_front()?;
        if let Some(slot) = self.get_mut(id) {
            slot.state.on_ready_list = false;
        }
        Some(id)
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Records the state of a link. Returns whether it has changed.
    #[inline]
    pub(super) fn note_link(&mut self, id: PortId, link: LinkState) -> bool {
        let Self {
            slots,
            link_changes,
            ..
        } = self;
        match slots.get_mut(usize::from(id.0)) {
            Some(Some(slot)) => slot.state.note_link(id, link, link_changes),
            _ => false,
        }
    }

    /// Records it for a port that the caller has taken out.
    pub(super) fn note_link_of(&mut self, id: PortId, state: &mut State, link: LinkState) {
        state.note_link(id, link, &mut self.link_changes);
    }

    /// Returns the ports whose link has changed since the last call, with the present state.
    pub(super) fn take_link_changes(&mut self) -> impl Iterator<Item = (PortId, LinkState)> + '_ {
        let Self {
            slots,
            link_changes,
            ..
        } = self;
        link_changes.drain(..).filter_map(|id| {
            let state = &mut slots.get_mut(usize::from(id.0))?.as_mut()?.state;
            state.link_change_noted = false;
            Some((id, state.link))
        })
    }
}

impl State {
    #[inline]
    fn note_link(&mut self, id: PortId, link: LinkState, changes: &mut Vec<PortId>) -> bool {
        if self.link == link {
            return false;
        }
        self.link = link;
        if !self.link_change_noted {
            self.link_change_noted = true;
            changes.push(id);
        }
        true
    }
}

fn name_of(slots: &[Option<Slot>], id: PortId) -> Option<&str> {
    let slot = slots.get(usize::from(id.0))?.as_ref()?;
    Some(slot.port.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::memory::{self, MemoryOptions};

    fn insert(table: &mut PortTable, id: u16, name: &str) {
        let (port, _cable) = memory::pair(name, MemoryOptions::default()).unwrap();
        table.insert(PortId(id), Box::new(port));
    }

    #[test]
    fn ports_are_found_by_name_until_they_are_removed() {
        let mut table = PortTable::default();
        for id in 1..100 {
            insert(&mut table, id, &format!("port{id}"));
        }
        for id in 1..100 {
            assert_eq!(table.find(&format!("port{id}")), Some(PortId(id)));
        }
        table.remove(PortId(7));
        assert_eq!(table.find("port7"), None);
        insert(&mut table, 7, "another");
        assert_eq!(table.find("another"), Some(PortId(7)));
        assert_eq!(table.find("port8"), Some(PortId(8)));
    }

    #[test]
    fn a_port_is_on_the_ready_list_once() {
        let mut table = PortTable::default();
        insert(&mut table, 1, "a");
        insert(&mut table, 2, "b");
        table.mark_ready(PortId(1));
        assert_eq!(table.next_ready(), Some(PortId(1)));
        table.mark_ready(PortId(1));
        assert_eq!(table.next_ready(), Some(PortId(2)), "it had waited longer");
        assert_eq!(table.next_ready(), Some(PortId(1)));
        assert_eq!(table.next_ready(), None);
    }

    #[test]
    fn a_change_of_a_link_is_reported_once_with_the_present_state() {
        let mut table = PortTable::default();
        insert(&mut table, 1, "a");
        assert!(!table.note_link(PortId(1), LinkState::Up), "it was up");
        assert!(table.note_link(PortId(1), LinkState::Down));
        assert!(table.note_link(PortId(1), LinkState::Absent));
        let told: Vec<_> = table.take_link_changes().collect();
        assert_eq!(told, [(PortId(1), LinkState::Absent)]);
        assert_eq!(table.take_link_changes().count(), 0);
    }
}
