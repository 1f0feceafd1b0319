//! One line on a terminal: how far a lab has come.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use vswitch_control::names::LabName;

/// How often the line is written anew.
const TICK: Duration = Duration::from_millis(50);

/// Counts steps, and shows them where standard error is a terminal. The line is gone with this
/// value.
pub(super) struct Progress<'a> {
    lab: &'a LabName,
    total: usize,
    done: AtomicUsize,
    /// When the line was written last; none where it is not to be.
    shown: Option<Mutex<Instant>>,
}

impl<'a> Progress<'a> {
    /// For so many steps.
    pub(super) fn new(lab: &'a LabName, total: usize) -> Self {
        let shown = std::io::stderr()
            .is_terminal()
            .then(|| Mutex::new(Instant::now()));
        Self {
            lab,
            total,
            done: AtomicUsize::new(0),
            shown,
        }
    }

    /// One more is done.
    pub(super) fn done(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let Some(shown) = &self.shown else { return };
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.elapsed() >= TICK {
            *shown = Instant::now();
            show(&format!("{}: {done} of {} steps", self.lab, self.total));
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if self.shown.is_some() {
            show("");
        }
    }
}

/// A terminal that has gone away needs no progress. One that is too narrow shows less, in one
/// line: no wrapping (DECAWM).
fn show(line: &str) {
    let line = vswitch_control::plain::text(line);
    let _ = write!(std::io::stderr(), "\r\x1b[K\x1b[?7l{line}\x1b[?7h");
}
