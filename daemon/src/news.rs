//! Messages that a client gets unasked, as far as it reads them.

use std::collections::VecDeque;
use std::sync::Arc;

/// One message, without its newline. All who get it share it.
pub(super) type Line = Arc<[u8]>;

/// The most messages that wait for one client.
const CAPACITY: usize = 8192;

/// What waits for one client. From the first message that finds no room on, all are counted
/// instead; once the client has read what waited, it is told how many there were, and then hears
/// again. So it knows between which two messages some are missing.
#[derive(Debug)]
pub(super) struct Backlog {
    lines: VecDeque<Line>,
    lost: u64,
    /// Makes the message that tells of a loss.
    tell_lost: fn(u64) -> Option<Line>,
}

impl Backlog {
    pub(super) const fn new(tell_lost: fn(u64) -> Option<Line>) -> Self {
        Self {
            lines: VecDeque::new(),
            lost: 0,
            tell_lost,
        }
    }

    pub(super) fn push(&mut self, line: &Line) {
        if self.lost > 0 || self.lines.len() == CAPACITY {
            self.lost += 1;
        } else {
            self.lines.push_back(Arc::clone(line));
        }
    }

    /// The next message that the client is to get.
    pub(super) fn pop(&mut self) -> Option<Line> {
        if let Some(line) = self.lines.pop_front() {
            return Some(line);
        }
        // The memory of a rush is not kept for the quiet that follows it.
        self.lines = VecDeque::new();
        match std::mem::take(&mut self.lost) {
            0 => None,
            lost => (self.tell_lost)(lost),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(count: u64) -> Line {
        format!("lost {count}").into_bytes().into()
    }

    fn numbered(number: usize) -> Line {
        number.to_string().into_bytes().into()
    }

    #[test]
    fn a_loss_is_told_where_it_was() {
        let mut backlog = Backlog::new(|count| Some(lost(count)));
        for number in 0..CAPACITY + 3 {
            backlog.push(&numbered(number));
        }
        assert_eq!(backlog.pop(), Some(numbered(0)));
        backlog.push(&numbered(0)); // there is room, but not where this belongs
        for number in 1..CAPACITY {
            assert_eq!(backlog.pop(), Some(numbered(number)));
        }
        assert_eq!(backlog.pop(), Some(lost(4)));
        assert_eq!(backlog.pop(), None);
        backlog.push(&numbered(7));
        assert_eq!(backlog.pop(), Some(numbered(7)));
    }
}
