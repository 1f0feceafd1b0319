//! Waiting for the process that goes on.
//!
//! A shell, a terminal or a simple supervisor waits for the process that it has started, and takes
//! its end for the end of the switch. So that process stays after a restart, without anything of
//! the switch's: it passes signals on, and ends as the last of its successors does. They hold the
//! other end of a pair of sockets, over which they tell who they are; if it closes, nobody is left.
//! If the waiter is killed, they end, and leave all to the next `vswitch run`.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use vswitch_control::exit;
use vswitch_control::signals::Signals;

/// How often to see whether some other process has ended.
const INTERVAL: u16 = 5000;
/// How long the kernel may take to hand over a child whose parent has ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// The waiter's end.
#[derive(Debug)]
pub(crate) struct Waiter(OwnedFd);

/// The end of the process that runs.
#[derive(Debug)]
pub(crate) struct Herald(OwnedFd);

/// What a waiter has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// A signal was sent to it.
    Signal(Signal),
    /// It is gone.
    Gone,
}

impl Waiter {
    /// Both ends.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let (ours, its) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
        Ok((Self(ours), its))
    }

    /// Waits for the last of the processes that go on, of which `pid` is the first; gives its exit
    /// status.
    pub(crate) fn wait(&self, pid: Pid, signals: &Signals) -> u8 {
        let mut current = pid;
        loop {
            let mut ready = [
                PollFd::new(signals.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.0.as_fd(), PollFlags::POLLIN),
            ];
            // Fails only by being interrupted.
            let _ = poll(&mut ready, PollTimeout::from(INTERVAL));
            for signal in signals.read() {
                if let Ok(signal) = signal.parse::<Signal>() {
                    let number = [u8::try_from(signal as i32).unwrap_or_default()];
                    // Fails where nobody is left, as is seen next.
                    let _ = send(self.0.as_raw_fd(), &number, MsgFlags::MSG_NOSIGNAL);
                }
            }
            let mut said = [0; 4];
            loop {
                match recv(self.0.as_raw_fd(), &mut said, MsgFlags::empty()) {
                    Ok(4) => current = Pid::from_raw(i32::from_ne_bytes(said)),
                    Err(Errno::EAGAIN) => break,
                    Err(Errno::EINTR) | Ok(1..) => {}
                    Ok(0) | Err(_) => return status_of(current),
                }
            }
            reap_others(current);
        }
    }
}

/// Takes note of the end of whoever else was left to this process: those that helped.
fn reap_others(current: Pid) {
    use nix::sys::wait::{Id, waitid};
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    while let Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..)) =
        waitid(Id::All, flags)
    {
        if pid == current || waitpid(pid, Some(WaitPidFlag::WNOHANG)).is_err() {
            return;
        }
    }
}

/// The exit status of a process that is ending.
fn status_of(pid: Pid) -> u8 {
    let end = Instant::now() + PATIENCE;
    loop {
        match waitpid(pid, None) {
            Ok(WaitStatus::Exited(_, code)) => return u8::try_from(code).unwrap_or(exit::FAILURE),
            Ok(WaitStatus::Signaled(_, signal, _)) => return exit::signalled(signal as i32),
            // Not yet a child of this one.
            Err(Errno::ECHILD) if Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(Errno::EINTR) | Ok(_) => {}
            Err(_) => return exit::FAILURE,
        }
    }
}

impl Herald {
    /// Tells the waiter, if it is there, that this process is the one to wait for.
    pub(crate) fn introduce(&self) {
        let pid = std::process::id().cast_signed().to_ne_bytes();
        if let Err(errno) = send(self.0.as_raw_fd(), &pid, MsgFlags::MSG_NOSIGNAL) {
            log::warn!("cannot tell the process that waits: {errno}");
        }
    }

    /// What the waiter says, until it says nothing more.
    pub(crate) fn listen(&self) -> Option<Said> {
        let mut said = [0];
        loop {
            match recv(self.0.as_raw_fd(), &mut said, MsgFlags::empty()) {
                Ok(1) => {
                    let signal = Signal::try_from(i32::from(said[0]));
                    return Some(Said::Signal(signal.unwrap_or(Signal::SIGTERM)));
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return None,
                _ => return Some(Said::Gone),
            }
        }
    }
}

impl AsFd for Herald {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Herald {
    fn from(descriptor: OwnedFd) -> Self {
        Self(descriptor)
    }
}
