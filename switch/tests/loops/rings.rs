//! Loops among several switches: one port per loop is blocked, all hosts reach each other, and this
//! stays so, also after a link has failed.

use std::time::Duration;

use rand::prelude::*;

use crate::network::{Cable, Network};
use crate::seeds;

const STEP: Duration = Duration::from_millis(20);

/// Switches and cables with hosts, one at each switch and some more.
fn build(network: &mut Network, switches: usize, cables: &[(usize, usize)]) {
    for _ in 0..switches {
        let switch = network.add_switch();
        network.add_host(&[switch]);
        // Ports are added in another order than that of the switches.
        if network.random.random() {
            network.add_host(&[switch]);
        }
    }
    let mut cables = cables.to_vec();
    cables.shuffle(&mut network.random);
    for (one, other) in cables {
        let (one, other) = if network.random.random() {
            (one, other)
        } else {
            (other, one)
        };
        network.add_cable(one, other);
    }
}

/// Returns how many more cables than needed connect the switches; `None` if they are not connected.
fn excess<'a>(switches: usize, cables: impl Iterator<Item = &'a Cable>) -> Option<usize> {
    let mut group: Vec<usize> = (0..switches).collect();
    let (mut joined, mut excess) = (1, 0);
    for cable in cables {
        let [one, other] = cable.ends.map(|(node, _)| group[node]);
        if one == other {
            excess += 1;
            continue;
        }
        group
            .iter_mut()
            .filter(|of| **of == one)
            .for_each(|of| *of = other);
        joined += 1;
    }
    (joined == switches).then_some(excess)
}

/// Reports whether the cables that are up and not blocked form a tree that connects the switches.
fn is_tree(network: &Network, switches: usize) -> bool {
    let is_open =
        |cable: &&Cable| cable.is_up && !cable.ends.iter().any(|end| network.is_blocked(*end));
    excess(switches, network.cables.iter().filter(is_open)) == Some(0)
}

/// The result of a network that has settled.
struct Settled {
    blocks: usize,
    storm: Duration,
}

fn settle(network: &mut Network, switches: usize, seed: u64) -> Settled {
    let start = network.now;
    network.blocked.clear();
    network.ping_for(Duration::from_secs(2), STEP);
    let mut tries = 0;
    while !is_tree(network, switches) {
        tries += 1;
        assert!(
            tries < 15,
            "seed {seed}: not settled, blocked {:?}, freed {:?}, cables {:?}, probes {}, dropped {:?}, busy until {:?} of {:?}",
            network.blocks(),
            network.freed,
            network
                .cables
                .iter()
                .map(|cable| (cable.ends, cable.is_up))
                .collect::<Vec<_>>(),
            network.probes,
            network.dropped,
            network.busy_until,
            network.now,
        );
        network.ping_for(Duration::from_secs(1), STEP);
    }
    Settled {
        blocks: network.blocked.len(),
        storm: network.busy_until.since(start),
    }
}

/// Checks that for a minute no ping is lost and nothing changes.
fn stays(network: &mut Network, seed: u64) {
    let (before, count) = (network.blocks(), network.blocked.len());
    let (sent, answered) = network.ping_for(Duration::from_secs(60), STEP * 5);
    assert_eq!(sent, answered, "seed {seed}: pings and answers");
    assert_eq!(network.blocks(), before, "seed {seed}");
    assert_eq!(network.blocked.len(), count, "seed {seed}");
}

/// Fails one link that carries frames, and checks that all hosts reach each other again.
fn fail_one(network: &mut Network, switches: usize, seed: u64) {
    let without = |cable: usize| {
        let all = network.cables.iter().enumerate();
        let others = all.filter(move |(other, _)| *other != cable);
        others.map(|(_, cable)| cable)
    };
    let may_fail: Vec<_> = (0..network.cables.len())
        .filter(|cable| {
            let mut ends = network.cables[*cable].ends.iter();
            !ends.any(|end| network.is_blocked(*end)) && excess(switches, without(*cable)).is_some()
        })
        .collect();
    let cable = *may_fail.choose(&mut network.random).unwrap();
    network.set_cable(cable, false);
    network.ping_for(Duration::from_secs(8), STEP * 5);
    settle(network, switches, seed);
    let (sent, answered) = network.ping_for(Duration::from_secs(5), STEP * 5);
    assert_eq!(
        sent, answered,
        "seed {seed}: after cable {cable} has failed"
    );
}

fn ring(switches: usize) -> Vec<(usize, usize)> {
    (0..switches)
        .map(|one| (one, (one + 1) % switches))
        .collect()
}

#[test]
fn exactly_one_port_of_a_ring_is_blocked_whichever_switch_detects_it_first() {
    let (mut longest, mut blocks, mut count) = (Duration::ZERO, 0, 0);
    for seed in seeds(20) {
        for switches in 2..=6 {
            let mut network = Network::new(seed);
            build(&mut network, switches, &ring(switches));
            let settled = settle(&mut network, switches, seed);
            assert_eq!(
                settled.blocks, 1,
                "seed {seed}, {switches} switches: {:?}",
                network.blocked
            );
            longest = longest.max(settled.storm);
            blocks += settled.blocks;
            count += 1;
            if seed % 10 == 0 {
                stays(&mut network, seed);
                fail_one(&mut network, switches, seed);
            }
        }
    }
    assert_eq!(blocks, count);
    assert!(
        longest < Duration::from_millis(300),
        "a storm of {longest:?}"
    );
}

#[test]
fn several_cables_between_two_switches_are_left_with_one_crossed_or_not() {
    for seed in seeds(15) {
        for cables in 2..=4 {
            let mut network = Network::new(seed);
            build(&mut network, 2, &vec![(0, 1); cables]);
            let settled = settle(&mut network, 2, seed);
            assert_eq!(
                settled.blocks,
                cables - 1,
                "seed {seed}: {:?}",
                network.blocked
            );
            if seed % 10 == 0 {
                stays(&mut network, seed);
                fail_one(&mut network, 2, seed);
            }
        }
    }
}

#[test]
fn any_network_of_switches_is_left_with_a_tree() {
    for seed in seeds(15) {
        let mut network = Network::new(seed);
        let switches = network.random.random_range(3..=6);
        let mut cables: Vec<_> = (1..switches)
            .map(|switch| (network.random.random_range(0..switch), switch))
            .collect();
        for _ in 0..network.random.random_range(1..=4) {
            let one = network.random.random_range(0..switches);
            let other = (one + network.random.random_range(1..switches)) % switches;
            cables.push((one, other));
        }
        build(&mut network, switches, &cables);
        settle(&mut network, switches, seed);
        stays(&mut network, seed);
        fail_one(&mut network, switches, seed);
    }
}

#[test]
fn a_loop_through_bridges_without_protection_is_broken_too() {
    for seed in seeds(10) {
        let mut network = Network::new(seed);
        let switches = network.random.random_range(2..=5);
        let lookers = network.random.random_range(1..switches);
        for number in 0..switches {
            let switch = if number < lookers {
                network.add_switch()
            } else {
                network.add_foreign()
            };
            network.add_host(&[switch]);
        }
        let mut order: Vec<_> = (0..switches).collect();
        order.shuffle(&mut network.random);
        for place in 0..switches {
            network.add_cable(order[place], order[(place + 1) % switches]);
        }
        let settled = settle(&mut network, switches, seed);
        assert_eq!(settled.blocks, 1, "seed {seed}: {:?}", network.blocked);
        stays(&mut network, seed);
    }
}

#[test]
fn a_switch_connected_to_a_loop_does_not_isolate_itself() {
    for seed in seeds(10) {
        let mut network = Network::new(seed);
        build(&mut network, 4, &[(0, 1), (1, 2), (1, 2), (2, 3)]);
        let settled = settle(&mut network, 4, seed);
        assert_eq!(settled.blocks, 1, "seed {seed}: {:?}", network.blocked);
        stays(&mut network, seed);
    }
}

#[test]
fn most_pings_pass_while_a_ring_is_closed() {
    let (mut all_sent, mut all_answered) = (0, 0);
    for seed in seeds(10) {
        let mut network = Network::new(seed);
        build(&mut network, 3, &ring(3));
        network.set_cable(0, false);
        network.ping_for(Duration::from_secs(2), STEP);
        network.set_cable(0, true);
        let (sent, answered) = network.ping_for(Duration::from_secs(20), STEP);
        (all_sent, all_answered) = (all_sent + sent, all_answered + answered);
    }
    let lost = f64::from(all_sent - all_answered) / f64::from(all_sent);
    println!("{all_sent} pings, {:.2} % lost", lost * 100.0);
    assert!(lost < 0.02, "{lost}");
}
