//! Frames that a TAP device dropped because its queue was full: the interface's `tx_dropped`.

use std::fs::File;
use std::io::{self, Read, Seek};

/// The statistics of all interfaces of the network namespace in which the file was opened,
/// whichever namespace the thread is in later (proc(5), `/proc/net/dev`).
#[derive(Debug)]
pub(super) struct Losses {
    statistics: File,
    counted: u64,
}

impl Losses {
    /// Starts counting for `interface`.
    pub(super) fn new(interface: &str) -> io::Result<Self> {
        let mut this = Self {
            statistics: File::open("/proc/thread-self/net/dev")?,
            counted: 0,
        };
        this.take(interface)?;
        Ok(this)
    }

    /// Continues a count of another process.
    pub(super) const fn taken_over(statistics: File, counted: u64) -> Self {
        Self {
            statistics,
            counted,
        }
    }

    /// Starts with `counted` frames already counted.
    pub(super) fn counted_to(self, counted: u64) -> Self {
        Self { counted, ..self }
    }

    /// Returns the file and the count.
    pub(super) const fn parts(&self) -> (&File, u64) {
        (&self.statistics, self.counted)
    }

    /// Returns the frames dropped since the last call; `interface` is the device's present name.
    pub(super) fn take(&mut self, interface: &str) -> io::Result<u64> {
        let mut text = String::new();
        self.statistics.rewind()?;
        self.statistics.read_to_string(&mut text)?;
        let total = tx_dropped(&text, interface).ok_or(io::ErrorKind::NotFound)?;
        let new = total.saturating_sub(self.counted);
        self.counted = total;
        Ok(new)
    }
}

/// Returns the frames that the kernel dropped instead of sending them on `interface`: the fourth of
/// the "Transmit" columns, which follow the eight "Receive" columns.
fn tx_dropped(text: &str, interface: &str) -> Option<u64> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.trim() == interface)
        .and_then(|(_, columns)| columns.split_whitespace().nth(11)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_column_of_the_right_interface_is_read() {
        let text = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo
    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
 tap00: 0 0 0 0 0 0 0 0 0 0 0 1 0 0 0 0
  tap0:21 2 3 4 5 6 7 8 9 10 11 99 13 14 15 16
";
        assert_eq!(tx_dropped(text, "tap0"), Some(99));
        assert_eq!(tx_dropped(text, "lo"), Some(12));
        assert_eq!(tx_dropped(text, "tap"), None);
        assert_eq!(tx_dropped(" x: 1 2", "x"), None, "truncated");
    }
}
