//! What every integration test stands on: namespaces of its own, frames, transfers, pings.

pub(crate) mod devices;
pub(crate) mod engine;
pub(crate) mod environment;
pub(crate) mod icmp;
pub(crate) mod isolation;
pub(crate) mod packet;
pub(crate) mod patience;
pub(crate) mod ports;
pub(crate) mod program;
pub(crate) mod rpc;
pub(crate) mod selftest;
pub(crate) mod stage;
pub(crate) mod station;
pub(crate) mod sys;
pub(crate) mod tally;
pub(crate) mod traffic;
pub(crate) mod transfer;

use std::thread;
use std::time::{Duration, Instant};

pub(crate) use isolation::isolated;
pub(crate) use patience::{A_WHILE, PATIENCE};

/// Waits until `condition` holds, and says whether it did before `deadline` had passed.
pub(crate) fn wait_until(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + deadline;
    while !condition() {
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
    true
}
