//! Order: never another one within a flow, nothing twice, whatever else is going on.

use libtest_mimic::Trial;
use vswitch_switch::bridge::DropReason;

use super::frames::{BROADCAST, nothing_more, number_of, numbered, source_of};
use super::lab::{Lab, on_one_processor};
use crate::harness::packet::Endpoint;
use crate::harness::{PATIENCE, isolated};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("switching_many_ports_keep_every_flow_in_order", || {
            flows(32, 12, 16);
        }),
        isolated("switching_long_bursts_keep_every_flow_in_order", || {
            flows(4, 60, 150);
        }),
    ]
}

/// Every so many frames one goes to everybody.
const FLOOD_EVERY: usize = 5;

/// Rounds in which every host in turn sends a burst to the next one, with floods in between; all
/// that a host receives from another is in the order sent, complete, each frame once.
fn flows(hosts: usize, rounds: usize, burst: usize) {
    let lab = on_one_processor(|| Lab::silent(hosts));
    let wires = lab.endpoints();
    introduce(&lab, &wires);
    let mut next = 0;
    for round in 0..rounds {
        for from in 0..hosts {
            let to = (from + 1 + round % (hosts - 1)) % hosts;
            on_one_processor(|| send_burst(&lab, &wires[from], from, to, next, burst));
            // The queue of the processor is everybody's: one burst is on its way at a time.
            receive_burst(&lab, &wires, from, to, next, burst);
            next += burst as u64;
        }
    }
    for wire in &wires {
        nothing_more(wire);
    }
    for port in lab.handle().ports().unwrap() {
        let drops: Vec<(DropReason, u64)> = port.counters.drops.iter().collect();
        assert_eq!(drops, [], "{}", port.name);
    }
    lab.stop();
}

/// Everybody says who he is, so that nothing but floods is flooded.
fn introduce(lab: &Lab, wires: &[Endpoint]) {
    for (host, wire) in lab.hosts.iter().zip(wires) {
        let hello = numbered(BROADCAST, host.mac(), u64::MAX);
        wire.send_patiently(&hello).unwrap();
        for (other, wire) in lab.hosts.iter().zip(wires) {
            if other.mac() != host.mac() {
                let frame = wire.receive(PATIENCE).expect("the introduction");
                assert_eq!(frame.bytes, hello);
            }
        }
    }
}

const fn is_flood(number: usize) -> bool {
    number.is_multiple_of(FLOOD_EVERY)
}

fn send_burst(lab: &Lab, wire: &Endpoint, from: usize, to: usize, first: u64, burst: usize) {
    let src = lab.hosts[from].mac();
    for n in 0..burst {
        let dst = if is_flood(n) {
            BROADCAST
        } else {
            lab.hosts[to].mac()
        };
        wire.send_patiently(&numbered(dst, src, first + n as u64))
            .unwrap();
    }
}

fn receive_burst(lab: &Lab, wires: &[Endpoint], from: usize, to: usize, first: u64, burst: usize) {
    for (host, wire) in wires.iter().enumerate() {
        let is_for_it = |n: &usize| host != from && (host == to || is_flood(*n));
        let expected: Vec<_> = (0..burst)
            .filter(is_for_it)
            .map(|n| first + n as u64)
            .collect();
        let mut received = Vec::new();
        for _ in &expected {
            let frame = wire.receive(PATIENCE).map(|frame| frame.bytes);
            let frame = frame.unwrap_or_else(|| {
                panic!("host {host} lacks frames of {from}: {expected:?}: {received:?}")
            });
            assert_eq!(source_of(&frame), lab.hosts[from].mac());
            received.extend(number_of(&frame));
        }
        assert_eq!(received, expected, "from host {from} at {host}");
    }
}
