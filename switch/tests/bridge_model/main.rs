//! The bridge against a naive model: both perform the same steps, and after each step they must
//! agree on the verdict, the table, the ages and the events.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod model;
mod pair;
mod regressions;
mod script;

use pair::Pair;
use proptest::prelude::*;
use script::{AGEING, Action, action, frame, port};
use vswitch_switch::Timestamp;
use vswitch_switch::bridge::{Bridge, Cursor, OutputQueues, PortId, Station, Verdict};
use vswitch_switch::frame::{MacAddr, VlanId};
use vswitch_switch::port::{Drops, Frame};

/// All stations, with their ages.
fn listed(bridge: &Bridge, now: Timestamp) -> Vec<Station> {
    let mut stations = Vec::new();
    assert_eq!(
        bridge.stations(now, Cursor::default(), &mut stations, 100),
        None
    );
    stations
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
        forwarding in any::<[bool; 3]>(),
        batches in prop::collection::vec((port(), prop::collection::vec(frame(), 0..64)), 0..12),
    ) {
        let mut single = Pair::new(max_stations, 1).bridge;
        let mut batched = Pair::new(max_stations, 1).bridge;
        let mut queues = OutputQueues::new();
        (1..=3).for_each(|port| queues.add_port(PortId(port)));
        for bridge in [&mut single, &mut batched] {
            // A static entry, which stays while its port is down.
            let fixed = MacAddr([2, 0, 0, 0, 0, 1]);
            bridge.add_static(VlanId::NONE, fixed, PortId(2)).unwrap();
            for (port, on) in (1..).zip(forwarding) {
                bridge.set_forwarding(PortId(port), on);
            }
        }
        let mut now = Timestamp::from_secs(1);
        for (ingress, frames) in batches {
            now = now + AGEING / 8;
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
            prop_assert_eq!(listed(&batched, now), listed(&single, now));
        }
    }

    #[test]
    fn a_batch_that_is_watched_is_a_batch(
        max_stations in 1..6_usize,
        batches in prop::collection::vec((port(), prop::collection::vec(frame(), 0..64)), 0..12),
        wanted in any::<u64>(),
    ) {
        let mut watched = Pair::new(max_stations, 1).bridge;
        let mut unwatched = Pair::new(max_stations, 1).bridge;
        let (mut queues, mut expected) = (OutputQueues::new(), OutputQueues::new());
        for port in 1..=3 {
            queues.add_port(PortId(port));
            expected.add_port(PortId(port));
        }
        let (mut counted, mut drops) = (Drops::default(), Drops::default());
        let mut now = Timestamp::from_secs(1);
        for (ingress, frames) in batches {
            now = now + AGEING / 8;
            let ingress = PortId(ingress);
            let batch: Vec<_> = frames.iter().map(|frame| Frame::finished(frame)).collect();
            unwatched.classify(now, ingress, &batch, &mut expected, &mut drops);
            let decisions =
                watched.classify_watched(now, ingress, &batch, &mut queues, &mut counted, wanted);
            let sorted = |queues: &OutputQueues| {
                let mut all: Vec<_> =
                    queues.iter().map(|(port, indices)| (port, indices.to_vec())).collect();
                all.sort_unstable();
                all
            };
            prop_assert_eq!(sorted(&queues), sorted(&expected));
            prop_assert_eq!(counted, drops);
            prop_assert_eq!(listed(&watched, now), listed(&unwatched, now));
            prop_assert_eq!(decisions.len(), batch.len());
            for (index, decision) in decisions.iter().enumerate() {
                prop_assert_eq!(decision.is_some(), wanted >> index & 1 == 1);
                let Some(decision) = decision else { continue };
                let index = u8::try_from(index).unwrap();
                let leaves = queues.iter().filter(|(_, indices)| indices.contains(&index)).count();
                prop_assert_eq!(leaves == 0, matches!(decision.verdict, Verdict::Drop(_)));
            }
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
