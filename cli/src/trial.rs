//! What fuzzers and tests call with bytes of any kind; no part of any interface.
//!
//! Each is an ordinary function that panics where something is wrong: `fuzz/` calls it without
//! end, `tests/trials` with a fixed corpus and with seeded random bytes.

pub use crate::measure::no_loss::schedule::{Next, Schedule};

/// What a client might write to the control socket.
pub fn control(bytes: &[u8]) {
    vswitch_daemon::trial::control(bytes);
}

/// What might be a state file.
pub fn state(bytes: &[u8]) {
    vswitch_daemon::trial::state_file(bytes);
}

/// What might be a lab file.
pub fn lab_file(bytes: &[u8]) {
    vswitch_lab::trial::lab_file(bytes);
}

/// What might be a capture: a stream of blocks, or the bytes of a frame, put in words.
pub fn capture(bytes: &[u8]) {
    crate::commands::capture::trial::capture(bytes);
}
