//! The forwarding database: which station is behind which port.
//!
//! Theory of operation. Three structures hold a station:
//!
//! - the [`Table`] leads from its key to a word with its port and the tick in which it was heard
//!   last. It is all that a frame between known stations touches, and reads only, except for
//!   the first frame of a station in a tick;
//! - the [`Slab`] holds its key and the moment it was heard last, at an index that never changes;
//! - the lists of the [`Holders`], one per port, thread the slab in the order in which stations
//!   were heard. Ageing takes from their heads, and so does eviction.
//!
//! A station stays known until [`Fdb::handle_timeout`] finds that it has been silent for too
//! long: no frame pays for ageing.

use std::time::Duration;

use super::PortId;
use super::event::{Event, EventQueue};
use super::hash::KeyHasher;
use super::holders::Holders;
use super::key::Key;
use super::slab::Slab;
use super::station::{Cursor, Station};
use super::table::{Home, Table};
use super::tick::Tick;
use super::value::Value;
use crate::time::Timestamp;

/// The end of time: what is due then never is.
const NEVER: Timestamp = Timestamp::from_secs(u64::MAX);

/// The forwarding database.
#[derive(Debug)]
pub(super) struct Fdb {
    table: Table,
    slab: Slab,
    holders: Holders,
    tick: Tick,
    ageing: Duration,
    max_stations: usize,
    /// No dynamic station was heard last before this; `None` if there are none.
    oldest: Option<Timestamp>,
    pub(super) events: EventQueue,
}

impl Fdb {
    /// The most stations that one call of [`Fdb::handle_timeout`] forgets.
    const AGED_AT_ONCE: usize = 1024;

    pub(super) fn new(hasher: KeyHasher, ageing: Duration, max_stations: usize) -> Self {
        let mut slab = Slab::new();
        slab.reserve(max_stations);
        Self {
            table: Table::new(hasher, max_stations),
            slab,
            holders: Holders::new(),
            tick: Tick::new(ageing),
            ageing,
            max_stations,
            oldest: None,
            events: EventQueue::default(),
        }
    }

    /// Changes the ageing time. What was heard before keeps its age.
    pub(super) fn set_ageing(&mut self, now: Timestamp, ageing: Duration) {
        if ageing == self.ageing {
            return;
        }
        // Stamps are the ends of ticks. That of the running tick may lie ahead, by much if the
        // ageing time was long; brought back to now, the lists stay in order.
        for port in self.holders.ports() {
            let mut slot = self.holders.dynamic(port).tail();
            while let Some(here) = slot {
                let node = self.slab.node_mut(here);
                if node.seen <= now {
                    break;
                }
                node.seen = now;
                slot = self.slab.before(here);
            }
        }
        self.oldest = self.holders.oldest(&self.slab);
        self.ageing = ageing;
        self.tick.change(now, ageing);
    }

    /// Changes the bound. What is too much is evicted as if newcomers had needed the room;
    /// static entries stay even if they alone are more.
    pub(super) fn set_max_stations(&mut self, max_stations: usize) {
        if max_stations == self.max_stations {
            return;
        }
        self.max_stations = max_stations;
        while self.slab.len() > max_stations && self.evict_for(None) {}
        self.settle();
        // Static entries may be more than the bound.
        let room = max_stations.max(self.slab.len());
        self.slab.reserve(room);
        self.table.resize(room);
    }

    /// Tells the time. To be called before the frames that arrived by then.
    #[inline]
    pub(super) fn advance(&mut self, now: Timestamp) {
        self.tick.advance(now);
    }

    /// Where `key` belongs in the table, for [`Fdb::learn`] and [`Fdb::lookup`].
    #[inline]
    pub(super) fn home(&self, key: Key) -> Home {
        self.table.home(key)
    }

    /// Brings what belongs at `homes` into the processor's cache.
    #[inline]
    pub(super) fn touch(&self, homes: impl Iterator<Item = Home>) {
        self.table.touch(homes);
    }

    /// Notes that the station `key` was heard on `port`, which exists and forwards.
    #[inline]
    pub(super) fn learn(&mut self, home: Home, key: Key, port: PortId) {
        match self.table.find(home, key) {
            Some(known) if known.is_fresh(port, self.tick.number()) => {}
            Some(known) => self.hear_again(home, key, known, port),
            None => self.learn_new(home, key, port),
        }
    }

    /// The port that the station `key` is behind.
    #[inline]
    pub(super) fn lookup(&self, home: Home, key: Key) -> Option<PortId> {
        self.table.find(home, key).map(Value::port)
    }

    #[inline(never)]
    fn hear_again(&mut self, home: Home, key: Key, known: Value, port: PortId) {
        if known.is_static() || self.ageing.is_zero() {
            return;
        }
        let slot = known.slot();
        let value = Value::dynamic(port, self.tick.number(), slot);
        self.table.set(home, key, value);
        let node = self.slab.node_mut(slot);
        node.seen = self.tick.stamp();
        node.port = port;
        if known.port() == port {
            self.holders.refresh(&mut self.slab, port, slot);
        } else {
            self.holders
                .remove_dynamic(&mut self.slab, known.port(), slot);
            self.holders.add_dynamic(&mut self.slab, port, slot);
            self.events.push(Event::moved(key, known.port(), port));
        }
    }

    #[inline(never)]
    fn learn_new(&mut self, home: Home, key: Key, port: PortId) {
        if self.ageing.is_zero() || !self.make_room(Some(port)) {
            return;
        }
        let seen = self.tick.stamp();
        let slot = self.slab.insert(key, port, seen);
        let value = Value::dynamic(port, self.tick.number(), slot);
        self.table.insert(home, key, value);
        self.holders.add_dynamic(&mut self.slab, port, slot);
        self.oldest.get_or_insert(seen);
        self.events.push(Event::learnt(key, port));
    }

    /// Sees to it that one more station fits. Returns whether it does.
    #[inline]
    fn make_room(&mut self, newcomer: Option<PortId>) -> bool {
        self.slab.len() < self.max_stations || (self.max_stations > 0 && self.evict_for(newcomer))
    }

    /// Evicts the longest silent station of the port that holds the most, if there is any.
    #[inline]
    fn evict_for(&mut self, newcomer: Option<PortId>) -> bool {
        let Some(port) = self.holders.donor(newcomer) else {
            return false;
        };
        let Some(slot) = self.holders.dynamic(port).head() else {
            return false;
        };
        if let Some(key) = self.forget(slot) {
            self.events.push(Event::evicted(key, port));
        }
        true
    }

    /// Removes the station at `slot` from everything.
    #[inline]
    fn forget(&mut self, slot: u32) -> Option<Key> {
        let (key, node) = self.slab.get(slot)?;
        let (port, is_static) = (node.port, node.is_static);
        if is_static {
            self.holders.remove_fixed(&mut self.slab, port, slot);
        } else {
            self.holders.remove_dynamic(&mut self.slab, port, slot);
        }
        self.slab.remove(slot);
        self.table.remove(self.table.home(key), key);
        Some(key)
    }

    /// When [`Fdb::handle_timeout`] has something to do, or before; `None` if never.
    #[inline]
    pub(super) fn next_timeout(&self) -> Option<Timestamp> {
        let due = self.oldest? + self.ageing;
        (due < NEVER).then_some(due)
    }

    /// Forgets stations that have been silent for the ageing time, up to a number that does not
    /// hold up frames; if there are more, [`Fdb::next_timeout`] says so.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        if self.next_timeout().is_none_or(|due| now < due) {
            return;
        }
        let mut left = Self::AGED_AT_ONCE;
        for port in self.holders.ports() {
            while left > 0
                && let Some(slot) = self.holders.dynamic(port).head()
                && self.slab.node_mut(slot).seen + self.ageing <= now
                && let Some(key) = self.forget(slot)
            {
                self.events.push(Event::aged(key, port));
                left -= 1;
            }
        }
        self.oldest = self.holders.oldest(&self.slab);
    }

    /// Prepares for stations of `port`.
    pub(super) fn add_port(&mut self, port: PortId) {
        self.holders.add_port(port);
    }

    /// Enters a static station, or makes one of a dynamic one, or moves a static one.
    /// Returns whether there was room.
    pub(super) fn add_static(&mut self, key: Key, port: PortId) -> bool {
        let home = self.table.home(key);
        let slot = if let Some(known) = self.table.find(home, key) {
            let slot = known.slot();
            if known.is_static() {
                self.holders
                    .remove_fixed(&mut self.slab, known.port(), slot);
            } else {
                self.holders
                    .remove_dynamic(&mut self.slab, known.port(), slot);
            }
            self.table.set(home, key, Value::fixed(port, slot));
            slot
        } else {
            if !self.make_room(None) {
                return false;
            }
            let slot = self.slab.insert(key, port, Timestamp::ZERO);
            self.table.insert(home, key, Value::fixed(port, slot));
            slot
        };
        let node = self.slab.node_mut(slot);
        (node.port, node.is_static) = (port, true);
        self.holders.add_fixed(&mut self.slab, port, slot);
        self.settle();
        true
    }

    /// Removes the station `key`. Returns whether it was there.
    pub(super) fn remove(&mut self, key: Key) -> bool {
        let known = self.table.find(self.table.home(key), key);
        let removed = known.and_then(|known| self.forget(known.slot())).is_some();
        if removed {
            self.settle();
        }
        removed
    }

    /// Forgets the dynamic stations of `port`. Returns how many there were.
    pub(super) fn flush(&mut self, port: PortId) -> usize {
        let mut flushed = 0;
        while let Some(slot) = self.holders.dynamic(port).head() {
            self.forget(slot);
            flushed += 1;
        }
        self.settle();
        flushed
    }

    /// Forgets the dynamic stations of all ports. Returns how many there were.
    pub(super) fn flush_all(&mut self) -> usize {
        self.holders.ports().map(|port| self.flush(port)).sum()
    }

    /// Forgets all stations of `port`, static ones too.
    pub(super) fn remove_port(&mut self, port: PortId) {
        self.flush(port);
        while let Some(slot) = self.holders.fixed(port).head() {
            self.forget(slot);
        }
    }

    /// After a command has removed stations: with the last dynamic one goes the timeout.
    fn settle(&mut self) {
        if !self.holders.any_dynamic() {
            self.oldest = None;
        }
    }

    /// The number of stations.
    pub(super) const fn len(&self) -> usize {
        self.slab.len()
    }

    /// Lists stations from `from` on; see [`super::Bridge::stations`].
    pub(super) fn stations(
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
