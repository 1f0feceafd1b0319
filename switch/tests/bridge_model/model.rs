//! A bridge so simple that it is obviously correct: one list with linear search.
//!
//! Where the bridge has a choice, because its times are in ticks, the model adopts the choice after
//! checking that it is allowed.

use std::collections::BTreeMap;
use std::time::Duration;

use vswitch_switch::Timestamp;
use vswitch_switch::bridge::{
    BridgeConfig, DropReason, Event, PortId, PortLimits, PortSettings, Verdict, VlanLearning,
};
use vswitch_switch::frame::{MacAddr, VlanId};

/// The probe group of the bridge.
pub(crate) const PROBES: [u8; 6] = *b"\x03vswlp";

/// VLAN and address.
pub(crate) type Name = (u16, [u8; 6]);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) port: u16,
    /// When it was last seen; `None` for a static entry.
    pub(crate) heard: Option<Timestamp>,
}

/// A leaky bucket (ITU-T I.371, Annex A): each frame adds its share of a second, which drains as
/// time passes.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    per_second: u32,
    level: Duration,
    at: Timestamp,
}

impl Bucket {
    /// Reports whether another frame fits.
    fn takes(&mut self, now: Timestamp) -> bool {
        self.level = self.level.saturating_sub(now.since(self.at));
        self.at = now;
        if self.per_second == 0 {
            return true;
        }
        let has_room = self.level < Duration::from_secs(1);
        if has_room {
            let share = 1_000_000_000_u64.div_ceil(self.per_second.into());
            self.level += Duration::from_nanos(share);
        }
        has_room
    }
}

pub(crate) struct Model {
    pub(crate) config: BridgeConfig,
    /// Whether each port forwards.
    pub(crate) ports: BTreeMap<u16, bool>,
    /// The settings of single ports.
    settings: BTreeMap<u16, PortSettings>,
    /// The buckets for broadcast, multicast and unknown unicast.
    buckets: BTreeMap<u16, [Bucket; 3]>,
    pub(crate) stations: BTreeMap<Name, Known>,
    /// The longest tick so far.
    pub(crate) tick: Duration,
}

impl Model {
    pub(crate) fn new(config: BridgeConfig) -> Self {
        Self {
            config,
            ports: BTreeMap::new(),
            settings: BTreeMap::new(),
            buckets: BTreeMap::new(),
            stations: BTreeMap::new(),
            tick: config.ageing / 256,
        }
    }

    pub(crate) fn add_port(&mut self) -> u16 {
        let free = (1..=u16::MAX)
            .find(|port| !self.ports.contains_key(port))
            .unwrap();
        self.ports.insert(free, true);
        self.settings.remove(&free);
        self.buckets.remove(&free);
        self.limit(free, &mut std::iter::empty());
        free
    }

    fn limits(&self, port: u16) -> PortLimits {
        let settings = self.settings.get(&port).copied().unwrap_or_default();
        settings.over(self.config.port_limits)
    }

    /// Sets limits of one port.
    pub(crate) fn set_port(
        &mut self,
        port: u16,
        settings: PortSettings,
        events: &mut impl Iterator<Item = Event>,
    ) {
        if self.ports.contains_key(&port) {
            self.settings.insert(port, settings);
            self.limit(port, events);
        }
    }

    /// Follows a change of a port's limits: a bucket of another size starts empty, and surplus
    /// stations are evicted.
    pub(crate) fn limit(&mut self, port: u16, events: &mut impl Iterator<Item = Event>) {
        let limits = self.limits(port);
        let of = |per_second| Bucket {
            per_second,
            level: Duration::ZERO,
            at: Timestamp::ZERO,
        };
        let fresh = [limits.broadcast, limits.multicast, limits.unknown_unicast].map(of);
        let buckets = self.buckets.entry(port).or_insert(fresh);
        for (bucket, fresh) in buckets.iter_mut().zip(fresh) {
            if bucket.per_second != fresh.per_second {
                *bucket = fresh;
            }
        }
        self.make_room_on(port, 0, events);
    }

    /// Checks and follows the evictions that make room on a port for `more` stations.
    fn make_room_on(&mut self, port: u16, more: usize, events: &mut impl Iterator<Item = Event>) {
        let most = self.limits(port).max_stations as usize;
        while most > 0 && self.holdings()[&port] + more > most {
            self.evict_from(port, events);
        }
    }

    pub(crate) fn set_ageing(&mut self, ageing: Duration) {
        self.config.ageing = ageing;
        self.tick = self.tick.max(ageing / 256);
    }

    fn forwards(&self, port: u16) -> bool {
        self.ports.get(&port) == Some(&true)
    }

    /// Returns how many dynamic entries each port has.
    fn holdings(&self) -> BTreeMap<u16, usize> {
        let mut holdings: BTreeMap<_, _> = self.ports.keys().map(|&port| (port, 0)).collect();
        for known in self.stations.values().filter(|known| known.heard.is_some()) {
            *holdings.get_mut(&known.port).unwrap() += 1;
        }
        holdings
    }

    /// Checks and follows an eviction in favour of `newcomer`, if one is due; returns whether there
    /// is room then.
    pub(crate) fn make_room(
        &mut self,
        newcomer: Option<u16>,
        events: &mut impl Iterator<Item = Event>,
    ) -> bool {
        if self.stations.len() < self.config.max_stations {
            return true;
        }
        self.config.max_stations > 0 && self.evict(newcomer, events)
    }

    pub(crate) fn evict(
        &mut self,
        newcomer: Option<u16>,
        events: &mut impl Iterator<Item = Event>,
    ) -> bool {
        let holdings = self.holdings();
        let most = holdings.values().copied().max().unwrap_or(0);
        if most == 0 {
            return false;
        }
        let fullest = newcomer
            .filter(|port| holdings[port] == most)
            .unwrap_or_else(|| {
                *holdings
                    .iter()
                    .find(|(_, count)| **count == most)
                    .unwrap()
                    .0
            });
        self.evict_from(fullest, events);
        true
    }

    /// Checks and follows an eviction from one port.
    fn evict_from(&mut self, fullest: u16, events: &mut impl Iterator<Item = Event>) {
        let Some(Event::Evicted { vlan, mac, port }) = events.next() else {
            panic!("a station of port {fullest} must give way");
        };
        assert_eq!(port.0, fullest, "the port that holds the most gives way");
        let victim = self
            .stations
            .remove(&(vlan.get(), mac.0))
            .expect("a known station");
        assert_eq!(victim.port, fullest);
        let heard = victim.heard.expect("a dynamic station");
        let of_port = self.stations.values().filter(|known| known.port == fullest);
        let oldest = of_port
            .filter_map(|known| known.heard)
            .min()
            .unwrap_or(heard);
        assert!(heard.since(oldest) <= self.tick, "the oldest gives way");
    }

    /// Computes the verdict about a frame, and learns from it.
    pub(crate) fn frame(
        &mut self,
        now: Timestamp,
        port: u16,
        frame: &[u8],
        events: &mut impl Iterator<Item = Event>,
    ) -> Verdict {
        if !self.forwards(port) {
            return Verdict::Drop(DropReason::IngressDown);
        }
        if frame.len() < 14 {
            return Verdict::Drop(DropReason::Runt);
        }
        let (dst, src): ([u8; 6], [u8; 6]) = (
            frame[..6].try_into().unwrap(),
            frame[6..12].try_into().unwrap(),
        );
        if src[0] % 2 == 1 {
            return Verdict::Drop(DropReason::SourceMulticast);
        }
        if src == [0; 6] {
            return Verdict::Drop(DropReason::SourceZero);
        }
        if dst[..5] == [0x01, 0x80, 0xc2, 0, 0] && dst[5] < 16 && !self.config.forward_reserved {
            return Verdict::Drop(DropReason::ReservedDestination);
        }
        if dst == PROBES {
            // Never learnt from; the model does not create probes.
            let verdict = self.towards(port, (0, dst));
            return match verdict {
                Verdict::Flood => self.flood(now, port, dst),
                verdict => verdict,
            };
        }
        let tagged = matches!(frame[12..14], [0x81, 0x00] | [0x88, 0xa8]) && frame.len() >= 16;
        let tag = if tagged {
            u16::from(frame[14] & 0x0f) << 8 | u16::from(frame[15])
        } else {
            0
        };
        let vlan = self.vlan_of(tag);
        self.learn(now, (vlan, src), port, events);
        match self.towards(port, (vlan, dst)) {
            Verdict::Flood => self.flood(now, port, dst),
            verdict => verdict,
        }
    }

    /// Returns the VLAN of the entry for a frame with this tag.
    pub(crate) fn vlan_of(&self, tag: u16) -> u16 {
        match self.config.vlan_learning {
            VlanLearning::Shared => 0,
            VlanLearning::Independent => tag,
        }
    }

    /// Changes the VLAN learning mode: learnt entries are removed, and static entries of several
    /// VLANs are merged.
    pub(crate) fn set_learning(&mut self, learning: VlanLearning) {
        if learning == self.config.vlan_learning {
            return;
        }
        self.config.vlan_learning = learning;
        self.flush(None);
        if learning == VlanLearning::Shared {
            for (name, known) in std::mem::take(&mut self.stations) {
                self.stations.entry((0, name.1)).or_insert(known);
            }
        }
    }

    fn flood(&mut self, now: Timestamp, port: u16, dst: [u8; 6]) -> Verdict {
        let (kind, reason) = if dst == [0xff; 6] {
            (0, DropReason::StormBroadcast)
        } else if dst[0] % 2 == 1 {
            (1, DropReason::StormMulticast)
        } else {
            (2, DropReason::StormUnknownUnicast)
        };
        if self.buckets.get_mut(&port).unwrap()[kind].takes(now) {
            Verdict::Flood
        } else {
            Verdict::Drop(reason)
        }
    }

    fn learn(
        &mut self,
        now: Timestamp,
        name: Name,
        port: u16,
        events: &mut impl Iterator<Item = Event>,
    ) {
        let (vlan, mac) = (VlanId::new(name.0).unwrap(), MacAddr(name.1));
        if self.config.ageing.is_zero() {
            return;
        }
        let known = self.stations.get(&name).copied();
        if known.is_some_and(|known| known.heard.is_none()) {
            return;
        }
        if let Some(known) = known {
            let (from, to) = (PortId(known.port), PortId(port));
            if from != to {
                self.make_room_on(port, 1, events);
                let moved = Event::Moved {
                    vlan,
                    mac,
                    from,
                    to,
                };
                assert_eq!(events.next(), Some(moved));
            }
        } else {
            if self.config.max_stations == 0 {
                return;
            }
            self.make_room_on(port, 1, events);
            if !self.make_room(Some(port), events) {
                return;
            }
            let port = PortId(port);
            assert_eq!(events.next(), Some(Event::Learnt { vlan, mac, port }));
        }
        let heard = Some(now);
        self.stations.insert(name, Known { port, heard });
    }

    fn towards(&self, ingress: u16, name: Name) -> Verdict {
        let group = name.1[0] % 2 == 1;
        match self.stations.get(&name).filter(|_| !group) {
            Some(known) if known.port == ingress => Verdict::Drop(DropReason::SamePort),
            Some(known) if !self.forwards(known.port) => Verdict::Drop(DropReason::EgressDown),
            Some(known) => Verdict::Forward(PortId(known.port)),
            None if self.ports.iter().any(|(&port, &on)| on && port != ingress) => Verdict::Flood,
            None => Verdict::Drop(DropReason::NoEgress),
        }
    }

    /// Checks and follows the entries that aged out by `now`.
    pub(crate) fn age(&mut self, now: Timestamp, events: &mut impl Iterator<Item = Event>) {
        for event in events {
            let Event::Aged { vlan, mac, port } = event else {
                panic!("{event:?} while ageing");
            };
            let name = (vlan.get(), mac.0);
            let known = self.stations.remove(&name).expect("a known station");
            assert_eq!(known.port, port.0);
            let silent = now.since(known.heard.expect("a dynamic station"));
            assert!(silent >= self.config.ageing, "aged after {silent:?}");
        }
        for (name, known) in &self.stations {
            let silent = known.heard.map_or(Duration::ZERO, |heard| now.since(heard));
            let limit = self.config.ageing.saturating_add(self.tick);
            assert!(
                silent < limit || silent.is_zero(),
                "{name:?} known after {silent:?}"
            );
        }
    }

    /// Removes the dynamic entries of a port, or of all ports.
    pub(crate) fn flush(&mut self, port: Option<u16>) -> usize {
        let before = self.stations.len();
        self.stations.retain(|_, known| {
            known.heard.is_none() || port.is_some_and(|port| port != known.port)
        });
        before - self.stations.len()
    }
}
