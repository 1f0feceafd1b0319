//! What the bridge did to protect itself, told once for each occurrence.

use std::collections::VecDeque;
use std::time::Duration;

use super::PortId;
use super::storm::FloodKind;
use crate::frame::{MacAddr, VlanId};

/// Something is wrong outside, and what was done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// A station moves too often, and is held.
    Flapping {
        /// Its VLAN.
        vlan: VlanId,
        /// Its address.
        mac: MacAddr,
        /// Where it is held.
        port: PortId,
        /// Where it was heard besides; its frames from there are dropped.
        other: PortId,
        /// For how long.
        hold: Duration,
    },
    /// Two ports are joined outside, and one of them is blocked.
    Loop {
        /// The one that is blocked.
        port: PortId,
        /// The other.
        peer: PortId,
        /// For how long.
        hold: Duration,
        /// The VLAN of the station that gave it away.
        vlan: VlanId,
        /// That station.
        mac: MacAddr,
    },
    /// A port that was blocked is tried again.
    Unblocked {
        /// The port.
        port: PortId,
    },
    /// More frames to many come in by a port than it may let in.
    Storm {
        /// The port.
        port: PortId,
        /// To whom they go.
        kind: FloodKind,
        /// How many of them are let in, in frames a second.
        limit: u32,
    },
}

/// The alarms that wait. They are few; those that are too many are counted.
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

    /// How many did not fit since the last call.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}
