//! A seeded simulation: several switches and many hosts on ports in memory.
//!
//! Each seed makes a tree of switches with hosts at its leaves and branches, and then a history:
//! hosts send frames of every kind, switches get their turns in random order, stations move,
//! links fail and return, time passes. After every round the ledger is balanced:
//!
//! - no frame comes out where it went in, none comes out twice, none overtakes another;
//! - every frame that comes out is, byte for byte, one that went in;
//! - every frame that does not come out where it should was counted as dropped, for a reason,
//!   and no more are missing than the counted drops explain;
//! - what a port says it sent is what came out of its cable.
//!
//! `VSWITCH_SIM_SEED=N` repeats one seed, `VSWITCH_SIM_SEEDS=N` runs that many.

mod frames;
mod ledger;
mod network;

use network::Network;

const SEEDS: u64 = 300;
const ROUNDS: usize = 60;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn networks_of_switches_lose_nothing_uncounted() {
    let seeds = match from_environment("VSWITCH_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..from_environment("VSWITCH_SIM_SEEDS").unwrap_or(SEEDS),
    };
    let mut delivered = 0;
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let mut network = Network::new(seed);
        for round in 0..ROUNDS {
            network.act();
            network.settle();
            if let Err(wrong) = network.balance() {
                panic!("seed {seed}, round {round}: {wrong}; repeat with VSWITCH_SIM_SEED={seed}");
            }
        }
        delivered += network.delivered();
    }
    assert!(
        delivered > count * 100,
        "{delivered} frames in {count} networks: the simulation simulates nothing"
    );
}
