//! A bridge so naive that it is obviously right: one list, searched from end to end.
//!
//! Where the bridge is free to choose, because it remembers the time in ticks, the model takes
//! over its choice after checking that it was allowed.

use std::collections::BTreeMap;
use std::time::Duration;

use vswitch_switch::Timestamp;
use vswitch_switch::bridge::{BridgeConfig, DropReason, Event, PortId, Verdict};
use vswitch_switch::wire::{MacAddr, VlanId};

/// VLAN and address.
pub(crate) type Name = (u16, [u8; 6]);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) port: u16,
    /// When it was heard last; `None` for a static station.
    pub(crate) heard: Option<Timestamp>,
}

pub(crate) struct Model {
    pub(crate) config: BridgeConfig,
    /// Whether each port forwards.
    pub(crate) ports: BTreeMap<u16, bool>,
    pub(crate) stations: BTreeMap<Name, Known>,
    /// The longest tick there has been.
    pub(crate) tick: Duration,
}

impl Model {
    pub(crate) fn new(config: BridgeConfig) -> Self {
        Self {
            config,
            ports: BTreeMap::new(),
            stations: BTreeMap::new(),
            tick: config.ageing / 256,
        }
    }

    pub(crate) fn add_port(&mut self) -> u16 {
        let free = (1..=u16::MAX)
            .find(|port| !self.ports.contains_key(port))
            .unwrap();
        self.ports.insert(free, true);
        free
    }

    pub(crate) fn set_ageing(&mut self, ageing: Duration) {
        self.config.ageing = ageing;
        self.tick = self.tick.max(ageing / 256);
    }

    fn forwards(&self, port: u16) -> bool {
        self.ports.get(&port) == Some(&true)
    }

    /// How many dynamic stations each port holds.
    fn holdings(&self) -> BTreeMap<u16, usize> {
        let mut holdings: BTreeMap<_, _> = self.ports.keys().map(|&port| (port, 0)).collect();
        for known in self.stations.values().filter(|known| known.heard.is_some()) {
            *holdings.get_mut(&known.port).unwrap() += 1;
        }
        holdings
    }

    /// Checks and follows an eviction in favour of `newcomer`, if one is due; returns whether
    /// there is room then.
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
        true
    }

    /// What becomes of a frame, and what is learnt from it.
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
        let tagged = matches!(frame[12..14], [0x81, 0x00] | [0x88, 0xa8]) && frame.len() >= 16;
        let vlan = if tagged {
            u16::from(frame[14] & 0x0f) << 8 | u16::from(frame[15])
        } else {
            0
        };
        self.learn(now, (vlan, src), port, events);
        self.towards(port, (vlan, dst))
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
                let moved = Event::Moved {
                    vlan,
                    mac,
                    from,
                    to,
                };
                assert_eq!(events.next(), Some(moved));
            }
        } else {
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

    /// Checks and follows what aged by `now`.
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

    /// Forgets the dynamic stations of a port, or of all.
    pub(crate) fn flush(&mut self, port: Option<u16>) -> usize {
        let before = self.stations.len();
        self.stations.retain(|_, known| {
            known.heard.is_none() || port.is_some_and(|port| port != known.port)
        });
        before - self.stations.len()
    }
}
