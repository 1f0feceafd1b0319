//! The pure core: a learning bridge without I/O, clock or threads.
//!
//! The caller passes in the time and the frames and gets verdicts back. Nothing is allocated per
//! frame.

mod alarm;
mod batch;
mod blocks;
mod config;
mod damping;
mod dependencies;
mod egress;
mod event;
mod export;
mod fdb;
mod ingress;
mod key;
mod learning;
mod limits;
mod loop_guard;
mod loops;
mod pipeline;
mod ports;
mod probe;
mod prober;
mod protection;
mod station;
mod storm;
mod verdict;
mod watch;

use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};

pub use alarm::Alarm;
pub use blocks::Blocked;
pub use config::BridgeConfig;
pub use damping::Damping;
pub use dependencies::Dependencies;
pub use egress::{FloodGroup, Member, OutputQueues};
pub use event::Event;
pub use export::Malformed;
pub use learning::{UnknownLearning, VlanLearning};
pub use limits::{PortLimits, PortSettings};
pub use loops::LoopGuard;
pub use ports::{NumberError, TooManyPorts};
pub use probe::LoopProbe;
pub use station::{Cursor, StaticError, Station};
pub use storm::FloodKind;
pub use verdict::Verdict;
pub use watch::{Decision, Destination, Passed, Source};

pub use crate::frame::{DropReason, PortId};

use batch::Probe;
use fdb::{Fdb, KeyHasher};
use key::Key;
use ports::Ports;
use protection::Protection;

use crate::frame::{BATCH, MacAddr, Timestamp, VlanId};

/// A learning bridge.
#[derive(Debug)]
pub struct Bridge {
    config: BridgeConfig,
    ports: Ports,
    fdb: Fdb,
    protection: Protection,
    /// Scratch space of a batch, kept so that it is not cleared for each batch.
    probes: Vec<Probe>,
}

impl Bridge {
    /// Creates a bridge without ports, with an unpredictable hash function.
    #[must_use]
    pub fn new(config: BridgeConfig) -> Self {
        let state = RandomState::new();
        let seed = [0, 1].map(|index: u64| state.hash_one(index));
        Self::with_hasher(config, KeyHasher::random(), seed)
    }

    /// Creates a bridge without ports whose hash function depends on `seed` only: for simulations
    /// and benchmarks, not for networks.
    #[must_use]
    pub fn with_seed(config: BridgeConfig, seed: u64) -> Self {
        // The other random choices depend on the seed too.
        let chance = [1, 2].map(|index| mixed(seed, index));
        Self::with_hasher(config, KeyHasher::seeded(seed), chance)
    }

    fn with_hasher(config: BridgeConfig, hasher: KeyHasher, seed: [u64; 2]) -> Self {
        let config = config.clamped();
        Self {
            config,
            ports: Ports::new(),
            fdb: Fdb::new(hasher, config.ageing, config.max_stations),
            protection: Protection::new(seed),
            probes: vec![Probe::NONE; BATCH],
        }
    }

    /// Returns the configuration.
    #[must_use]
    pub const fn config(&self) -> &BridgeConfig {
        &self.config
    }

    /// Changes the configuration at `now`. If the table has become too small, entries are evicted
    /// as fairly as from a full table; static ones stay.
    ///
    /// If the VLAN learning mode changes, learnt entries are removed. Static entries of separate
    /// VLANs are merged into one for all VLANs (the lowest VLAN wins); entries for all VLANs become
    /// entries of untagged frames.
    pub fn set_config(&mut self, now: Timestamp, config: BridgeConfig) {
        let before = self.config.vlan_learning;
        self.config = config.clamped();
        if self.config.vlan_learning != before {
            self.fdb.flush_all(&mut self.ports);
            self.join_static();
        }
        self.fdb.set_ageing(&self.ports, now, self.config.ageing);
        self.fdb
            .set_max_stations(&mut self.ports, self.config.max_stations);
        for port in self.ports.all() {
            self.limit_port(port);
            if !self.config.loop_guard.enabled {
                self.forget_loops_of(port);
            }
        }
    }

    /// Adds a forwarding port with the lowest free number.
    pub fn add_port(&mut self) -> Result<PortId, TooManyPorts> {
        let port = self.ports.add()?;
        self.limit_port(port);
        Ok(port)
    }

    /// Adds a forwarding port with this number.
    pub fn add_port_at(&mut self, port: PortId) -> Result<(), NumberError> {
        self.ports.add_at(port)?;
        self.limit_port(port);
        Ok(())
    }

    /// Removes a port with all its entries, static ones too. An unknown port is ignored.
    pub fn remove_port(&mut self, port: PortId) {
        self.forget_loops_of(port);
        self.fdb.remove_port(&mut self.ports, port);
        self.ports.remove(port);
    }

    /// Sets whether a port forwards. A port that does not forward accepts and sends nothing, its
    /// dynamic entries are removed, and a loop of which it was part counts as broken. An unknown
    /// port is ignored.
    pub fn set_forwarding(&mut self, port: PortId, forwarding: bool) {
        self.ports.set_forwarding(port, forwarding);
        if !forwarding {
            self.forget_loops_of(port);
            self.fdb.flush(&mut self.ports, port);
        }
    }

    /// Returns the forwarding ports, in ascending order. A flood goes to all of them except the
    /// ingress port.
    #[must_use]
    pub fn forwarding_ports(&self) -> &[PortId] {
        self.ports.forwarding()
    }

    /// Decides about one frame that arrived on `port` at `now`, and learns from it.
    #[inline]
    pub fn handle(&mut self, now: Timestamp, port: PortId, frame: &[u8]) -> Verdict {
        let verdict = pipeline::decide(self, &mut (), now, port, frame);
        self.settle_loops(now);
        verdict
    }

    /// Returns when to call [`Bridge::handle_timeout`]; `None` if no entry can age out, no port is
    /// blocked, and no probe is in flight. It may be too early, never too late.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Timestamp> {
        match (self.fdb.next_timeout(), self.loops_timeout()) {
            (Some(ages), Some(watches)) => Some(ages.min(watches)),
            (ages, watches) => ages.or(watches),
        }
    }

    /// Sends probes of blocked ports, unblocks ports whose loop is gone, and removes entries that
    /// have been silent for the ageing time (or up to 1/256 of it longer). One call does a bounded
    /// amount of work: if more is left, [`Bridge::next_timeout`] is not after `now`.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.watch_loops(now);
        self.fdb.handle_timeout(&mut self.ports, now);
    }

    /// Adds a static entry, or makes a known station's entry static: in `vlan`, or in all VLANs if
    /// learning is shared.
    pub fn add_static(
        &mut self,
        vlan: VlanId,
        mac: MacAddr,
        port: PortId,
    ) -> Result<(), StaticError> {
        if mac.is_multicast() {
            return Err(StaticError::GroupAddress(mac));
        }
        if mac.is_zero() {
            return Err(StaticError::ZeroAddress(mac));
        }
        if !self.ports.exists(port) {
            return Err(StaticError::UnknownPort(mac, port));
        }
        let key = self.key(vlan, mac);
        if !self.fdb.add_static(&mut self.ports, key, port) {
            return Err(StaticError::TableFull(mac, self.config.max_stations));
        }
        Ok(())
    }

    /// Removes an entry, static or not, in one VLAN or in all VLANs; in all if learning is shared.
    /// Returns the number of entries removed.
    pub fn remove_station(&mut self, mac: MacAddr, vlan: Option<VlanId>) -> usize {
        let shared = self.config.vlan_learning == VlanLearning::Shared;
        let vlans = match vlan {
            Some(vlan) => vlan.get()..=vlan.get(),
            None if shared => VlanId::NONE.get()..=VlanId::NONE.get(),
            None => 0..=0x0fff,
        };
        let mut removed = 0;
        for tci in vlans {
            let key = self.key(VlanId::from_tci(tci), mac);
            removed += usize::from(self.fdb.remove(&mut self.ports, key));
        }
        removed
    }

    /// Returns the key of a station of `vlan`.
    const fn key(&self, vlan: VlanId, mac: MacAddr) -> Key {
        match self.config.vlan_learning {
            VlanLearning::Shared => Key::new(VlanId::NONE, mac),
            VlanLearning::Independent => Key::new(vlan, mac),
        }
    }

    /// Merges the static entries of separate VLANs, if learning is shared.
    fn join_static(&mut self) {
        if self.config.vlan_learning == VlanLearning::Independent {
            return;
        }
        let mut separate = Vec::new();
        self.fdb.for_each(&self.ports, |station| {
            if station.key.vlan() != VlanId::NONE {
                separate.push(station.key);
            }
        });
        separate.sort_unstable_by_key(|key| key.bits());
        for key in separate {
            // For an address that occurs again, the lowest VLAN has already determined the port.
            self.fdb
                .rename(&mut self.ports, key, Key::new(VlanId::NONE, key.mac()));
        }
    }

    /// Removes the dynamic entries of one port or of all ports. Returns how many there were.
    pub fn flush(&mut self, port: Option<PortId>) -> usize {
        match port {
            Some(port) => self.fdb.flush(&mut self.ports, port),
            None => self.fdb.flush_all(&mut self.ports),
        }
    }

    /// Returns the number of entries, static ones included.
    #[must_use]
    pub fn station_count(&self) -> usize {
        self.fdb.len()
    }

    /// Appends up to `max` stations to `into`, beginning at `from`. Returns where to continue, or
    /// `None` at the end.
    ///
    /// One call does a bounded amount of work, so that listing a large table in pages does not
    /// delay frames. A page may therefore have fewer than `max` stations before the end, even none.
    /// A station that is known throughout the listing is listed once; one that is learnt or removed
    /// meanwhile may or may not be listed.
    pub fn stations(
        &self,
        now: Timestamp,
        from: Cursor,
        into: &mut Vec<Station>,
        max: usize,
    ) -> Option<Cursor> {
        self.fdb.stations(now, from, into, max)
    }

    /// Starts or stops collecting events. Stopping discards the queued ones.
    pub fn enable_events(&mut self, enabled: bool) {
        self.fdb.events.enable(enabled);
    }

    /// Returns the oldest queued event.
    pub fn next_event(&mut self) -> Option<Event> {
        self.fdb.events.pop()
    }

    /// Returns how many events were lost since the last call because the queue was full.
    pub fn take_lost_events(&mut self) -> u64 {
        self.fdb.events.take_lost()
    }
}

/// Derives a number from `seed` and `index` that reveals neither.
fn mixed(seed: u64, index: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(seed);
    hasher.write_u64(index);
    hasher.finish()
}
