//! Starts threads in a program that has been running for long.

use std::io;
use std::thread::{Builder, JoinHandle};

use crate::sys;

/// The memory that a new thread needs at once, besides its stack, with a margin.
const ROOM_BYTES: usize = 256 * 1024;

/// Starts a thread.
///
/// # Errors
/// The errors of [`Builder::spawn`], and `ENOMEM` if memory is short. A new thread of the standard
/// library panics if it finds no memory for its signal stack. Its main stack may come from a cache,
/// so the thread can start although no memory is left. That memory is therefore checked before.
pub fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    room()?;
    Builder::new().name(name.to_owned()).spawn(work)
}

/// Checks whether there is memory for a new thread, for threads that are not started by [`spawn`].
///
/// # Errors
/// `ENOMEM`, as from mmap(2).
pub fn room() -> io::Result<()> {
    sys::try_map(ROOM_BYTES)
}
