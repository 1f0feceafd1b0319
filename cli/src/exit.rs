//! Exit statuses.

/// What a shell adds to the number of a signal to make an exit status of it.
const SIGNALLED: u8 = 128;

/// The exit status of a command that a signal has ended, from the signal's number.
pub(crate) fn signalled(signal: i32) -> u8 {
    SIGNALLED.saturating_add(u8::try_from(signal).unwrap_or(0))
}
