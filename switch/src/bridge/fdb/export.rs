//! Exports all stations of a database, and imports them into another one.

use super::{Fdb, Value};
use crate::bridge::PortId;
use crate::bridge::key::Key;
use crate::bridge::ports::Ports;
use crate::frame::{Timestamp, VlanId};

/// A station as it is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bridge) struct ExportedStation {
    pub(in crate::bridge) key: Key,
    pub(in crate::bridge) port: PortId,
    /// When it was last seen; `None` for a static entry.
    pub(in crate::bridge) seen: Option<Timestamp>,
}

impl ExportedStation {
    /// The same for all VLANs.
    pub(in crate::bridge) const fn without_vlan(self) -> Self {
        Self {
            key: Key::new(VlanId::NONE, self.key.mac()),
            ..self
        }
    }
}

impl Fdb {
    /// Calls `each` for every station: those of a port together, the one silent longest first, so
    /// that they can be imported in that order.
    pub(in crate::bridge) fn for_each(&self, ports: &Ports, mut each: impl FnMut(ExportedStation)) {
        for port in ports.all() {
            for (list, is_static) in [(ports.fixed(port), true), (ports.dynamic(port), false)] {
                let mut next = list.head();
                while let Some(slot) = next {
                    if let Some((key, node)) = self.slab.get(slot) {
                        let seen = (!is_static).then_some(node.seen);
                        each(ExportedStation { key, port, seen });
                    }
                    next = self.slab.after(slot);
                }
            }
        }
    }

    /// Adds a station of another database on a port that exists, after those of the port that have
    /// been silent longer. Known stations keep their entries; only static ones replace others.
    /// Returns whether it was added.
    pub(in crate::bridge) fn enter(&mut self, ports: &mut Ports, station: ExportedStation) -> bool {
        let ExportedStation { key, port, seen } = station;
        let home = self.table.home(key);
        let is_unwanted = seen.is_some() && self.ageing.is_zero();
        if is_unwanted || self.table.find(home, key).is_some() {
            return false;
        }
        let Some(seen) = seen else {
            return self.add_static(ports, key, port);
        };
        if self.slab.len() >= self.max_stations {
            return false;
        }
        let slot = self.slab.insert(key, port, seen);
        // Of no tick: the next frame of the station refreshes it.
        let heard = super::Heard::new(port, self.tick.number());
        self.table.insert(home, key, Value::dynamic(heard, slot));
        ports.add_dynamic(&mut self.slab, port, slot);
        self.oldest = Some(self.oldest.map_or(seen, |oldest| oldest.min(seen)));
        true
    }
}
