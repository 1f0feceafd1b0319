//! A word to whoever waits at a terminal for what should take no time.

use std::io::{IsTerminal, Write, stderr};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// What takes longer than that is told.
const LONG: Duration = Duration::from_secs(2);

/// Says `what` on standard error if this lives for long, once, and only on a terminal.
pub(crate) struct Patience {
    /// Its end is heard.
    _ended: Sender<()>,
}

impl Patience {
    pub(crate) fn with(what: String) -> Self {
        let (ended, end) = mpsc::channel();
        if stderr().is_terminal() {
            // Where there is no thread to be had, nothing is said.
            let _ = thread::Builder::new().spawn(move || {
                if end.recv_timeout(LONG) == Err(RecvTimeoutError::Timeout) {
                    let _ = writeln!(stderr(), "{}", vswitch_control::plain::text(&what));
                }
            });
        }
        Self { _ended: ended }
    }
}
