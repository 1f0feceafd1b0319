//! Loops between switches, and traffic that resembles one: networks of bridges, cables and hosts in
//! simulated time.
//!
//! `VSWITCH_SIM_SEED=N` repeats one seed, `VSWITCH_SIM_SEEDS=N` runs that many of each kind.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod honest;
mod network;
mod rings;
mod single;

use std::ops::Range;

/// Returns the seeds to run: `count`, unless the environment sets another number.
fn seeds(count: u64) -> Range<u64> {
    let from_environment = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    match from_environment("VSWITCH_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..from_environment("VSWITCH_SIM_SEEDS").unwrap_or(count),
    }
}
