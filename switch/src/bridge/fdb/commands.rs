//! Administrative operations on the database.

use super::{Fdb, Value};
use crate::bridge::PortId;
use crate::bridge::key::Key;
use crate::bridge::ports::Ports;
use crate::bridge::station::{Cursor, Station};
use crate::frame::Timestamp;

impl Fdb {
    /// Changes the size limit. Surplus entries are evicted as if new stations had needed the room;
    /// static entries stay even if they alone exceed the limit.
    pub(in crate::bridge) fn set_max_stations(&mut self, ports: &mut Ports, max_stations: usize) {
        if max_stations == self.max_stations {
            return;
        }
        self.max_stations = max_stations;
        while self.slab.len() > max_stations && self.evict_for(ports, None) {}
        self.settle(ports);
        // Static entries may be more than the bound.
        let room = max_stations.max(self.slab.len());
        self.slab.reserve(room);
        self.table.resize(room);
    }

    /// Changes how many stations a port may learn; zero means no limit of its own. Surplus entries
    /// are evicted.
    pub(in crate::bridge) fn set_port_max(&mut self, ports: &mut Ports, port: PortId, max: u32) {
        let max = if max == 0 { u32::MAX } else { max };
        ports.set_max_stations(port, max);
        self.make_room_on(ports, port, 0);
        self.settle(ports);
    }

    /// Adds a static entry, or makes a dynamic one static, or moves a static one.
    /// Returns whether there was room.
    pub(in crate::bridge) fn add_static(
        &mut self,
        ports: &mut Ports,
        key: Key,
        port: PortId,
    ) -> bool {
        let home = self.table.home(key);
        let slot = if let Some(known) = self.table.find(home, key) {
            let slot = known.slot();
            if known.is_static() {
                ports.remove_fixed(&mut self.slab, known.port(), slot);
            } else {
                ports.remove_dynamic(&mut self.slab, known.port(), slot);
            }
            self.table.set(home, key, Value::fixed(port, slot));
            slot
        } else {
            if !self.make_room(ports, None) {
                return false;
            }
            let slot = self.slab.insert(key, port, Timestamp::ZERO);
            self.table.insert(home, key, Value::fixed(port, slot));
            slot
        };
        let node = self.slab.node_mut(slot);
        (node.port, node.is_static) = (port, true);
        ports.add_fixed(&mut self.slab, port, slot);
        self.settle(ports);
        true
    }

    /// Removes the entry of `key`. Returns whether there was one.
    pub(in crate::bridge) fn remove(&mut self, ports: &mut Ports, key: Key) -> bool {
        let known = self.table.find(self.table.home(key), key);
        let removed = known
            .and_then(|known| self.forget(ports, known.slot()))
            .is_some();
        if removed {
            self.settle(ports);
        }
        removed
    }

    /// Changes the key of an entry to `to`; removes the entry if there is another one of that key.
    pub(in crate::bridge) fn rename(&mut self, ports: &mut Ports, from: Key, to: Key) {
        let home = self.table.home(from);
        let Some(known) = self.table.find(home, from) else {
            return;
        };
        if self.table.find(self.table.home(to), to).is_some() {
            self.remove(ports, from);
            return;
        }
        self.table.remove(home, from);
        self.slab.set_key(known.slot(), to);
        self.table.insert(self.table.home(to), to, known);
    }

    /// Removes the dynamic entries of `port`. Returns how many there were.
    pub(in crate::bridge) fn flush(&mut self, ports: &mut Ports, port: PortId) -> usize {
        let mut flushed = 0;
        while let Some(slot) = ports.dynamic(port).head() {
            self.forget(ports, slot);
            flushed += 1;
        }
        self.settle(ports);
        flushed
    }

    /// Removes the dynamic entries of all ports. Returns how many there were.
    pub(in crate::bridge) fn flush_all(&mut self, ports: &mut Ports) -> usize {
        ports.all().map(|port| self.flush(ports, port)).sum()
    }

    /// Removes all entries of `port`, static ones too.
    pub(in crate::bridge) fn remove_port(&mut self, ports: &mut Ports, port: PortId) {
        self.flush(ports, port);
        while let Some(slot) = ports.fixed(port).head() {
            self.forget(ports, slot);
        }
    }

    /// Clears the timeout after a command has removed the last dynamic entry.
    fn settle(&mut self, ports: &Ports) {
        if !ports.any_dynamic() {
            self.oldest = None;
        }
    }

    /// Lists stations from `from` on; see [`crate::bridge::Bridge::stations`].
    pub(in crate::bridge) fn stations(
        &self,
        now: Timestamp,
        from: Cursor,
        into: &mut Vec<Station>,
        max: usize,
    ) -> Option<Cursor> {
        let places = u32::try_from(self.slab.places()).unwrap_or(u32::MAX);
        let enough = into.len().saturating_add(max.max(1));
        let looked_at = u32::try_from(max.max(1).saturating_mul(8)).unwrap_or(u32::MAX);
        let end = from.0.saturating_add(looked_at).min(places);
        for slot in from.0..end {
            let Some((key, node)) = self.slab.get(slot) else {
                continue;
            };
            if into.len() == enough {
                return Some(Cursor(slot));
            }
            into.push(Station {
                vlan: key.vlan(),
                mac: key.mac(),
                port: node.port,
                age: (!node.is_static).then(|| now.since(node.seen)),
            });
        }
        (end < places).then_some(Cursor(end))
    }
}
