//! A seeded simulation: several switches and many hosts on ports in memory.
//!
//! Each seed creates a tree of switches with hosts at its leaves and branches, and then a history:
//! hosts send frames of every kind, switches run in random order, stations move, links fail and
//! return, time passes. After every round the ledger checks:
//!
//! - no frame arrives at its sender, none arrives twice, none overtakes another;
//! - every frame that arrives is, byte for byte, one that was sent;
//! - every frame that does not arrive where it should was counted as dropped, for a reason, and no
//!   more are missing than the counted drops explain;
//! - the frames that a port reports as sent are those that left its cable.
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
        "{delivered} frames in {count} networks: the simulation delivered no frames"
    );
}
