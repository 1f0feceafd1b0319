//! Exit statuses.

/// What was asked for could not be done.
pub const FAILURE: u8 = 1;

/// The program has a fault: a thread of it has panicked (`EX_SOFTWARE`, sysexits(3)).
pub const FAULT: u8 = 70;

/// The system has failed a switch that ran (`EX_OSERR`).
pub const SYSTEM: u8 = 71;

/// What a shell adds to the number of a signal to make an exit status of it.
const SIGNALLED: u8 = 128;

/// The exit status of a command that a signal has ended, from the signal's number.
pub fn signalled(signal: i32) -> u8 {
    SIGNALLED.saturating_add(u8::try_from(signal).unwrap_or(0))
}
