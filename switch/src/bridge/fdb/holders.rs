//! Which port holds which stations, and which port holds the most.
//!
//! # Theory of operation
//!
//! When the table is full, every unknown source requires the port with the most dynamic entries, so
//! the answer is maintained and not searched for:
//!
//! - `fullest` is the exact load of one port;
//! - `rival` is no less than the load of any other port.
//!
//! While `fullest` is at least `rival`, it is the answer. A load that grows is compared with both.
//! Only when the fullest port has shrunk below its rival are all ports searched, which makes both
//! exact again. Under a flood from one port, or from many in turn, that rarely happens; at worst it
//! is one pass over all ports.

use super::slab::{List, Slab};
use crate::bridge::PortId;
use crate::bridge::ports::Ports;
use crate::frame::Timestamp;

/// The stations of one port.
#[derive(Clone, Copy, Debug)]
pub(in crate::bridge) struct Holding {
    /// Learnt ones, the longest silent first.
    dynamic: List,
    /// Static ones.
    fixed: List,
    /// The most that the port may learn.
    max: u32,
}

impl Holding {
    pub(in crate::bridge) const NONE: Self = Self {
        dynamic: List::EMPTY,
        fixed: List::EMPTY,
        max: u32::MAX,
    };
}

/// How many dynamic stations a port holds; of equal counts the lowest port comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Load(u64);

impl Load {
    const NONE: Self = Self(0);

    #[inline]
    fn new(port: PortId, count: u32) -> Self {
        Self(u64::from(count) << 16 | u64::from(u16::MAX - port.0))
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low 16 bits are meant")]
    fn port(self) -> PortId {
        PortId(u16::MAX - self.0 as u16)
    }

    fn count(self) -> u64 {
        self.0 >> 16
    }
}

/// The port with the most dynamic entries.
#[derive(Clone, Copy, Debug)]
pub(in crate::bridge) struct Most {
    fullest: Load,
    rival: Load,
}

impl Most {
    /// No port has any.
    pub(in crate::bridge) const NONE: Self = Self {
        fullest: Load::NONE,
        rival: Load::NONE,
    };

    #[inline]
    fn note(&mut self, load: Load) {
        if self.fullest.port() == load.port() {
            self.fullest = load;
        } else if load > self.fullest {
            self.rival = self.rival.max(self.fullest);
            self.fullest = load;
        } else {
            self.rival = self.rival.max(load);
        }
    }
}

impl Ports {
    /// Sets how many stations `port` may learn.
    pub(super) fn set_max_stations(&mut self, port: PortId, max: u32) {
        if let Some(port) = self.get_mut(port) {
            port.stations.max = max;
        }
    }

    /// Returns by how many learnt entries `port` would exceed its limit if `more` were added.
    #[inline]
    pub(super) fn excess(&self, port: PortId, more: u32) -> u32 {
        self.get(port).map_or(0, |port| {
            let Holding { dynamic, max, .. } = port.stations;
            (dynamic.len() + more).saturating_sub(max)
        })
    }

    /// The learnt stations of `port`.
    #[inline]
    pub(super) fn dynamic(&self, port: PortId) -> List {
        self.get(port)
            .map_or(List::EMPTY, |port| port.stations.dynamic)
    }

    /// The static stations of `port`.
    pub(super) fn fixed(&self, port: PortId) -> List {
        self.get(port)
            .map_or(List::EMPTY, |port| port.stations.fixed)
    }

    /// Links the station at `slot` as the latest heard of `port`.
    #[inline]
    pub(super) fn add_dynamic(&mut self, slab: &mut Slab, port: PortId, slot: u32) {
        if let Some(record) = self.get_mut(port) {
            let list = &mut record.stations.dynamic;
            slab.push_back(list, slot);
            let load = Load::new(port, list.len());
            self.most.note(load);
        }
    }

    /// Unlinks the dynamic station at `slot` of `port`.
    #[inline]
    pub(super) fn remove_dynamic(&mut self, slab: &mut Slab, port: PortId, slot: u32) {
        if let Some(record) = self.get_mut(port) {
            let list = &mut record.stations.dynamic;
            slab.unlink(list, slot);
            let load = Load::new(port, list.len());
            if self.most.fullest.port() == port {
                self.most.fullest = load;
            }
        }
    }

    /// Makes the station at `slot` the latest heard of its port.
    #[inline]
    pub(super) fn refresh(&mut self, slab: &mut Slab, port: PortId, slot: u32) {
        if let Some(record) = self.get_mut(port) {
            let list = &mut record.stations.dynamic;
            slab.unlink(list, slot);
            slab.push_back(list, slot);
        }
    }

    /// Links the station at `slot` as a static one of `port`.
    pub(super) fn add_fixed(&mut self, slab: &mut Slab, port: PortId, slot: u32) {
        if let Some(record) = self.get_mut(port) {
            slab.push_back(&mut record.stations.fixed, slot);
        }
    }

    /// Unlinks the static station at `slot` of `port`.
    pub(super) fn remove_fixed(&mut self, slab: &mut Slab, port: PortId, slot: u32) {
        if let Some(record) = self.get_mut(port) {
            slab.unlink(&mut record.stations.fixed, slot);
        }
    }

    /// Returns the port that must give up an entry so that `newcomer` can learn one: the port with
    /// the most dynamic entries; among equals the newcomer, else the lowest. So a port takes
    /// entries from others only while it has fewer. `None` if no entry can be given up.
    #[inline]
    pub(super) fn donor(&mut self, newcomer: Option<PortId>) -> Option<PortId> {
        if self.most.fullest < self.most.rival {
            self.search();
        }
        let fullest = self.most.fullest;
        if fullest.count() == 0 {
            return None;
        }
        match newcomer {
            Some(port) if u64::from(self.dynamic(port).len()) == fullest.count() => Some(port),
            _ => Some(fullest.port()),
        }
    }

    /// Returns the answer of [`Ports::donor`] without changing anything.
    pub(super) fn would_give(&self, newcomer: PortId) -> Option<PortId> {
        let fullest = self.loads().max()?;
        if fullest.count() == 0 {
            return None;
        }
        let is_as_full = u64::from(self.dynamic(newcomer).len()) == fullest.count();
        Some(if is_as_full { newcomer } else { fullest.port() })
    }

    #[inline(never)]
    fn search(&mut self) {
        let mut most = Most::NONE;
        for load in self.loads() {
            if load > most.fullest {
                most.rival = most.fullest;
                most.fullest = load;
            } else if load > most.rival {
                most.rival = load;
            }
        }
        self.most = most;
    }

    fn loads(&self) -> impl Iterator<Item = Load> {
        self.iter()
            .map(|(port, record)| Load::new(port, record.stations.dynamic.len()))
    }

    /// Whether any port holds a dynamic station.
    pub(super) fn any_dynamic(&self) -> bool {
        self.iter()
            .any(|(_, record)| record.stations.dynamic.len() > 0)
    }

    /// When the station that has been silent longest was heard last.
    pub(super) fn oldest(&self, slab: &Slab) -> Option<Timestamp> {
        let heads = self
            .iter()
            .filter_map(|(_, record)| record.stations.dynamic.head());
        heads
            .filter_map(|slot| slab.get(slot).map(|(_, node)| node.seen))
            .min()
    }
}
