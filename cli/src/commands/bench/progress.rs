//! One line on a terminal that says what is going on; nothing elsewhere.

use std::io::{IsTerminal, Write};
use std::time::Duration;

pub(crate) struct Progress {
    on_terminal: bool,
    left: Duration,
}

impl Progress {
    pub(crate) fn new(total: Duration) -> Self {
        Self {
            on_terminal: std::io::stderr().is_terminal(),
            left: total,
        }
    }

    pub(crate) fn step(&mut self, what: &str, expected: Duration) {
        if self.on_terminal {
            let left = self.left.as_secs();
            // A terminal that has gone away needs no progress.
            let _ = write!(
                std::io::stderr(),
                "\r\x1b[Kmeasuring {what}, {left} s left ..."
            );
        }
        self.left = self.left.saturating_sub(expected);
    }

    pub(crate) fn clear(&mut self) {
        if self.on_terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
