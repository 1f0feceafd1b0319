//! Requests to a broker that take long: the control loop repeats the request once its answer is there.
//!
//! The control loop must not wait as long as a client may. So a request for a namespace that is not answered at
//! once is left with its helper, and what has come of it is kept for the one that makes the same request again.

use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use nix::sys::stat::fstat;

use super::helper::Failure;
use super::message::{Answer, Request};

/// What a helper has answered, with the descriptors that came along.
pub(super) type Outcome = Result<(Answer, Vec<OwnedFd>), Failure>;

/// What is asked for, by which its answer is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A namespace by its name; whether it may be made.
    Named(String, bool),
    /// One that was passed along, by device and inode.
    Passed(u64, u64),
}

impl Wanted {
    pub(super) fn of(request: &Request, passed: Option<&impl AsFd>) -> Option<Self> {
        match request {
            Request::Open { name, create, .. } => Some(Self::Named(name.clone(), *create)),
            Request::Adopt { .. } => {
                let found = fstat(passed?).ok()?;
                Some(Self::Passed(found.st_dev, found.st_ino))
            }
            _ => None,
        }
    }
}

#[derive(Debug, Default)]
enum State {
    /// Nothing is under way.
    #[default]
    Idle,
    /// This helper has not answered.
    Waiting(usize, Wanted, Instant),
    /// It has.
    Answered(usize, Wanted, Outcome),
}

/// The one request that may take long.
#[derive(Debug, Default)]
pub(super) struct Later {
    state: RefCell<State>,
    /// Whether it may be put off at the moment.
    pub(super) is_allowed: Cell<bool>,
    /// Whether one was put off since this was asked.
    was_put_off: Cell<bool>,
    /// Whether what was put off is to be tried again.
    is_due: Cell<bool>,
}

impl Later {
    /// What has come of it, and who has answered.
    pub(super) fn take(&self, wanted: &Wanted) -> Option<(usize, Outcome)> {
        let mut state = self.state.borrow_mut();
        match &*state {
            State::Answered(_, answered, _) if answered == wanted => {}
            _ => return None,
        }
        match std::mem::take(&mut *state) {
            State::Answered(index, _, outcome) => Some((index, outcome)),
            _ => None,
        }
    }

    /// What nobody has come for.
    pub(super) fn take_rest(&self) -> Option<(usize, Wanted, Outcome)> {
        let mut state = self.state.borrow_mut();
        if !matches!(&*state, State::Answered(..)) {
            return None;
        }
        // Others may have been put off because of it.
        self.is_due.set(true);
        match std::mem::take(&mut *state) {
            State::Answered(index, wanted, outcome) => Some((index, wanted, outcome)),
            _ => None,
        }
    }

    /// This helper is to answer before then.
    pub(super) fn wait(&self, index: usize, wanted: Wanted, deadline: Instant) {
        self.state.replace(State::Waiting(index, wanted, deadline));
        self.put_off();
    }

    /// Something is under way: the request is to be made again.
    pub(super) fn put_off(&self) {
        self.was_put_off.set(true);
    }

    /// Whether a request was put off, since this was asked last.
    pub(super) fn take_put_off(&self) -> bool {
        self.was_put_off.take()
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(&*self.state.borrow(), State::Idle)
    }

    /// Whether this helper is being waited for.
    pub(super) fn is_waiting_for(&self, index: usize) -> bool {
        matches!(&*self.state.borrow(), State::Waiting(helper, ..) if *helper == index)
    }

    /// When it is given up, or what was put off is to be tried again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &*self.state.borrow() {
            _ if self.is_due.get() => Some(Instant::now()),
            State::Waiting(_, _, deadline) => Some(*deadline),
            _ => None,
        }
    }

    /// The helper that is waited for has answered, or will not.
    pub(super) fn answered(&self, outcome: Outcome) {
        let mut state = self.state.borrow_mut();
        *state = match std::mem::take(&mut *state) {
            State::Waiting(index, wanted, _) => State::Answered(index, wanted, outcome),
            other => other,
        };
        self.is_due.set(true);
    }

    /// The helper that is waited for has ended: another one is asked.
    pub(super) fn lost(&self) {
        self.state.take();
        self.is_due.set(true);
    }

    /// Whether what was put off is to be tried again, since this was asked last.
    pub(super) fn take_due(&self) -> bool {
        if self.deadline().is_some_and(|end| Instant::now() >= end) && !self.is_due.get() {
            self.answered(Err(Failure::Late));
        }
        self.is_due.take()
    }
}
