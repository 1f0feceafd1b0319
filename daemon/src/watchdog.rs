//! The manager's watchdog, fed by the thread that moves frames.
//!
//! Theory of operation. A timer wakes the control loop a few times in each of the manager's
//! periods. It has the switch's thread tell the manager, between two batches, that all is well. So
//! the manager hears it only as long as both threads do their work; if one hangs, it ends the
//! process and starts it anew (`WatchdogSec=` in systemd.service(5)).

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use vswitch_switch::Handle;

use super::Notifier;

/// How often in each period it is fed.
const TIMES: u32 = 3;

/// What wakes the control loop, and whom to tell.
#[derive(Debug)]
pub(super) struct Watchdog {
    timer: TimerFd,
    manager: Notifier,
}

impl Watchdog {
    /// `None` where no manager watches.
    ///
    /// # Errors
    /// Where the system gives no timer.
    pub(super) fn start(manager: &Notifier) -> io::Result<Option<Self>> {
        let Some(period) = manager.watchdog() else {
            return Ok(None);
        };
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        let often = Expiration::Interval(TimeSpec::from_duration(period / TIMES));
        timer.set(often, TimerSetTimeFlags::empty())?;
        Ok(Some(Self {
            timer,
            manager: manager.clone(),
        }))
    }

    pub(super) fn fd(&self) -> RawFd {
        self.timer.as_fd().as_raw_fd()
    }

    /// It is time to say that all is well.
    pub(super) fn feed(&self, switch: &Handle) {
        // How often it has rung is of no interest.
        let mut count = [0; 8];
        let _ = nix::unistd::read(&self.timer, &mut count);
        let manager = self.manager.clone();
        // A switch that has ended says nothing.
        let _ = switch.post(move || manager.alive());
    }
}
