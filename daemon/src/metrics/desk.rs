//! Where the control loop is asked for what the metrics tell.
//!
//! The thread that serves metrics holds no connection to the control socket, and needs none: it asks
//! through a descriptor that wakes the control loop, one question at a time, and hears the answer
//! through a channel. So scrapers cost the control loop one `show` after the other at most, however many
//! they are.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use mio::Waker;
use nix::sys::eventfd::{EfdFlags, EventFd};

use vswitch_control::protocol::SwitchView;

/// What the control loop said: a view, or that there is none now.
pub(super) type Told = Result<Box<SwitchView>, ()>;

/// The side that asks.
#[derive(Debug)]
pub(super) struct Asker {
    wanted: Arc<EventFd>,
    views: Receiver<Told>,
}

/// The side that tells.
#[derive(Debug)]
pub(super) struct Desk {
    wanted: Arc<EventFd>,
    views: Sender<Told>,
    waker: Arc<Waker>,
}

/// Both sides; `waker` wakes the one that asks.
///
/// # Errors
/// Where the system gives no descriptor.
pub(super) fn desk(waker: Arc<Waker>) -> io::Result<(Asker, Desk)> {
    let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
    let wanted = Arc::new(EventFd::from_flags(flags)?);
    let (sender, views) = bounded(1);
    let asker = Asker {
        wanted: Arc::clone(&wanted),
        views,
    };
    let desk = Desk {
        wanted,
        views: sender,
        waker,
    };
    Ok((asker, desk))
}

impl Asker {
    /// Asks once.
    pub(super) fn ask(&self) {
        // Fails only where it was asked 2^64 times without an answer.
        let _ = self.wanted.write(1);
    }

    /// What came of it, if anything has.
    pub(super) fn told(&self) -> Option<Told> {
        self.views.try_recv().ok()
    }
}

impl Desk {
    /// Readable when somebody has asked.
    pub(super) fn fd(&self) -> RawFd {
        self.wanted.as_fd().as_raw_fd()
    }

    /// Whether somebody has asked since this was called last.
    pub(super) fn is_asked(&self) -> bool {
        self.wanted.read().is_ok()
    }

    /// Answers.
    pub(super) fn tell(&self, view: Option<SwitchView>) {
        // Never full: nobody asks twice before the first answer.
        let _ = self.views.try_send(view.map(Box::new).ok_or(()));
        let _ = self.waker.wake();
    }
}
