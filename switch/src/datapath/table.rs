//! The ports of a datapath, and which of them may have frames.

use std::collections::VecDeque;

use crate::bridge::PortId;
use crate::port::{Counters, LinkState, Port};

/// A port with all that the datapath keeps of it.
pub(super) struct Slot {
    pub(super) port: Box<dyn Port>,
    pub(super) state: State,
}

/// What the datapath keeps of a port.
pub(super) struct State {
    pub(super) counters: Counters,
    pub(super) link: LinkState,
    link_change_noted: bool,
    on_ready_list: bool,
}

/// All ports, by number.
#[derive(Default)]
pub(super) struct PortTable {
    slots: Vec<Option<Slot>>,
    /// Ports that may have frames, the one that has waited longest first.
    ready: VecDeque<PortId>,
    /// Ports whose link has changed since somebody asked; each once at most.
    link_changes: Vec<PortId>,
}

impl PortTable {
    pub(super) fn insert(&mut self, id: PortId, port: Box<dyn Port>) {
        let state = State {
            counters: Counters::default(),
            link: LinkState::Up,
            link_change_noted: false,
            on_ready_list: false,
        };
        self.put_back(id, Slot { port, state });
        // A port stands on the list once at most: with room for all of them it never grows.
        self.ready.reserve(self.slots.len());
        self.mark_ready(id);
    }

    pub(super) fn remove(&mut self, id: PortId) -> Option<Slot> {
        self.ready.retain(|ready| *ready != id);
        self.take(id)
    }

    /// Takes a port out for a moment, to use it together with the others.
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

    pub(super) fn iter(&self) -> impl Iterator<Item = (PortId, &Slot)> {
        (0..)
            .zip(&self.slots)
            .filter_map(|(index, slot)| Some((PortId(index), slot.as_ref()?)))
    }

    /// Puts the port on the ready list, unless it is there or its device is gone.
    pub(super) fn mark_ready(&mut self, id: PortId) {
        let Some(slot) = self.get_mut(id) else { return };
        if !slot.state.on_ready_list && slot.state.link != LinkState::Absent {
            slot.state.on_ready_list = true;
            self.ready.push_back(id);
        }
    }

    /// Takes the port off the ready list that has waited longest.
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

    /// Notes the state of a link. Returns whether it has changed.
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

    /// The same for a port that the caller has taken out.
    pub(super) fn note_link_of(&mut self, id: PortId, state: &mut State, link: LinkState) {
        state.note_link(id, link, &mut self.link_changes);
    }

    /// Ports whose link has changed since the last call, with its state now.
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
