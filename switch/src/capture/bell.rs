//! How the forwarding thread wakes a reader that has nothing to read, without a system call
//! where that one is busy.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering, fence};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// A bell for one who may sleep.
#[derive(Debug)]
pub(super) struct Bell {
    event: EventFd,
    /// Whether somebody sleeps, or is about to.
    armed: AtomicBool,
    /// Whether nobody will listen any more.
    ended: AtomicBool,
}

impl Bell {
    pub(super) fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
        Ok(Self {
            event: EventFd::from_flags(flags)?,
            armed: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        })
    }

    /// From now on the bell rings for what there is to read. What was there before is to be
    /// looked for after this call.
    pub(super) fn arm(&self) {
        self.armed.store(true, Ordering::Relaxed);
        // Either the one who rings sees that it is armed, or the one who armed it sees what the
        // other has put there before.
        fence(Ordering::SeqCst);
    }

    pub(super) fn disarm(&self) {
        self.armed.store(false, Ordering::Relaxed);
        // Fails where it did not ring.
        let _ = self.event.read();
    }

    /// Rings for what was put there before, if anybody waits.
    pub(super) fn ring(&self) {
        fence(Ordering::SeqCst);
        if self.armed.load(Ordering::Relaxed) && self.armed.swap(false, Ordering::Relaxed) {
            // Fails only where it has rung more often than a reader could ever have missed.
            let _ = self.event.write(1);
        }
    }

    /// Tells the other side that nobody listens any more.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rings_once_and_only_for_one_who_waits() {
        let bell = Bell::new().unwrap();
        bell.ring();
        assert!(bell.event.read().is_err(), "nobody waits");
        bell.arm();
        bell.ring();
        bell.ring();
        assert_eq!(bell.event.read(), Ok(1));
        bell.arm();
        bell.ring();
        bell.disarm();
        assert!(bell.event.read().is_err(), "the wait is over");
    }
}
