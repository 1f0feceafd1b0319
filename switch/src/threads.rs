//! Threads that are started while a program has been running for long.

use std::io;
use std::thread::{Builder, JoinHandle};

use crate::sys;

/// What a new thread needs at once, beside its stack, with something to spare.
const ROOM_BYTES: usize = 256 * 1024;

/// Starts a thread.
///
/// # Errors
/// As [`Builder::spawn`] has it, and where memory is short. A new thread of the standard library
/// panics if it finds no memory for the stack on which signals are handled, and the stack that it
/// runs on may be one that was left over: so there may be none although it could be started. That
/// memory is therefore asked for before.
pub fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    room()?;
    Builder::new().name(name.to_owned()).spawn(work)
}

/// Whether there is memory for a thread to start with, for those that are started in another way
/// than by [`spawn`].
///
/// # Errors
/// `ENOMEM`, as mmap(2) has it.
pub fn room() -> io::Result<()> {
    sys::try_map(ROOM_BYTES)
}
