//! A seeded simulation of networks to which everything happens: frames are lost, doubled and
//! delayed, ports vanish and come back, cables make loops, hosts flood and take others' addresses.
//!
//! Meanwhile no frame may leave where it came in, or come out altered. A loop between two ports
//! must come to rest once hosts go on talking, and once all faults are over every host must reach
//! every other with each frame exactly once.
//!
//! `VSWITCH_FAULT_SEED=N` repeats one seed, `VSWITCH_FAULT_SEEDS=N` runs that many.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod network;

use network::Network;

const SEEDS: u64 = 2_000;
const ROUNDS: usize = 8;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn networks_survive_faults_and_are_whole_again_after_them() {
    let seeds = match from_environment("VSWITCH_FAULT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..from_environment("VSWITCH_FAULT_SEEDS").unwrap_or(SEEDS),
    };
    let count = seeds.end - seeds.start;
    let mut seen = network::Seen::default();
    for seed in seeds {
        let mut network = Network::new(seed);
        let outcome = (0..ROUNDS)
            .try_for_each(|_| network.round())
            .and_then(|()| network.heal());
        if let Err(wrong) = outcome {
            panic!("seed {seed}: {wrong}; repeat with VSWITCH_FAULT_SEED={seed}");
        }
        seen.add(&network.seen);
    }
    // The simulation is worth something only if all of it happens.
    let enough = |happened: u64| count < 100 || happened > count / 20;
    assert!(
        enough(seen.loops) && enough(seen.flapping) && enough(seen.storms) && enough(seen.lost),
        "{seen:?} in {count} networks"
    );
}
