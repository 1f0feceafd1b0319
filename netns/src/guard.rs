//! A guard that keeps the calling thread in a namespace.
//!
//! # Theory of operation
//!
//! The network namespace is an attribute of a thread (setns(2)), so a guard must not move to
//! another thread: it is `!Send`. The namespace to return to is not stored in the guard but on a
//! stack per thread, because guards may be dropped in any order. Dropping the innermost guard
//! returns the thread to the namespace from which that guard was entered. Dropping an outer guard
//! first passes its return namespace to the guard above it. So after the last guard is dropped, the
//! thread is in its original namespace.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::process;

use nix::sched::{CloneFlags, setns};
use nix::sys::stat::fstat;

use crate::namespace::{Namespace, NamespaceError};

thread_local! {
    /// The namespaces to which the guards of this thread return, the outermost first.
    static RETURNS: RefCell<Vec<(u64, OwnedFd)>> = const { RefCell::new(Vec::new()) };
    static NEXT_ID: Cell<u64> = const { Cell::new(0) };
}

/// Keeps the calling thread in a namespace until the guard is dropped, also by a panic.
///
/// If the thread cannot return (the kernel has never been seen to refuse it), the process aborts
/// with a message: no code may run in the wrong namespace. A forgotten guard (`mem::forget`) leaves
/// the thread where it is.
#[derive(Debug)]
#[must_use = "the thread leaves the namespace when the guard is dropped"]
pub struct Entered {
    id: u64,
    /// The thread that entered the namespace must also be the one that returns.
    not_send: PhantomData<*const ()>,
}

impl Entered {
    pub(crate) fn enter(namespace: &Namespace) -> Result<Self, NamespaceError> {
        let previous = Namespace::current()?;
        match namespace.enter_for_good() {
            // Entering the thread's current namespace must succeed without any capability.
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
        // While the thread's locals are being destroyed, no more code runs in any namespace.
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

/// Reports whether the thread is already in that namespace.
fn is_in(namespace: &OwnedFd) -> bool {
    let Ok(current) = Namespace::current() else {
        return false;
    };
    fstat(namespace).is_ok_and(|found| current.is(found.st_dev, found.st_ino))
}
