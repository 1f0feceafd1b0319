//! Work that may take too long.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, SendError, bounded};

/// So many pieces of work may hang at once.
const STUCK: usize = 8;

/// Does pieces of work one after the other, each for so long at most.
#[derive(Debug, Default)]
pub(super) struct Worker {
    /// How many hang.
    stuck: Arc<AtomicUsize>,
}

/// Why a piece of work brings nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undone {
    /// It takes too long.
    Late,
    /// So many of those before it hang that it was not begun.
    Crowded,
    /// The system gives no thread.
    NoThread,
}

impl Worker {
    /// Does `work` in a thread of its own. If it takes longer than `patience`, it is not waited for
    /// any more, and what it brings at last goes to `undo`.
    pub(super) fn within<T: Send + 'static>(
        &self,
        patience: Duration,
        work: impl FnOnce() -> T + Send + 'static,
        undo: impl FnOnce(T) + Send + 'static,
    ) -> Result<T, Undone> {
        if self.stuck.load(Ordering::Relaxed) >= STUCK {
            return Err(Undone::Crowded);
        }
        // Of no size: the outcome is handed over to who waits, or it is still the thread's.
        let (give, take) = bounded(0);
        let stuck = Arc::clone(&self.stuck);
        stuck.fetch_add(1, Ordering::Relaxed);
        let begun = thread::Builder::new().spawn(move || {
            let outcome = give.send(work());
            stuck.fetch_sub(1, Ordering::Relaxed);
            if let Err(SendError(late)) = outcome {
                undo(late);
            }
        });
        if begun.is_err() {
            self.stuck.fetch_sub(1, Ordering::Relaxed);
            return Err(Undone::NoThread);
        }
        take.recv_timeout(patience).map_err(|error| match error {
            RecvTimeoutError::Timeout => Undone::Late,
            RecvTimeoutError::Disconnected => Undone::NoThread,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn what_comes_too_late_is_undone_and_the_next_is_done() {
        let worker = Worker::default();
        let (go_on, wait) = channel::<()>();
        let (undone, heard) = channel();
        let late = worker.within(
            Duration::from_millis(1),
            move || {
                let _ = wait.recv();
                "late"
            },
            move |outcome| undone.send(outcome).unwrap(),
        );
        assert_eq!(late, Err(Undone::Late));
        let next = worker.within(Duration::from_secs(600), || "next", drop);
        assert_eq!(next, Ok("next"));
        go_on.send(()).unwrap();
        assert_eq!(heard.recv(), Ok("late"));
    }

    #[test]
    fn no_more_hang_than_there_is_room_for() {
        let worker = Worker::default();
        let (go_on, wait) = bounded::<()>(0);
        for _ in 0..STUCK {
            let wait = wait.clone();
            let hangs = move || wait.recv().is_ok();
            let outcome = worker.within(Duration::from_millis(1), hangs, drop);
            assert_eq!(outcome, Err(Undone::Late));
        }
        let refused = worker.within(Duration::from_secs(600), || true, drop);
        assert_eq!(refused, Err(Undone::Crowded));
        drop(go_on);
        while worker.stuck.load(Ordering::Relaxed) > 0 {
            thread::yield_now();
        }
        worker
            .within(Duration::from_secs(600), || (), drop)
            .unwrap();
    }
}
