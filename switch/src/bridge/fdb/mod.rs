//! The forwarding database: which station is behind which port.
//!
//! Theory of operation. Three structures hold a station:
//!
//! - the [`Table`] maps its key to a word with its port and the tick in which it was last seen. A
//!   frame between known stations touches nothing else, and only reads it, except for the first
//!   frame of a station in a tick;
//! - the [`Slab`] holds its key and the time when it was last seen, at an index that never changes;
//! - the lists of the [`holders`], one per port, link the slab's nodes in the order in which
//!   stations were seen. Ageing and eviction take from their heads.
//!
//! An entry stays until [`Fdb::handle_timeout`] finds that the ageing time has passed: no frame
//! pays for ageing.

mod ageing;
mod commands;
mod export;
mod hash;
mod holders;
mod moves;
mod predict;
mod slab;
#[allow(unsafe_code)] // fetching ahead has no safe wrapper in the standard library yet
mod sys;
mod table;
mod tick;
mod value;

use std::time::Duration;

pub(super) use export::ExportedStation;
pub(super) use hash::KeyHasher;
pub(super) use holders::{Holding, Most};
pub(super) use moves::Shift;
use slab::Slab;
pub(super) use table::Home;
use table::Table;
use tick::Tick;
pub(super) use value::{Heard, Value};

use super::PortId;
use super::damping::Damping;
use super::event::{Event, EventQueue};
use super::key::Key;
use super::ports::Ports;
use crate::frame::Timestamp;

/// A station, and where it belongs in the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) home: Home,
    pub(super) key: Key,
}

/// The forwarding database.
#[derive(Debug)]
pub(super) struct Fdb {
    table: Table,
    slab: Slab,
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
            tick: Tick::new(ageing),
            ageing,
            max_stations,
            oldest: None,
            events: EventQueue::default(),
        }
    }

    /// Sets the time. Must be called before the frames that arrived by then.
    #[inline]
    pub(super) fn advance(&mut self, now: Timestamp) {
        self.tick.advance(now);
    }

    /// Where `key` belongs in the table, for [`Fdb::learn_more`] and [`Fdb::lookup`]. What is there
    /// begins to come into the processor's cache.
    #[inline]
    pub(super) fn home(&self, key: Key) -> Home {
        let home = self.table.home(key);
        self.table.prefetch(home);
        home
    }

    /// What [`Fdb::learn_more`] wants to know of frames that come in by `port` now.
    #[inline]
    pub(super) fn heard(&self, port: PortId) -> Heard {
        Heard::new(port, self.tick.number())
    }

    /// Reports that there is nothing to learn from a frame of station `key` seen now as `heard`.
    /// False may be wrong; [`Fdb::learn_more`] then checks it exactly.
    #[inline]
    pub(super) fn is_fresh(&self, home: Home, key: Key, heard: Heard) -> bool {
        self.table.is_fresh(home, key, heard)
    }

    /// Records that a station was seen now, on a port that exists and forwards. The entry of a
    /// station that was learnt on another port stays there until [`Fdb::shift`] and is returned.
    #[inline]
    pub(super) fn learn_more(
        &mut self,
        ports: &mut Ports,
        now: Timestamp,
        spot: Spot,
        heard: Heard,
        damping: &Damping,
    ) -> Option<Value> {
        let Spot { home, key } = spot;
        match self.table.find(home, key) {
            Some(known) if known.is_fresh(heard) || known.is_static() => None,
            _ if self.ageing.is_zero() => None,
            Some(known) if known.port() == heard.port() => {
                self.hear_again(ports, now, spot, known, heard, damping);
                None
            }
            Some(known) => Some(known),
            None => {
                self.learn_new(ports, home, key, heard);
                None
            }
        }
    }

    /// Returns the entry of station `key`.
    #[inline]
    pub(super) fn lookup(&self, home: Home, key: Key) -> Option<Value> {
        if key == Key::NOBODY {
            return None;
        }
        self.table.find(home, key)
    }

    #[inline]
    fn hear_again(
        &mut self,
        ports: &mut Ports,
        now: Timestamp,
        Spot { home, key }: Spot,
        known: Value,
        heard: Heard,
        damping: &Damping,
    ) {
        let slot = known.slot();
        self.table.set(home, key, Value::dynamic(heard, slot));
        let node = self.slab.node_mut(slot);
        node.seen = self.tick.stamp();
        let mut moves = node.moves();
        moves.calm(now, damping);
        node.set_moves(moves);
        ports.refresh(&mut self.slab, known.port(), slot);
    }

    #[inline]
    fn learn_new(&mut self, ports: &mut Ports, home: Home, key: Key, heard: Heard) {
        let port = heard.port();
        if self.max_stations == 0 {
            return;
        }
        self.make_room_on(ports, port, 1);
        if !self.make_room(ports, Some(port)) {
            return;
        }
        let seen = self.tick.stamp();
        let slot = self.slab.insert(key, port, seen);
        self.table.insert(home, key, Value::dynamic(heard, slot));
        ports.add_dynamic(&mut self.slab, port, slot);
        self.oldest.get_or_insert(seen);
        self.events.push(Event::learnt(key, port));
    }

    /// Makes room for one more entry. Returns whether there is room.
    #[inline]
    fn make_room(&mut self, ports: &mut Ports, newcomer: Option<PortId>) -> bool {
        self.slab.len() < self.max_stations
            || (self.max_stations > 0 && self.evict_for(ports, newcomer))
    }

    /// Evicts the entry silent longest of the port that has the most, if there is any.
    #[inline]
    fn evict_for(&mut self, ports: &mut Ports, newcomer: Option<PortId>) -> bool {
        let Some(port) = ports.donor(newcomer) else {
            return false;
        };
        self.evict_from(ports, port)
    }

    /// Evicts the entry silent longest of `port`, if there is any.
    #[inline]
    fn evict_from(&mut self, ports: &mut Ports, port: PortId) -> bool {
        let Some(slot) = ports.dynamic(port).head() else {
            return false;
        };
        if let Some(key) = self.forget(ports, slot) {
            self.events.push(Event::evicted(key, port));
        }
        true
    }

    /// Makes room for `port` to learn `more` stations.
    #[inline]
    fn make_room_on(&mut self, ports: &mut Ports, port: PortId, more: u32) {
        for _ in 0..ports.excess(port, more) {
            self.evict_from(ports, port);
        }
    }

    /// Removes the station at `slot` from everything.
    #[inline]
    fn forget(&mut self, ports: &mut Ports, slot: u32) -> Option<Key> {
        let (key, node) = self.slab.get(slot)?;
        let (port, is_static) = (node.port, node.is_static);
        if is_static {
            ports.remove_fixed(&mut self.slab, port, slot);
        } else {
            ports.remove_dynamic(&mut self.slab, port, slot);
        }
        self.slab.remove(slot);
        self.table.remove(self.table.home(key), key);
        Some(key)
    }

    /// The number of stations.
    pub(super) const fn len(&self) -> usize {
        self.slab.len()
    }
}
