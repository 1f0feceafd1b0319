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

mod ageing;
mod commands;
mod handover;
mod hash;
mod holders;
mod look;
mod slab;
#[allow(unsafe_code)] // fetching ahead has no safe wrapper in the standard library yet
mod sys;
mod table;
mod tick;
mod value;

use std::time::Duration;

pub(super) use handover::Handed;
pub(super) use hash::KeyHasher;
use holders::Holders;
use slab::Slab;
pub(super) use table::Home;
use table::Table;
use tick::Tick;
pub(super) use value::{Heard, Value};

use super::PortId;
use super::event::{Event, EventQueue};
use super::key::Key;
use crate::time::Timestamp;

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

    /// Tells the time. To be called before the frames that arrived by then.
    #[inline]
    pub(super) fn advance(&mut self, now: Timestamp) {
        self.tick.advance(now);
    }

    /// Where `key` belongs in the table, for [`Fdb::learn`] and [`Fdb::lookup`]. What is there
    /// begins to come into the processor's cache.
    #[inline]
    pub(super) fn home(&self, key: Key) -> Home {
        let home = self.table.home(key);
        self.table.prefetch(home);
        home
    }

    /// What [`Fdb::learn`] wants to know of frames that come in by `port` now.
    #[inline]
    pub(super) fn heard(&self, port: PortId) -> Heard {
        Heard::new(port, self.tick.number())
    }

    /// Notes that the station `key` was `heard` now, on a port that exists and forwards.
    #[inline]
    pub(super) fn learn(&mut self, home: Home, key: Key, heard: Heard) {
        if !self.table.is_fresh(home, key, heard) {
            self.learn_more(home, key, heard);
        }
    }

    #[inline(never)]
    fn learn_more(&mut self, home: Home, key: Key, heard: Heard) {
        match self.table.find(home, key) {
            Some(known) if known.is_fresh(heard) => {}
            Some(known) => self.hear_again(home, key, known, heard),
            None => self.learn_new(home, key, heard),
        }
    }

    /// What is known of the station `key`, its port first of all.
    #[inline]
    pub(super) fn lookup(&self, home: Home, key: Key) -> Option<Value> {
        if key == Key::NOBODY {
            return None;
        }
        self.table.find(home, key)
    }

    #[inline]
    fn hear_again(&mut self, home: Home, key: Key, known: Value, heard: Heard) {
        if known.is_static() || self.ageing.is_zero() {
            return;
        }
        let slot = known.slot();
        let port = heard.port();
        self.table.set(home, key, Value::dynamic(heard, slot));
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

    #[inline]
    fn learn_new(&mut self, home: Home, key: Key, heard: Heard) {
        let port = heard.port();
        if self.ageing.is_zero() || !self.make_room(Some(port)) {
            return;
        }
        let seen = self.tick.stamp();
        let slot = self.slab.insert(key, port, seen);
        self.table.insert(home, key, Value::dynamic(heard, slot));
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

    /// Prepares for stations of `port`.
    pub(super) fn add_port(&mut self, port: PortId) {
        self.holders.add_port(port);
    }

    /// The number of stations.
    pub(super) const fn len(&self) -> usize {
        self.slab.len()
    }
}
