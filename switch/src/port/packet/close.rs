//! Closes the sockets of a port without waiting for the kernel.
//!
//! # Theory of operation
//!
//! Closing a packet socket blocks until every CPU has noticed (`synchronize_net` in
//! `packet_release`, and again for a ring): 50 ms and more for a port. A thread waits for that
//! instead. It gets duplicates of the sockets' descriptors and keeps them until the port has closed
//! its own, which the end of a channel signals, so that the thread is the one that closes the
//! sockets. Several ports that are closed at the same time share the same grace periods.
//!
//! The lock on the interface is released at once, so the interface can be opened again meanwhile.
//! The closed sockets still get copies of its frames for a moment; these are never read.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Sender, bounded};

use crate::threads;

/// How many threads may wait at the same time; further ports wait themselves.
const MOST: usize = 64;
/// How many threads are waiting.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Keeps a thread from closing the sockets until it is dropped itself; must be the last field of a
/// port.
#[derive(Debug, Default)]
pub(super) struct Closing(Option<Sender<()>>);

impl Closing {
    /// Makes a thread close these sockets once this value is dropped. If the process has no
    /// descriptor or thread left, dropping the port waits.
    pub(super) fn begin(&mut self, sockets: [&dyn AsFd; 2]) {
        let Some(turn) = Turn::take() else { return };
        let duplicates: Result<Vec<OwnedFd>, _> = sockets
            .into_iter()
            .map(|socket| socket.as_fd().try_clone_to_owned())
            .collect();
        let Ok(duplicates) = duplicates else { return };
        let (last, closed) = bounded(0);
        let close = move || {
            // Nothing is ever sent: it returns when the other end is dropped.
            let _ = closed.recv();
            drop(duplicates);
            drop(turn);
        };
        match threads::spawn("close", close) {
            Ok(_) => self.0 = Some(last),
            Err(error) => log::debug!("no thread to close a port: {error}"),
        }
    }
}

/// The permission for one more thread.
struct Turn;

impl Turn {
    fn take() -> Option<Self> {
        let before = WAITING.fetch_add(1, Ordering::Relaxed);
        // Released at once if it exceeds the limit.
        Some(Self).filter(|_| before < MOST)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, PipeReader, Read};

    use super::*;

    /// Waits until the other end of a pipe is closed everywhere.
    fn wait_for_end(mut reader: PipeReader) {
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn a_thread_closes_once_the_port_has() {
        let (reader, writer) = io::pipe().unwrap();
        let mut closing = Closing::default();
        closing.begin([&writer, &writer]);
        drop((writer, closing));
        wait_for_end(reader);
    }

    #[test]
    fn beyond_the_limit_whoever_drops_closes() {
        let turns: Vec<_> = std::iter::from_fn(Turn::take).collect();
        assert!(turns.len() <= MOST);
        let (reader, writer) = io::pipe().unwrap();
        let mut closing = Closing::default();
        closing.begin([&writer, &writer]);
        assert!(closing.0.is_none());
        drop(writer);
        wait_for_end(reader);
        drop(turns);
        assert!(Turn::take().is_some());
    }
}
