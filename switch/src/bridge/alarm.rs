//! Alarms: what the bridge did to protect itself, reported once per occurrence.

use std::collections::VecDeque;
use std::time::Duration;

use super::PortId;
use super::storm::FloodKind;
use crate::frame::{MacAddr, VlanId};

/// A problem in the network, and the bridge's reaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// A station moves too often, and its entry is held.
    Flapping {
        /// Its VLAN.
        vlan: VlanId,
        /// Its address.
        mac: MacAddr,
        /// The port on which its entry is held.
        port: PortId,
        /// The other port on which it was seen.
        other: PortId,
        /// How long it is held.
        hold: Duration,
    },
    /// Two ports are connected outside the switch, and one of them is blocked.
    Loop {
        /// The blocked port.
        port: PortId,
        /// The other.
        peer: PortId,
        /// How long it is blocked.
        hold: Duration,
        /// The VLAN of the station by which the loop was detected.
        vlan: VlanId,
        /// That station.
        mac: MacAddr,
    },
    /// A blocked port forwards again.
    Unblocked {
        /// The port.
        port: PortId,
    },
    /// A port receives more flooded frames than its limit.
    Storm {
        /// The port.
        port: PortId,
        /// The kind of frames.
        kind: FloodKind,
        /// The limit, in frames per second.
        limit: u32,
    },
}

/// The queue of alarms. Alarms that do not fit are counted.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    queue: VecDeque<Alarm>,
    lost: u64,
}

impl Alarms {
    const CAPACITY: usize = 256;

    pub(super) fn push(&mut self, alarm: Alarm) {
        if self.queue.len() < Self::CAPACITY {
            self.queue.push_back(alarm);
        } else {
            self.lost += 1;
        }
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<Alarm> {
        self.queue.pop_front()
    }

    /// Returns how many alarms did not fit since the last call.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}
