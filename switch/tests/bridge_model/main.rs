//! The bridge against a naive model of it: the same happens to both, and after each step they
//! must agree on the verdict, the table, the ages and the events.

mod model;
mod script;

use std::time::Duration;

use model::{Known, Model};
use proptest::prelude::*;
use script::{AGEING, Action, action, frame, port};
use vswitch_switch::Timestamp;
use vswitch_switch::bridge::{
    Bridge, BridgeConfig, Cursor, Event, OutputQueues, PortId, StaticError, Station, Verdict,
};
use vswitch_switch::port::{Drops, Frame};
use vswitch_switch::wire::{MacAddr, VlanId};

struct Pair {
    bridge: Bridge,
    model: Model,
    now: Timestamp,
}

impl Pair {
    fn new(max_stations: usize, seed: u64) -> Self {
        let config = BridgeConfig {
            ageing: AGEING,
            max_stations,
            forward_reserved: false,
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

    fn step(&mut self, action: Action) {
        match action {
            Action::Frame(port, frame) => {
                let verdict = self.bridge.handle(self.now, PortId(port), &frame);
                let (now, mut events) = (self.now, self.events());
                let expected = self.model.frame(now, port, &frame, &mut events);
                assert_eq!(verdict, expected);
                assert_eq!(events.next(), None);
            }
            Action::Pass(time) => self.now = self.now + time,
            Action::Timeout => self.timeout(),
            Action::AddStatic(vlan, mac, port) => self.add_static(vlan, mac, port),
            Action::AddPort | Action::RemovePort(_) | Action::Forwarding(..) => self.port(action),
            Action::RemoveStation(mac, vlan) => {
                let vlan_id = vlan.and_then(VlanId::new);
                let removed = self.bridge.remove_station(MacAddr(mac), vlan_id);
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
            Action::Ageing(_) | Action::MaxStations(_) | Action::ForwardReserved(_) => {
                self.configure(action);
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

    fn port(&mut self, action: Action) {
        match action {
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

    fn configure(&mut self, action: Action) {
        match action {
            Action::Ageing(ageing) => self.model.set_ageing(ageing),
            Action::MaxStations(max) => self.model.config.max_stations = max,
            Action::ForwardReserved(on) => self.model.config.forward_reserved = on,
            _ => {}
        }
        self.bridge.set_config(self.now, self.model.config);
        assert_eq!(self.bridge.config(), &self.model.config);
        let mut events = self.events();
        while self.model.stations.len() > self.model.config.max_stations
            && self.model.evict(None, &mut events)
        {}
        assert_eq!(events.next(), None);
    }

    /// Everything that can be seen of the two must be the same.
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
            assert!(silent - age <= self.model.tick, "{age:?} of {silent:?}");
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

proptest! {
    #[test]
    fn the_bridge_does_as_its_model(
        max_stations in 1..10_usize,
        seed in any::<u64>(),
        script in prop::collection::vec(action(), 0..150),
    ) {
        let mut pair = Pair::new(max_stations, seed);
        for action in script {
            pair.step(action);
        }
    }

    #[test]
    fn a_batch_is_its_frames_one_after_the_other(
        max_stations in 1..10_usize,
        batches in prop::collection::vec((port(), prop::collection::vec(frame(), 0..64)), 0..12),
    ) {
        let mut single = Pair::new(max_stations, 1).bridge;
        let mut batched = Pair::new(max_stations, 1).bridge;
        let mut queues = OutputQueues::new();
        (1..=3).for_each(|port| queues.add_port(PortId(port)));
        single.set_forwarding(PortId(3), max_stations % 2 == 0);
        batched.set_forwarding(PortId(3), max_stations % 2 == 0);
        let now = Timestamp::from_secs(1);
        for (ingress, frames) in batches {
            let ingress = PortId(ingress);
            let (mut counted, mut expected) = (Drops::default(), Drops::default());
            let batch: Vec<_> = frames.iter().map(|frame| Frame::finished(frame)).collect();
            batched.classify(now, ingress, &batch, &mut queues, &mut counted);
            let mut leaving = Vec::new();
            for (index, frame) in (0_u8..).zip(&frames) {
                match single.handle(now, ingress, frame) {
                    Verdict::Forward(port) => leaving.push((port, index)),
                    Verdict::Drop(reason) => expected.add(reason, 1),
                    Verdict::Flood => {
                        let ports = single.forwarding_ports().iter();
                        leaving.extend(ports.filter(|port| **port != ingress).map(|port| (*port, index)));
                    }
                }
            }
            leaving.sort_unstable();
            let mut got: Vec<_> = queues
                .iter()
                .flat_map(|(port, indices)| indices.iter().map(move |index| (port, *index)))
                .collect();
            got.sort_by_key(|(port, _)| *port); // stable: the order within a port is the queue's
            prop_assert_eq!(got, leaving);
            prop_assert_eq!(counted, expected);
            while let Some(event) = single.next_event() {
                prop_assert_eq!(batched.next_event(), Some(event));
            }
            prop_assert_eq!(batched.next_event(), None);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(frames in prop::collection::vec(any::<Vec<u8>>(), 0..64)) {
        let mut pair = Pair::new(4, 0);
        for frame in frames {
            pair.step(Action::Frame(1, frame));
        }
    }
}

/// A frame from station `number` to all.
fn greeting(number: u32) -> Vec<u8> {
    let [a, b, c, d] = number.to_be_bytes();
    [&[0xff; 6][..], &[2, 0, a, b, c, d], &[8, 0]].concat()
}

#[test]
fn a_raised_bound_has_room_for_as_many() {
    let mut pair = Pair::new(1, 1);
    pair.step(Action::MaxStations(300));
    for number in 0..400 {
        pair.step(Action::Frame(1, greeting(number)));
    }
    assert_eq!(pair.bridge.station_count(), 300);
    pair.step(Action::MaxStations(20));
    assert_eq!(pair.bridge.station_count(), 20);
}

#[test]
fn a_flood_from_one_port_takes_no_more_than_its_share_of_the_table() {
    let mut pair = Pair::new(90, 1);
    for number in 0..60 {
        pair.step(Action::Frame(
            1 + u16::from(number % 2 == 0),
            greeting(number),
        ));
    }
    for number in 100..1000 {
        pair.step(Action::Frame(3, greeting(number)));
    }
    for port in 1..=3 {
        let held = pair
            .model
            .stations
            .values()
            .filter(|known| known.port == port);
        assert_eq!(held.count(), 30, "port {port}");
    }
}

#[test]
fn ageing_a_large_table_is_done_in_parts() {
    let mut pair = Pair::new(5000, 1);
    for number in 0..3000 {
        pair.bridge.handle(pair.now, PortId(1), &greeting(number));
    }
    let later = pair.now + AGEING + Duration::from_secs(1);
    let mut counts = Vec::new();
    while pair.bridge.next_timeout().is_some_and(|due| due <= later) {
        pair.bridge.handle_timeout(later);
        counts.push(pair.bridge.station_count());
    }
    assert_eq!(counts.last(), Some(&0));
    assert!(counts.len() > 2, "{counts:?}");
    assert_eq!(pair.bridge.next_timeout(), None);
}

#[test]
fn a_busy_station_is_not_forgotten_while_a_silent_one_is() {
    let mut pair = Pair::new(8, 1);
    pair.step(Action::Frame(2, greeting(2)));
    for _ in 0..600 {
        pair.step(Action::Frame(1, greeting(1)));
        pair.step(Action::Pass(Duration::from_millis(500)));
        pair.step(Action::Timeout);
    }
    assert_eq!(pair.model.stations.len(), 1);
}

#[test]
fn a_long_ageing_time_cut_short_does_not_keep_what_was_heard_under_it() {
    let mut pair = Pair::new(8, 1);
    pair.step(Action::Ageing(Duration::from_secs(1_000_000)));
    pair.step(Action::Frame(1, greeting(1)));
    pair.step(Action::Ageing(AGEING));
    pair.model.tick = AGEING / 256;
    pair.step(Action::Frame(2, greeting(2)));
    pair.step(Action::Pass(AGEING + Duration::from_secs(1)));
    pair.step(Action::Timeout);
    assert_eq!(pair.bridge.station_count(), 0);
}
