//! How the forwarding thread wakes a reader that has nothing to read, without a system call
//! where that one is busy.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering, fence};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// Wakes a reader that may sleep.
#[derive(Debug)]
pub(super) struct Wakeup {
    event: EventFd,
    /// Whether the reader sleeps, or is about to.
    armed: AtomicBool,
    /// Whether there is no reader any more.
    ended: AtomicBool,
}

impl Wakeup {
    pub(super) fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
        Ok(Self {
            event: EventFd::from_flags(flags)?,
            armed: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        })
    }

    /// From now on the reader is woken when there is something to read. What was there before
    /// is to be looked for after this call.
    pub(super) fn arm(&self) {
        self.armed.store(true, Ordering::Relaxed);
        // Either the writer sees that it is armed, or the reader that armed it sees what the
        // other has put there before.
        fence(Ordering::SeqCst);
    }

    pub(super) fn disarm(&self) {
        self.armed.store(false, Ordering::Relaxed);
        // Fails where nothing was written.
        let _ = self.event.read();
    }

    /// Wakes the reader for what was put there before, if it waits.
    pub(super) fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.armed.load(Ordering::Relaxed) && self.armed.swap(false, Ordering::Relaxed) {
            // Fails only where it has been woken more often than any reader could miss.
            let _ = self.event.write(1);
        }
    }

    /// Tells the other side that there is no reader any more.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

impl AsFd for Wakeup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_wakes_once_and_only_one_who_waits() {
        let wakeup = Wakeup::new().unwrap();
        wakeup.wake();
        assert!(wakeup.event.read().is_err(), "nobody waits");
        wakeup.arm();
        wakeup.wake();
        wakeup.wake();
        assert_eq!(wakeup.event.read(), Ok(1));
        wakeup.arm();
        wakeup.wake();
        wakeup.disarm();
        assert!(wakeup.event.read().is_err(), "the wait is over");
    }
}
