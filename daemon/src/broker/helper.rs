//! One of the processes that do what the switch may not, as the switch sees it.

use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;
use rustix::net::RecvFlags;

use super::message::{Answer, Request};
use super::sys;

/// How long a process that has closed its socket may take until it can be waited for. It is ending.
const LAST_MS: u32 = 200;

/// How a helper is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// It waits to be asked.
    Well,
    /// It has not answered the last request yet.
    Busy,
    /// It was stopped by a signal.
    Stopped,
    /// It has ended.
    Ended,
}

/// Why a helper has given no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It has ended.
    Ended,
    /// It did not answer in time.
    Late,
    /// It says something that is not an answer.
    Nonsense,
    /// The system refused.
    System(Errno),
}

/// What was asked for, and what was answered too late, with the descriptors that came along.
pub(super) type Late = (Request, Answer, Vec<OwnedFd>);

/// A helper, with the switch's end of the way to it.
#[derive(Debug)]
pub(super) struct Helper {
    /// Stays open when the helper has ended: those who poll know it by its number.
    socket: OwnedFd,
    pid: Pid,
    /// What was asked for and not answered in time.
    owed: RefCell<Option<Request>>,
    has_ended: Cell<bool>,
    /// Whether that was told.
    is_told: Cell<bool>,
    /// Whether it was waited for, so that its number may be another's.
    is_reaped: Cell<bool>,
}

impl Helper {
    pub(super) const fn on(socket: OwnedFd, pid: Pid) -> Self {
        Self {
            socket,
            pid,
            owed: RefCell::new(None),
            has_ended: Cell::new(false),
            is_told: Cell::new(false),
            is_reaped: Cell::new(false),
        }
    }

    pub(super) const fn pid(&self) -> Pid {
        self.pid
    }

    /// Readable when it says something unasked, which is an answer that comes late, or has ended.
    pub(super) fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Another descriptor of the way to it.
    pub(super) fn another_way(&self) -> std::io::Result<OwnedFd> {
        self.socket.try_clone()
    }

    /// How it is at this moment. Never waits.
    pub(super) fn health(&self) -> Health {
        if self.has_ended.get() {
            self.reap();
            return Health::Ended;
        }
        // Nothing is taken away: the process may be looked at again and again.
        let flags = WaitPidFlag::WEXITED
            | WaitPidFlag::WSTOPPED
            | WaitPidFlag::WNOHANG
            | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(self.pid), flags) {
            Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => {
                self.has_ended.set(true);
                self.reap();
                Health::Ended
            }
            Ok(WaitStatus::Stopped(..)) => Health::Stopped,
            _ if self.owed.borrow().is_some() => Health::Busy,
            _ => Health::Well,
        }
    }

    /// Asks, and waits for the answer, for so long.
    pub(super) fn ask(
        &self,
        request: Request,
        descriptors: &[BorrowedFd<'_>],
        patience: Duration,
    ) -> Result<(Answer, Vec<OwnedFd>), Failure> {
        let deadline = Instant::now() + patience;
        self.tell(&request, descriptors)?;
        self.owed.replace(Some(request));
        self.receive(deadline)
    }

    /// Sends a request. One that is not read does not hold the switch up.
    pub(super) fn tell(
        &self,
        request: &Request,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), Failure> {
        sys::send(self.socket.as_fd(), &request.encode(), descriptors).map_err(|errno| {
            let failure = failure(errno);
            if failure == Failure::Ended {
                self.has_ended.set(true);
            }
            failure
        })
    }

    /// Takes the answer that came too late, if one was owed and comes within `patience`.
    pub(super) fn settle(&self, patience: Duration) -> Option<Late> {
        let request = self.owed.borrow().clone()?;
        let (answer, descriptors) = self.receive(Instant::now() + patience).ok()?;
        Some((request, answer, descriptors))
    }

    /// Takes what has come unasked: the answer that was owed, if it is one. What it was owed for
    /// comes along.
    pub(super) fn notice(&self) -> Option<Late> {
        if self.has_ended.get() {
            return None;
        }
        let request = self.owed.borrow().clone();
        let (answer, descriptors) = self.take(RecvFlags::DONTWAIT).ok()?;
        Some((request?, answer, descriptors))
    }

    /// Whether it has ended and nobody was told yet.
    pub(super) fn is_news(&self) -> bool {
        if self.health() != Health::Ended || self.is_told.replace(true) {
            return false;
        }
        self.await_end(LAST_MS);
        true
    }

    /// Waits for the answer that is owed, until then.
    fn receive(&self, deadline: Instant) -> Result<(Answer, Vec<OwnedFd>), Failure> {
        let left = deadline.saturating_duration_since(Instant::now());
        // Zero would be for ever.
        let left = i64::try_from(left.as_millis()).unwrap_or(i64::MAX).max(1);
        let left = TimeVal::milliseconds(left);
        setsockopt(&self.socket, sockopt::ReceiveTimeout, &left).map_err(failure)?;
        self.take(RecvFlags::empty())
    }

    fn take(&self, flags: RecvFlags) -> Result<(Answer, Vec<OwnedFd>), Failure> {
        let received = sys::receive(self.socket.as_fd(), flags).map_err(failure);
        let received = match received {
            Ok((bytes, _)) if bytes.is_empty() => Err(Failure::Ended),
            other => other,
        };
        match received {
            Err(Failure::Late) => {}
            Err(Failure::Ended) => {
                self.owed.take();
                self.has_ended.set(true);
            }
            _ => drop(self.owed.take()),
        }
        let (bytes, descriptors) = received?;
        let answer = Answer::decode(&bytes).ok_or(Failure::Nonsense)?;
        Ok((answer, descriptors))
    }

    /// Has it end: it hears that nobody is there any more.
    pub(super) fn dismiss(&self) {
        // The guard allows to shut this direction alone.
        let _ = nix::sys::socket::shutdown(self.fd(), nix::sys::socket::Shutdown::Write);
    }

    /// Waits for its end, for so long at most.
    pub(super) fn await_end(&self, patience_ms: u32) {
        for _ in 0..patience_ms {
            if self.reap() {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Takes note of its end, so that nothing is left of it; whether it has ended.
    fn reap(&self) -> bool {
        if !self.is_reaped.get() {
            let alive = matches!(
                waitpid(self.pid, Some(WaitPidFlag::WNOHANG)),
                Ok(WaitStatus::StillAlive) | Err(Errno::EINTR)
            );
            self.is_reaped.set(!alive);
        }
        self.is_reaped.get()
    }
}

fn failure(errno: Errno) -> Failure {
    match errno {
        Errno::EAGAIN => Failure::Late,
        Errno::EPIPE | Errno::ECONNRESET => Failure::Ended,
        other => Failure::System(other),
    }
}
