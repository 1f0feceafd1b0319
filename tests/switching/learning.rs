//! Who gets what, once it is known who is where.

use libtest_mimic::Trial;
use vswitch_switch::BridgeConfig;
use vswitch_switch::bridge::{DropReason, VlanLearning};

use super::frames::{BROADCAST, nothing_more, numbered, numbers, received_before};
use super::lab::{Lab, Plan, mac, on_one_processor};
use crate::harness::isolated;
use crate::harness::packet::Endpoint;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated(
            "switching_unicast_is_not_seen_by_a_third_port",
            unicast_is_not_seen,
        ),
        isolated(
            "switching_unknown_unicast_reaches_every_other_port_once",
            unknown_is_flooded,
        ),
        isolated("switching_a_station_that_moves_is_followed", moves),
        isolated(
            "switching_nothing_returns_to_the_port_where_it_came_from",
            same_port,
        ),
        isolated("switching_vlans_learn_by_themselves_if_told", vlans),
        isolated(
            "switching_vlans_share_what_is_learnt_as_in_a_linux_bridge",
            shared,
        ),
    ]
}

/// Three silent hosts, and frames between them.
struct Stage {
    lab: Lab,
    wires: Vec<Endpoint>,
    next: u64,
}

impl Stage {
    fn new() -> Self {
        Self::with(BridgeConfig::default())
    }

    fn with(config: BridgeConfig) -> Self {
        let lab = on_one_processor(|| Lab::new(config, &[Plan::SILENT; 3]));
        let wires = lab.endpoints();
        Self {
            lab,
            wires,
            next: 0,
        }
    }

    /// Sends a frame from a host, and gives the hosts that received it. What a frame sent behind
    /// it, to everybody, overtakes has not been received.
    fn send(&mut self, from: usize, frame: &[u8]) -> Vec<usize> {
        self.next += 1;
        let behind = u64::MAX - self.next;
        on_one_processor(|| {
            self.wires[from - 1].send_patiently(frame).unwrap();
            let everybody = numbered(
                BROADCAST,
                mac(0xff00 + u32::try_from(from).unwrap()),
                behind,
            );
            self.wires[from - 1].send_patiently(&everybody).unwrap();
        });
        let mut receivers = Vec::new();
        for (host, wire) in (1..).zip(&self.wires) {
            if host == from {
                nothing_more(wire);
                continue;
            }
            let frames = received_before(wire, behind);
            for received in frames {
                assert_eq!(received.bytes, frame, "at host {host}");
                receivers.push(host);
            }
        }
        receivers
    }
}

const A: [u8; 6] = mac(0xa0);
const B: [u8; 6] = mac(0xb0);

fn unicast_is_not_seen() {
    let mut stage = Stage::new();
    assert_eq!(stage.send(1, &numbered(BROADCAST, A, 0)), [2, 3]);
    assert_eq!(stage.send(2, &numbered(A, B, 0)), [1]);
    for number in 0..20 {
        assert_eq!(stage.send(1, &numbered(B, A, number)), [2]);
        assert_eq!(stage.send(2, &numbered(A, B, number)), [1]);
    }
    // A burst goes the same way.
    on_one_processor(|| {
        for number in 0..100 {
            let frame = numbered(B, A, number);
            stage.wires[0].send_patiently(&frame).unwrap();
        }
        let last = numbered(BROADCAST, A, u64::MAX);
        stage.wires[0].send_patiently(&last).unwrap();
    });
    let burst = numbers(&received_before(&stage.wires[1], u64::MAX));
    assert_eq!(burst, (0..100).collect::<Vec<_>>());
    assert_eq!(received_before(&stage.wires[2], u64::MAX), []);
    stage.lab.stop();
}

fn unknown_is_flooded() {
    let mut stage = Stage::new();
    for from in 1..=3 {
        let to: Vec<_> = (1..=3).filter(|host| *host != from).collect();
        assert_eq!(stage.send(from, &numbered(mac(0xdead), A, 0)), to);
    }
    // Once it has spoken it is unknown no more, and once it is forgotten it is again.
    stage.send(3, &numbered(BROADCAST, mac(0xdead), 0));
    assert_eq!(stage.send(1, &numbered(mac(0xdead), A, 1)), [3]);
    stage.lab.handle().flush().unwrap();
    assert_eq!(stage.send(1, &numbered(mac(0xdead), A, 2)), [2, 3]);
    stage.lab.stop();
}

fn moves() {
    let mut stage = Stage::new();
    stage.send(1, &numbered(BROADCAST, A, 0));
    for at in [2, 3, 1, 3] {
        stage.send(at, &numbered(BROADCAST, B, 0));
        assert_eq!(stage.lab.whereabouts(B), [format!("sw{at}")]);
        let from = if at == 2 { 3 } else { 2 };
        assert_eq!(stage.send(from, &numbered(B, mac(7), 1)), [at]);
    }
    stage.lab.stop();
}

fn same_port() {
    let mut stage = Stage::new();
    stage.send(1, &numbered(BROADCAST, A, 0));
    stage.send(1, &numbered(BROADCAST, B, 0));
    assert_eq!(stage.send(1, &numbered(B, A, 0)), [0; 0]);
    assert_eq!(stage.send(1, &numbered(A, A, 0)), [0; 0]);
    let drops = stage.lab.counters(&stage.lab.hosts[0]).drops;
    assert_eq!(
        drops.iter().collect::<Vec<_>>(),
        [(DropReason::SamePort, 2)]
    );
    stage.lab.stop();
}

/// A frame with a tag.
fn tagged(dst: [u8; 6], src: [u8; 6], vlan: u8) -> Vec<u8> {
    let frame = numbered(dst, src, 0);
    [&frame[..12], &[0x81, 0, 0, vlan], &frame[12..]].concat()
}

/// A host that knows no VLANs, one that tags, one that tags otherwise: whatever the tags are, a
/// station that has spoken is known.
fn shared() {
    let mut stage = Stage::new();
    for (said, asked) in [(0, 10), (10, 0), (10, 20)] {
        stage.lab.handle().flush().unwrap();
        let frame = |dst, src, vlan| match vlan {
            0 => numbered(dst, src, 0),
            vlan => tagged(dst, src, vlan),
        };
        stage.send(1, &frame(BROADCAST, A, said));
        assert_eq!(stage.send(2, &frame(A, B, asked)), [1]);
        assert_eq!(stage.send(1, &frame(B, A, said)), [2]);
        let stations = stage.lab.handle().stations().unwrap();
        let of_a = stations.iter().filter(|station| station.mac.0 == A);
        let vlans: Vec<_> = of_a.map(|station| station.vlan.get()).collect();
        assert_eq!(vlans, [0], "one entry, for all VLANs");
    }
    stage.lab.stop();
}

fn vlans() {
    let mut stage = Stage::with(BridgeConfig {
        vlan_learning: VlanLearning::Independent,
        ..BridgeConfig::default()
    });
    stage.send(1, &tagged(BROADCAST, A, 10));
    stage.send(2, &tagged(BROADCAST, A, 20));
    assert_eq!(stage.send(3, &tagged(A, B, 10)), [1]);
    assert_eq!(stage.send(3, &tagged(A, B, 20)), [2]);
    assert_eq!(
        stage.send(3, &numbered(A, B, 0)),
        [1, 2],
        "unknown untagged"
    );
    stage.lab.stop();
}
