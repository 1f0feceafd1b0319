//! The bridge and its model, side by side.

use std::time::Duration;

use vswitch_switch::Timestamp;
use vswitch_switch::bridge::{
    Bridge, BridgeConfig, Cursor, Decision, Event, PortId, Source, StaticError, Station,
};
use vswitch_switch::frame::{MacAddr, VlanId};

use crate::model::{Known, Model};
use crate::script::{AGEING, Action};

/// A bridge, its model, and the time of both.
pub(crate) struct Pair {
    pub(crate) bridge: Bridge,
    pub(crate) model: Model,
    pub(crate) now: Timestamp,
}

/// The explanation of the source must match the events that the bridge then reports.
fn foreseen(decision: &Decision, events: &[Event]) {
    let source = decision.passed.map(|passed| passed.source);
    let as_foreseen = match (source, events) {
        (Some(Source::New { evicts: None }), [Event::Learnt { .. }]) => true,
        (
            Some(Source::New {
                evicts: Some(station),
            }),
            [Event::Evicted { vlan, mac, port }, Event::Learnt { .. }],
        ) => (station.vlan, station.mac, station.port) == (*vlan, *mac, *port),
        (
            Some(Source::Moves {
                from: foreseen,
                evicts: None,
            }),
            [Event::Moved { from, .. }],
        ) => foreseen == *from,
        (
            Some(Source::Moves {
                from: foreseen,
                evicts: Some(station),
            }),
            [
                Event::Evicted { vlan, mac, port },
                Event::Moved { from, .. },
            ],
        ) => foreseen == *from && (station.vlan, station.mac, station.port) == (*vlan, *mac, *port),
        (Some(Source::New { .. } | Source::Moves { .. }), _) => false,
        (_, events) => events.is_empty(),
    };
    assert!(as_foreseen, "{decision:?}: {events:?}");
}

impl Pair {
    pub(crate) fn new(max_stations: usize, seed: u64) -> Self {
        let config = BridgeConfig {
            ageing: AGEING,
            max_stations,
            forward_reserved: false,
            ..BridgeConfig::default()
        };
        let mut bridge = Bridge::with_seed(config, seed);
        let mut model = Model::new(config);
        bridge.enable_events(true);
        for _ in 0..3 {
            assert_eq!(bridge.add_port().unwrap().0, model.add_port());
        }
        Self {
            bridge,
            model,
            now: Timestamp::from_secs(1000),
        }
    }

    /// Applies `action` to both and compares them.
    pub(crate) fn step(&mut self, action: Action) {
        match action {
            Action::Frame(port, frame) => {
                let decision = self.bridge.explain(self.now, PortId(port), &frame);
                assert_eq!(
                    self.bridge.next_event(),
                    None,
                    "an explanation changes nothing"
                );
                let verdict = self.bridge.handle(self.now, PortId(port), &frame);
                assert_eq!(decision.verdict, verdict);
                let (now, mut events) = (self.now, self.events());
                foreseen(&decision, events.as_slice());
                let expected = self.model.frame(now, port, &frame, &mut events);
                assert_eq!(verdict, expected);
                assert_eq!(events.next(), None);
            }
            Action::Pass(time) => self.now = self.now + time,
            Action::Timeout => self.timeout(),
            Action::AddStatic(vlan, mac, port) => self.add_static(vlan, mac, port),
            Action::AddPort | Action::RemovePort(_) | Action::Forwarding(..) => self.port(&action),
            Action::RemoveStation(mac, vlan) => {
                let vlan_id = vlan.and_then(VlanId::new);
                let removed = self.bridge.remove_station(MacAddr(mac), vlan_id);
                let vlan = vlan.map(|vlan| self.model.vlan_of(vlan));
                let before = self.model.stations.len();
                self.model
                    .stations
                    .retain(|name, _| name.1 != mac || vlan.is_some_and(|vlan| vlan != name.0));
                assert_eq!(removed, before - self.model.stations.len());
            }
            Action::Flush(port) => {
                let flushed = self.bridge.flush(port.map(PortId));
                assert_eq!(flushed, self.model.flush(port));
            }
            Action::Ageing(_)
            | Action::MaxStations(_)
            | Action::ForwardReserved(_)
            | Action::VlanLearning(_)
            | Action::PortLimits(_) => self.configure(&action),
            Action::PortSettings(port, settings) => {
                self.bridge.set_port_settings(PortId(port), settings);
                let mut events = self.events();
                self.model.set_port(port, settings, &mut events);
                assert_eq!(events.next(), None);
            }
        }
        assert_eq!(self.bridge.next_event(), None, "commands are no events");
        self.compare();
    }

    fn events(&mut self) -> std::vec::IntoIter<Event> {
        let events: Vec<_> = std::iter::from_fn(|| self.bridge.next_event()).collect();
        events.into_iter()
    }

    fn timeout(&mut self) {
        for _ in 0..100 {
            self.bridge.handle_timeout(self.now);
            if self.bridge.next_timeout().is_none_or(|due| due > self.now) {
                break;
            }
        }
        let due = self.bridge.next_timeout();
        assert!(
            due.is_none_or(|due| due > self.now),
            "ageing comes to an end"
        );
        let mut events = self.events();
        self.model.age(self.now, &mut events);
    }

    fn add_static(&mut self, vlan: u16, mac: [u8; 6], port: u16) {
        let vlan_id = VlanId::new(vlan).unwrap();
        let added = self.bridge.add_static(vlan_id, MacAddr(mac), PortId(port));
        let vlan = self.model.vlan_of(vlan);
        let mut events = self.events();
        if mac[0] % 2 == 1 {
            assert_eq!(added, Err(StaticError::GroupAddress(MacAddr(mac))));
        } else if mac == [0; 6] {
            assert_eq!(added, Err(StaticError::ZeroAddress(MacAddr(mac))));
        } else if !self.model.ports.contains_key(&port) {
            assert_eq!(
                added,
                Err(StaticError::UnknownPort(MacAddr(mac), PortId(port)))
            );
        } else {
            let known = self.model.stations.contains_key(&(vlan, mac));
            if known || self.model.make_room(None, &mut events) {
                assert_eq!(added, Ok(()));
                let known = Known { port, heard: None };
                self.model.stations.insert((vlan, mac), known);
            } else {
                let max = self.model.config.max_stations;
                assert_eq!(added, Err(StaticError::TableFull(MacAddr(mac), max)));
            }
        }
        assert_eq!(events.next(), None);
    }

    fn port(&mut self, action: &Action) {
        match *action {
            Action::AddPort if self.model.ports.len() < 4 => {
                assert_eq!(self.bridge.add_port().unwrap().0, self.model.add_port());
            }
            Action::RemovePort(port) => {
                self.bridge.remove_port(PortId(port));
                self.model.ports.remove(&port);
                self.model.stations.retain(|_, known| known.port != port);
            }
            Action::Forwarding(port, forwarding) => {
                self.bridge.set_forwarding(PortId(port), forwarding);
                if let Some(state) = self.model.ports.get_mut(&port) {
                    *state = forwarding;
                }
                if !forwarding {
                    self.model.flush(Some(port));
                }
            }
            _ => {}
        }
    }

    fn configure(&mut self, action: &Action) {
        match *action {
            Action::Ageing(ageing) => self.model.set_ageing(ageing),
            Action::MaxStations(max) => self.model.config.max_stations = max,
            Action::VlanLearning(learning) => self.model.set_learning(learning),
            Action::ForwardReserved(on) => self.model.config.forward_reserved = on,
            Action::PortLimits(limits) => self.model.config.port_limits = limits,
            _ => {}
        }
        self.bridge.set_config(self.now, self.model.config);
        assert_eq!(self.bridge.config(), &self.model.config);
        let mut events = self.events();
        while self.model.stations.len() > self.model.config.max_stations
            && self.model.evict(None, &mut events)
        {}
        for port in self.model.ports.keys().copied().collect::<Vec<_>>() {
            self.model.limit(port, &mut events);
        }
        assert_eq!(events.next(), None);
    }

    /// Compares the visible state of both.
    fn compare(&self) {
        let mut listed = Vec::new();
        let mut cursor = Some(Cursor::default());
        while let Some(from) = cursor {
            let before = listed.len();
            cursor = self.bridge.stations(self.now, from, &mut listed, 2);
            assert!(listed.len() - before <= 2);
        }
        assert_eq!(listed.len(), self.model.stations.len());
        assert_eq!(self.bridge.station_count(), self.model.stations.len());
        for station in &listed {
            self.compare_station(station);
        }
        let statics = listed
            .iter()
            .filter(|station| station.age.is_none())
            .count();
        assert!(listed.len() <= self.model.config.max_stations.max(statics));
        let forwarding = self.model.ports.iter().filter(|(_, on)| **on);
        let forwarding: Vec<_> = forwarding.map(|(&port, _)| PortId(port)).collect();
        assert_eq!(self.bridge.forwarding_ports(), forwarding);
        self.compare_timeout();
    }

    fn compare_station(&self, station: &Station) {
        let name = (station.vlan.get(), station.mac.0);
        let known = self.model.stations.get(&name).expect("a known station");
        assert_eq!(station.port.0, known.port);
        assert_eq!(station.age.is_none(), known.heard.is_none());
        if let (Some(age), Some(heard)) = (station.age, known.heard) {
            let silent = self.now.since(heard);
            assert!(age <= silent, "{age:?} is more than {silent:?}");
            assert!(
                silent <= age.saturating_add(self.model.tick),
                "{age:?} of {silent:?}"
            );
        }
    }

    fn compare_timeout(&self) {
        let heard = self.model.stations.values().filter_map(|known| known.heard);
        let ageing = self.model.config.ageing;
        match (self.bridge.next_timeout(), heard.min()) {
            (Some(due), Some(oldest)) => assert!(due <= oldest + ageing + self.model.tick),
            (None, Some(_)) => assert_eq!(ageing, Duration::MAX, "they would never age"),
            (due, None) => assert_eq!(due, None, "there is nothing to age"),
        }
    }
}
