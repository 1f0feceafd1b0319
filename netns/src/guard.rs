//! A guard that holds the calling thread in a namespace.
//!
//! # Theory of operation
//!
//! The network namespace belongs to a thread (setns(2)), so a guard must not change threads: it is
//! `!Send`. What to return to is not kept in the guard but on a stack of the thread, because
//! guards may be dropped in any order. The one dropped last is the one that acts: an inner guard
//! returns to where its outer one was entered, and one dropped before those above it hands its
//! place of return to the next. So after the last guard is gone the thread is where it began.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::process;

use nix::sched::{CloneFlags, setns};
use nix::sys::stat::fstat;

use crate::namespace::{Namespace, NamespaceError};

thread_local! {
    /// Where the guards of this thread return to, the outermost first.
    static RETURNS: RefCell<Vec<(u64, OwnedFd)>> = const { RefCell::new(Vec::new()) };
    static NEXT_ID: Cell<u64> = const { Cell::new(0) };
}

/// Keeps the calling thread in a namespace until it is dropped, also by a panic.
///
/// If the thread cannot return (the kernel has never been seen to refuse that) the process is
/// aborted with a message: nothing may go on in the wrong namespace. A guard that is forgotten
/// (`mem::forget`) leaves the thread where it is.
#[derive(Debug)]
#[must_use = "the thread leaves the namespace when the guard is dropped"]
pub struct Entered {
    id: u64,
    /// The thread that entered is the thread that has to return.
    not_send: PhantomData<*const ()>,
}

impl Entered {
    pub(crate) fn enter(namespace: &Namespace) -> Result<Self, NamespaceError> {
        let previous = Namespace::current()?;
        match namespace.enter_for_good() {
            // To stay where it is takes no right: not even that of entering.
            Err(_) if previous == *namespace => {}
            other => other?,
        }
        let id = NEXT_ID.replace(NEXT_ID.get() + 1);
        RETURNS.with_borrow_mut(|returns| returns.push((id, previous.into())));
        Ok(Self {
            id,
            not_send: PhantomData,
        })
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // While the thread is being torn down there is nothing left to run in any namespace.
        let _ = RETURNS.try_with(|returns| {
            let mut returns = returns.borrow_mut();
            let Some(place) = returns.iter().position(|(id, _)| *id == self.id) else {
                return;
            };
            let (_, previous) = returns.remove(place);
            match returns.get_mut(place) {
                Some((_, next)) => *next = previous,
                None => return_to(&previous),
            }
        });
    }
}

fn return_to(previous: &OwnedFd) {
    if let Err(error) = setns(previous, CloneFlags::CLONE_NEWNET)
        && !is_in(previous)
    {
        eprintln!("a thread cannot return to its network namespace ({error}): aborting");
        process::abort();
    }
}

/// Whether the thread is in that namespace anyhow.
fn is_in(namespace: &OwnedFd) -> bool {
    let Ok(current) = Namespace::current() else {
        return false;
    };
    fstat(namespace).is_ok_and(|found| current.is(found.st_dev, found.st_ino))
}
