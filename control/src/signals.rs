//! Signals that end a daemon, as a descriptor for its loop.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// SIGTERM, SIGINT and, unless it is ignored (nohup(1)), SIGHUP.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Takes the signals from now on, in this thread and those that it starts.
    ///
    /// # Errors
    /// Where the system gives no descriptor.
    pub fn take() -> Result<Self, Errno> {
        let mut set = SigSet::empty();
        set.add(Signal::SIGTERM);
        set.add(Signal::SIGINT);
        if !hangup_is_ignored() {
            set.add(Signal::SIGHUP);
        }
        set.thread_block()?;
        SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).map(Self)
    }

    /// The descriptor that becomes readable with a signal.
    pub fn fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }

    /// Waits for one.
    ///
    /// # Errors
    /// Where the system does not let it wait.
    pub fn wait(&self) -> Result<(), Errno> {
        let mut ready = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        loop {
            match poll(&mut ready, PollTimeout::NONE) {
                Err(Errno::EINTR) => {}
                other => return other.map(drop),
            }
        }
    }

    /// The same, borrowed.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// The signals that have come, by name.
    pub fn read(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        while let Ok(Some(info)) = self.0.read_signal() {
            let signal = i32::try_from(info.ssi_signo).unwrap_or_default();
            names.push(Signal::try_from(signal).map_or("a signal", Signal::as_str));
        }
        names
    }
}

/// Whether the process was started with SIGHUP ignored (nohup(1)), and is to stay so: what is
/// blocked or handled would arrive all the same (`SigIgn` in proc(5)).
pub fn hangup_is_ignored() -> bool {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (Signal::SIGHUP as i32 - 1)) != 0)
}
