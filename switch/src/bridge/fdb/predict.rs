//! Predicts changes to the database, and reads it, without changing it.

use super::{Fdb, Value};
use crate::bridge::PortId;
use crate::bridge::damping::{Damping, Judgement};
use crate::bridge::key::Key;
use crate::bridge::ports::Ports;
use crate::bridge::station::Station;
use crate::bridge::watch::Source;
use crate::frame::Timestamp;

impl Fdb {
    /// Predicts the result of [`Fdb::learn_more`] for a frame of station `key` that arrived on `port`.
    pub(in crate::bridge) fn would_learn(
        &self,
        ports: &Ports,
        now: Timestamp,
        key: Key,
        port: PortId,
        damping: &Damping,
    ) -> Source {
        match self.find(key) {
            Some(known) if known.is_static() => Source::Static { port: known.port() },
            _ if self.ageing.is_zero() => Source::NotLearnt,
            Some(known) if known.port() == port => Source::Known {
                age: self.station(now, known).and_then(|station| station.age),
            },
            Some(known) => self.would_shift(ports, now, known, port, damping),
            None if self.max_stations > 0 && ports.excess(port, 1) > 0 => Source::New {
                evicts: self.longest_silent(ports, now, port),
            },
            None if self.slab.len() < self.max_stations => Source::New { evicts: None },
            None => match self.victim(ports, now, port) {
                Some(station) => Source::New {
                    evicts: Some(station),
                },
                None => Source::NoRoom,
            },
        }
    }

    /// Predicts the result of [`Fdb::shift`].
    fn would_shift(
        &self,
        ports: &Ports,
        now: Timestamp,
        known: Value,
        to: PortId,
        damping: &Damping,
    ) -> Source {
        let from = known.port();
        let Some((_, node)) = self.slab.get(known.slot()) else {
            return Source::NotLearnt;
        };
        let mut moves = node.moves();
        let held_on = match moves.judge(now, from, node.seen, damping) {
            Judgement::Moves => to,
            Judgement::TooMany if ports.is_forwarding(moves.home) => moves.home,
            Judgement::Held | Judgement::TooMany => from,
        };
        if held_on != to {
            return Source::Held { port: held_on };
        }
        let is_full = ports.excess(to, 1) > 0;
        let evicts = is_full
            .then(|| self.longest_silent(ports, now, to))
            .flatten();
        Source::Moves { from, evicts }
    }

    fn longest_silent(&self, ports: &Ports, now: Timestamp, port: PortId) -> Option<Station> {
        self.station_at(now, ports.dynamic(port).head()?)
    }

    /// What the table holds for `key`.
    pub(in crate::bridge) fn find(&self, key: Key) -> Option<Value> {
        self.lookup(self.table.home(key), key)
    }

    /// The station whose value is `known`.
    pub(in crate::bridge) fn station(&self, now: Timestamp, known: Value) -> Option<Station> {
        self.station_at(now, known.slot())
    }

    /// Returns the entry that a new station on `port` would evict from a full table.
    fn victim(&self, ports: &Ports, now: Timestamp, port: PortId) -> Option<Station> {
        if self.max_stations == 0 {
            return None;
        }
        let donor = ports.would_give(port)?;
        self.longest_silent(ports, now, donor)
    }

    fn station_at(&self, now: Timestamp, slot: u32) -> Option<Station> {
        let (key, node) = self.slab.get(slot)?;
        Some(Station {
            vlan: key.vlan(),
            mac: key.mac(),
            port: node.port,
            age: (!node.is_static).then(|| now.since(node.seen)),
        })
    }
}
