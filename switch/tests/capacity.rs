//! Address caching capacity and learning rate (RFC 2889, 5.7 and 5.8): a bridge holds its
//! configured number of stations, learns them from back-to-back frames, and floods no frame to any
//! of them.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::HashSet;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use vswitch_switch::Timestamp;
use vswitch_switch::bridge::{
    Bridge, BridgeConfig, DropReason, OutputQueues, PortId, PortLimits, Verdict,
};
use vswitch_switch::port::{BATCH, Drops, Frame};

type Address = [u8; 6];

const BROADCAST: Address = [0xff; 6];
/// The ports of the stations, in turn.
const PORTS: [PortId; 3] = [PortId(1), PortId(2), PortId(3)];
const CAPACITIES: [usize; 6] = [1, 2, 1_000, 8_192, 65_536, 1_000_000];

fn frame(dst: Address, src: Address) -> [u8; 14] {
    let mut frame = [0; 14];
    frame[..6].copy_from_slice(&dst);
    frame[6..12].copy_from_slice(&src);
    frame
}

fn sequential(count: usize) -> Vec<Address> {
    (0..u32::try_from(count).unwrap())
        .map(|number| {
            let [a, b, c, d] = number.to_be_bytes();
            [2, 0, a, b, c, d]
        })
        .collect()
}

fn random(count: usize) -> Vec<Address> {
    let mut rng = StdRng::seed_from_u64(1);
    let mut seen = HashSet::new();
    let drawn = std::iter::repeat_with(|| {
        let mut address: Address = rng.random();
        address[0] = address[0] & !1 | 2; // not a group, and not all zero
        address
    });
    drawn
        .filter(|&address| seen.insert(address))
        .take(count)
        .collect()
}

/// The port of the station at `index`.
fn port_of(index: usize) -> PortId {
    PORTS[index % PORTS.len()]
}

/// Creates a bridge that has received one frame from each of `stations`, in batches per port, all
/// at the same time.
fn learnt(max_stations: usize, seed: u64, stations: &[Address]) -> Bridge {
    let config = BridgeConfig {
        max_stations,
        // This number of frames at one time would be a storm.
        port_limits: PortLimits::NONE,
        ..BridgeConfig::default()
    };
    let mut bridge = Bridge::with_seed(config, seed);
    let mut queues = OutputQueues::new();
    for port in PORTS {
        assert_eq!(bridge.add_port(), Ok(port));
        queues.add_port(port);
    }
    let frames: Vec<_> = stations.iter().map(|&src| frame(BROADCAST, src)).collect();
    let mut drops = Drops::default();
    for round in 0..frames.len().div_ceil(BATCH * PORTS.len()) {
        let round = &frames[round * BATCH * PORTS.len()..];
        for (index, port) in PORTS.into_iter().enumerate() {
            let of_port = round.iter().skip(index).step_by(PORTS.len());
            let batch: Vec<_> = of_port.take(BATCH).map(|f| Frame::finished(f)).collect();
            bridge.classify(
                Timestamp::from_secs(1),
                port,
                &batch,
                &mut queues,
                &mut drops,
            );
        }
    }
    assert_eq!(drops.total(), 0);
    bridge
}

/// Sends a frame to each of `stations` from the previous one, and checks that none is flooded.
fn check(bridge: &mut Bridge, stations: &[Address]) {
    let count = stations.len();
    for (index, &dst) in stations.iter().enumerate() {
        let from = (index + count - 1) % count;
        let bytes = frame(dst, stations[from]);
        let verdict = bridge.handle(Timestamp::from_secs(1), port_of(from), &bytes);
        let expected = if port_of(index) == port_of(from) {
            Verdict::Drop(DropReason::SamePort)
        } else {
            Verdict::Forward(port_of(index))
        };
        assert_eq!(verdict, expected, "station {index} of {count}");
    }
    assert_eq!(bridge.station_count(), count);
}

#[test]
fn every_station_is_known_when_the_table_is_just_full() {
    for capacity in CAPACITIES {
        for stations in [sequential(capacity), random(capacity)] {
            let mut bridge = learnt(capacity, 1, &stations);
            check(&mut bridge, &stations);
        }
    }
}

#[test]
fn a_small_table_is_full_whatever_the_hash_function() {
    for seed in 0..200 {
        for capacity in [1, 2, 3, 4, 5, 63, 64, 65] {
            let stations = random(capacity);
            check(&mut learnt(capacity, seed, &stations), &stations);
        }
    }
}

#[test]
fn one_station_too_many_costs_one() {
    for capacity in [1, 1_000, 65_536] {
        let stations = sequential(capacity + 1);
        let mut bridge = learnt(capacity, 1, &stations);
        assert_eq!(bridge.station_count(), capacity);
        let from = stations[capacity];
        let floods = stations[..capacity].iter().filter(|&&dst| {
            let bytes = frame(dst, from);
            let verdict = bridge.handle(Timestamp::from_secs(1), port_of(capacity), &bytes);
            verdict == Verdict::Flood
        });
        assert_eq!(floods.count(), 1, "capacity {capacity}");
    }
}
