//! Ports that are blocked because they are part of a loop.

use std::time::Duration;

use super::PortId;
use super::loops::LoopGuard;
use crate::time::Timestamp;

/// A port that is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The port that it is joined with outside.
    pub peer: PortId,
    /// How long it stays blocked.
    pub remaining: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    port: PortId,
    peer: PortId,
    /// For how long it was blocked the last time.
    hold: Duration,
    /// Until when it is blocked, or was.
    until: Timestamp,
    is_over: bool,
}

/// All that are blocked, or were not long ago.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// One at most for each port.
    blocks: Vec<Block>,
    /// When the next is over.
    next: Option<Timestamp>,
}

impl Blocks {
    /// Blocks a port that is not blocked. Returns for how long: twice as long as before if the
    /// loop is back.
    pub(super) fn add(
        &mut self,
        now: Timestamp,
        (port, peer): (PortId, PortId),
        guard: &LoopGuard,
    ) -> Duration {
        let is_back = |block: &&Block| {
            block.port == port && now.since(block.until) < block.hold.max(guard.hold)
        };
        let before = self.blocks.iter().find(is_back).map(|block| block.hold);
        let hold = before.map_or(guard.hold, |hold| hold.saturating_mul(2));
        let hold = hold.min(guard.max_hold.max(guard.hold));
        self.forget(port);
        self.blocks.push(Block {
            port,
            peer,
            hold,
            until: now + hold,
            is_over: false,
        });
        self.note_next();
        hold
    }

    /// When [`Blocks::pop_due`] has something to tell.
    #[inline]
    pub(super) const fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// A port that was blocked for long enough.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<PortId> {
        if self.next.is_none_or(|next| now < next) {
            return None;
        }
        let due = |block: &&mut Block| !block.is_over && block.until <= now;
        let block = self.blocks.iter_mut().find(due)?;
        block.is_over = true;
        block.until = now;
        let port = block.port;
        self.note_next();
        Some(port)
    }

    /// Forgets what is known of a port. Returns whether it was blocked.
    pub(super) fn forget(&mut self, port: PortId) -> bool {
        let place = self.blocks.iter().position(|block| block.port == port);
        let was_blocked = place
            .map(|place| self.blocks.swap_remove(place))
            .is_some_and(|block| !block.is_over);
        self.note_next();
        was_blocked
    }

    /// Whether and how a port is blocked.
    pub(super) fn get(&self, now: Timestamp, port: PortId) -> Option<Blocked> {
        let block = self.blocks.iter().find(|block| block.port == port)?;
        (!block.is_over).then(|| Blocked {
            peer: block.peer,
            remaining: block.until.since(now),
        })
    }

    fn note_next(&mut self) {
        let blocked = self.blocks.iter().filter(|block| !block.is_over);
        self.next = blocked.map(|block| block.until).min();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUARD: LoopGuard = LoopGuard {
        enabled: true,
        hold: Duration::from_secs(5),
        max_hold: Duration::from_secs(60),
    };
    const PAIR: (PortId, PortId) = (PortId(2), PortId(1));

    #[test]
    fn a_loop_that_is_back_is_blocked_for_longer_up_to_a_limit() {
        let mut blocks = Blocks::default();
        let mut now = Timestamp::from_secs(100);
        for expected in [5, 10, 20, 40, 60, 60] {
            let hold = blocks.add(now, PAIR, &GUARD);
            assert_eq!(hold, Duration::from_secs(expected));
            let before = now + hold.saturating_sub(Duration::from_nanos(1));
            assert_eq!(blocks.pop_due(before), None);
            now = now + hold;
            assert_eq!(blocks.next(), Some(now));
            assert_eq!(blocks.pop_due(now), Some(PAIR.0));
            assert_eq!(blocks.pop_due(now), None);
            assert_eq!(blocks.next(), None);
        }
        now = now + Duration::from_secs(60);
        assert_eq!(blocks.add(now, PAIR, &GUARD), GUARD.hold, "a new one");
    }

    #[test]
    fn what_is_blocked_is_told_until_it_is_not() {
        let mut blocks = Blocks::default();
        let now = Timestamp::from_secs(100);
        blocks.add(now, PAIR, &GUARD);
        blocks.add(now, (PortId(3), PortId(1)), &GUARD);
        let later = now + Duration::from_secs(2);
        let expected = Blocked {
            peer: PortId(1),
            remaining: Duration::from_secs(3),
        };
        assert_eq!(blocks.get(later, PortId(2)), Some(expected));
        assert!(blocks.forget(PortId(3)) && !blocks.forget(PortId(3)));
        assert_eq!(blocks.pop_due(now + GUARD.hold), Some(PortId(2)));
        assert_eq!(blocks.get(later, PortId(2)), None);
        assert!(!blocks.forget(PortId(2)), "it was not blocked any more");
    }
}
