//! Wakes a reader that has nothing to read; makes no system call while the reader is busy.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering, fence};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// Wakes a reader that may be asleep.
#[derive(Debug)]
pub(super) struct Wakeup {
    event: EventFd,
    /// Whether the reader is asleep, or about to be.
    armed: AtomicBool,
    /// Whether the reader is gone.
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

    /// Makes the writer wake the reader when there is something to read. The reader must check for
    /// earlier items after this call.
    pub(super) fn arm(&self) {
        self.armed.store(true, Ordering::Relaxed);
        // Either the writer sees the armed flag, or the reader that set it sees what the writer
        // pushed before.
        fence(Ordering::SeqCst);
    }

    pub(super) fn disarm(&self) {
        self.armed.store(false, Ordering::Relaxed);
        // Fails if the eventfd is zero.
        let _ = self.event.read();
    }

    /// Wakes the reader if it waits; called after items were pushed.
    pub(super) fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.armed.load(Ordering::Relaxed) && self.armed.swap(false, Ordering::Relaxed) {
            // Fails only if the counter is about to overflow; the reader is then awake anyway.
            let _ = self.event.write(1);
        }
    }

    /// Notes that the reader is gone.
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
    fn a_waiting_reader_is_woken_once_and_a_busy_one_is_not() {
        let wakeup = Wakeup::new().unwrap();
        wakeup.wake();
        assert!(wakeup.event.read().is_err(), "the reader does not wait");
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
