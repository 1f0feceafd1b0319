//! Events of the forwarding database, for subscribers.

use std::collections::VecDeque;

use super::PortId;
use super::key::Key;
use crate::frame::{MacAddr, VlanId};

/// A change that the bridge made to its forwarding database by itself, not by command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A new station was learnt.
    Learnt {
        /// Its VLAN.
        vlan: VlanId,
        /// Its address.
        mac: MacAddr,
        /// The port on which it was seen.
        port: PortId,
    },
    /// A known station was seen on another port.
    Moved {
        /// Its VLAN.
        vlan: VlanId,
        /// Its address.
        mac: MacAddr,
        /// Its previous port.
        from: PortId,
        /// Its new port.
        to: PortId,
    },
    /// An entry aged out.
    Aged {
        /// Its VLAN.
        vlan: VlanId,
        /// Its address.
        mac: MacAddr,
        /// Its port.
        port: PortId,
    },
    /// An entry was evicted to make room in a full table.
    Evicted {
        /// Its VLAN.
        vlan: VlanId,
        /// Its address.
        mac: MacAddr,
        /// Its port.
        port: PortId,
    },
}

impl Event {
    pub(super) const fn learnt(key: Key, port: PortId) -> Self {
        let (vlan, mac) = (key.vlan(), key.mac());
        Self::Learnt { vlan, mac, port }
    }

    pub(super) const fn moved(key: Key, from: PortId, to: PortId) -> Self {
        let (vlan, mac) = (key.vlan(), key.mac());
        Self::Moved {
            vlan,
            mac,
            from,
            to,
        }
    }

    pub(super) const fn aged(key: Key, port: PortId) -> Self {
        let (vlan, mac) = (key.vlan(), key.mac());
        Self::Aged { vlan, mac, port }
    }

    pub(super) const fn evicted(key: Key, port: PortId) -> Self {
        let (vlan, mac) = (key.vlan(), key.mac());
        Self::Evicted { vlan, mac, port }
    }
}

/// A bounded queue of events. Events that do not fit are counted: forwarding never waits for a
/// subscriber, and a subscriber can tell when to read the whole table again.
#[derive(Debug, Default)]
pub(super) struct EventQueue {
    /// `None` without a subscriber: an event then costs one comparison.
    queue: Option<VecDeque<Event>>,
    lost: u64,
}

impl EventQueue {
    /// The most events that are queued.
    pub(super) const CAPACITY: usize = 4096;

    /// Starts or stops collecting; a change in either direction discards the queued events.
    pub(super) fn enable(&mut self, enabled: bool) {
        if enabled != self.queue.is_some() {
            self.queue = enabled.then(|| VecDeque::with_capacity(Self::CAPACITY));
            self.lost = 0;
        }
    }

    #[inline]
    pub(super) fn push(&mut self, event: Event) {
        if let Some(queue) = &mut self.queue {
            if queue.len() < Self::CAPACITY {
                queue.push_back(event);
            } else {
                self.lost += 1;
            }
        }
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        self.queue.as_mut()?.pop_front()
    }

    /// Returns how many events did not fit since the last call.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: Event = Event::Learnt {
        vlan: VlanId::NONE,
        mac: MacAddr([2, 0, 0, 0, 0, 1]),
        port: PortId(1),
    };

    #[test]
    fn events_that_do_not_fit_are_counted_once() {
        let mut events = EventQueue::default();
        events.push(EVENT);
        assert_eq!(events.pop(), None, "there is no subscriber yet");
        events.enable(true);
        for _ in 0..EventQueue::CAPACITY + 3 {
            events.push(EVENT);
        }
        assert_eq!(events.take_lost(), 3);
        assert_eq!(events.take_lost(), 0);
        let waiting = std::iter::from_fn(|| events.pop()).count();
        assert_eq!(waiting, EventQueue::CAPACITY);
    }

    #[test]
    fn enabling_twice_loses_nothing_and_disabling_drops_all() {
        let mut events = EventQueue::default();
        events.enable(true);
        events.push(EVENT);
        events.enable(true);
        assert_eq!(events.pop(), Some(EVENT));
        events.push(EVENT);
        events.enable(false);
        events.enable(true);
        assert_eq!(events.pop(), None);
    }
}
