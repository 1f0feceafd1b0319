//! What the bridge tells those who listen.

use std::collections::VecDeque;

use super::PortId;
use super::key::Key;
use crate::frame::{MacAddr, VlanId};

/// Something the bridge did to its forwarding database by itself, not by command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A station was heard for the first time.
    Learnt {
        /// Its VLAN.
        vlan: VlanId,
        /// Its address.
        mac: MacAddr,
        /// The port it is behind.
        port: PortId,
    },
    /// A known station was heard on another port.
    Moved {
        /// Its VLAN.
        vlan: VlanId,
        /// Its address.
        mac: MacAddr,
        /// Where it was.
        from: PortId,
        /// Where it is.
        to: PortId,
    },
    /// A station was silent for too long and has been forgotten.
    Aged {
        /// Its VLAN.
        vlan: VlanId,
        /// Its address.
        mac: MacAddr,
        /// Where it was.
        port: PortId,
    },
    /// A station was forgotten to make room in a full table.
    Evicted {
        /// Its VLAN.
        vlan: VlanId,
        /// Its address.
        mac: MacAddr,
        /// Where it was.
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

/// A bounded queue of events. What does not fit is counted, so that forwarding never waits for
/// a listener and a listener knows when to read the whole table again.
#[derive(Debug, Default)]
pub(super) struct EventQueue {
    /// `None` while nobody listens: then an event costs one comparison.
    queue: Option<VecDeque<Event>>,
    lost: u64,
}

impl EventQueue {
    /// The most events that wait.
    pub(super) const CAPACITY: usize = 4096;

    /// Starts or stops collecting; what waits is dropped in either case that changes something.
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

    /// How many events did not fit since the last call.
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
    fn what_does_not_fit_is_counted_once() {
        let mut events = EventQueue::default();
        events.push(EVENT);
        assert_eq!(events.pop(), None, "nobody listens yet");
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
