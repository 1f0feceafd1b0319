//! Ports that are blocked because they are part of a loop.

use std::time::Duration;

use super::PortId;
use super::key::Key;
use super::loops::LoopGuard;
use super::probe::Tags;
use crate::frame::Timestamp;

/// A port that is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The port to which it is connected outside the switch; the port itself, if frames sent out of
    /// it come back on it.
    pub peer: PortId,
    /// How long it stays blocked without a further sign of the loop.
    pub remaining: Duration,
}

/// The station and the tags of a probe that checks whether the loop still exists.
pub(super) type About = (Key, Tags);

#[derive(Clone, Copy, Debug)]
struct Block {
    port: PortId,
    peer: PortId,
    about: About,
    /// How long the port stays blocked after a sign of the loop.
    hold: Duration,
    /// The time until which it is, or was, blocked.
    until: Timestamp,
    /// When to send the next probe.
    ask: Timestamp,
    is_over: bool,
}

impl Block {
    /// Notes a sign of the loop at `now`. If several switches block ports of one loop, `chance`
    /// makes one of them forward first.
    fn hold_from(&mut self, now: Timestamp, chance: u64) {
        self.until = now + self.hold + part(self.hold / 4, chance);
    }
}

/// The longest time between two probes out of a blocked port.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// The shortest. Without it a zero interval would make a probe due again at once, endlessly.
const ASK_AT_MOST_EVERY: Duration = Duration::from_millis(1);

/// Returns a fraction of `span`, one of 256, chosen by `chance`.
fn part(span: Duration, chance: u64) -> Duration {
    let [low, ..] = chance.to_le_bytes();
    span / 256 * u32::from(low)
}

/// An action that is due for a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The loop is gone: the first port forwards again. The second is the one it was connected to.
    Over(PortId, PortId),
    /// A probe must be sent out of the port.
    Ask(PortId, About),
}

/// All ports that are blocked, or were recently.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// At most one per port.
    blocks: Vec<Block>,
    /// When the next action is due.
    next: Option<Timestamp>,
}

impl Blocks {
    /// Blocks a port that is not blocked. Returns for how long: twice as long as before if the loop
    /// has come back.
    pub(super) fn add(
        &mut self,
        now: Timestamp,
        (port, peer): (PortId, PortId),
        guard: &LoopGuard,
        about: About,
        chance: u64,
    ) -> Duration {
        let is_back = |block: &&Block| {
            block.port == port && now.since(block.until) < block.hold.max(guard.hold)
        };
        let before = self.blocks.iter().find(is_back).map(|block| block.hold);
        let hold = before.map_or(guard.hold, |hold| hold.saturating_mul(2));
        let hold = hold.min(guard.max_hold.max(guard.hold));
        self.forget(port);
        let mut block = Block {
            port,
            peer,
            about,
            hold,
            until: now,
            ask: now + ask_after(hold, chance),
            is_over: false,
        };
        block.hold_from(now, chance);
        self.blocks.push(block);
        self.note_next();
        hold
    }

    /// Notes that a probe out of the blocked `port` arrived on `peer`: the loop still exists.
    pub(super) fn confirm(&mut self, now: Timestamp, port: PortId, peer: PortId, chance: u64) {
        let mut blocks = self.blocks.iter_mut();
        if let Some(block) = blocks.find(|block| block.port == port && !block.is_over) {
            block.peer = peer;
            block.hold_from(now, chance);
            self.note_next();
        }
    }

    /// Handles the loss of `peer`: one of the ports that were connected to it takes its place and
    /// is returned; the others are then connected to that one.
    pub(super) fn succeed(&mut self, peer: PortId) -> Option<PortId> {
        let joined =
            |block: &&mut Block| block.peer == peer && block.port != peer && !block.is_over;
        let heir = self.blocks.iter_mut().filter(joined);
        let heir = heir.map(|block| block.port).min()?;
        for block in self.blocks.iter_mut().filter(joined) {
            block.peer = heir;
        }
        Some(heir)
    }

    /// Returns when [`Blocks::pop_due`] will have an action.
    #[inline]
    pub(super) const fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// Returns an action that is due.
    pub(super) fn pop_due(&mut self, now: Timestamp, chance: u64) -> Option<Due> {
        if self.next.is_none_or(|next| now < next) {
            return None;
        }
        let is_due =
            |block: &&mut Block| !block.is_over && (block.until <= now || block.ask <= now);
        let block = self.blocks.iter_mut().find(is_due)?;
        let due = if block.until <= now {
            block.is_over = true;
            block.until = now;
            Due::Over(block.port, block.peer)
        } else {
            block.ask = now + ask_after(block.hold, chance);
            Due::Ask(block.port, block.about)
        };
        self.note_next();
        Some(due)
    }

    /// Removes the record of a port. Returns whether the port was blocked.
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

    /// The tags of the probes that are sent out of a blocked port.
    pub(super) fn tags(&self, port: PortId) -> Option<Tags> {
        let mut blocked = self.blocks.iter().filter(|block| !block.is_over);
        let block = blocked.find(|block| block.port == port)?;
        let (_, tags) = block.about;
        Some(tags)
    }

    fn note_next(&mut self) {
        let blocked = self.blocks.iter().filter(|block| !block.is_over);
        self.next = blocked.map(|block| block.until.min(block.ask)).min();
    }
}

/// Returns the time between probes out of a port that is blocked for `hold`; several fit into that
/// time.
fn ask_after(hold: Duration, chance: u64) -> Duration {
    let longest = (hold / 5).clamp(ASK_AT_MOST_EVERY, ASK_EVERY);
    longest.saturating_sub(part(longest / 4, chance.rotate_right(8)))
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
    const ABOUT: About = (Key::NOBODY, Tags::NONE);

    fn ends(blocks: &mut Blocks, confirmed: usize) -> (Timestamp, usize) {
        let mut asked = 0;
        loop {
            let now = blocks.next().unwrap();
            match blocks.pop_due(now, 0).unwrap() {
                Due::Over(port, peer) => {
                    assert_eq!((port, peer), PAIR);
                    return (now, asked);
                }
                Due::Ask(port, _) => {
                    assert_eq!(port, PAIR.0);
                    asked += 1;
                    if asked <= confirmed {
                        blocks.confirm(now, PAIR.0, PAIR.1, 0);
                    }
                }
            }
        }
    }

    #[test]
    fn a_port_is_blocked_for_as_long_as_probes_come_back() {
        let mut blocks = Blocks::default();
        let now = Timestamp::from_secs(100);
        blocks.add(now, PAIR, &GUARD, ABOUT, 0);
        let (end, asked) = ends(&mut blocks, 100);
        assert_eq!(end, now + Duration::from_secs(105));
        assert!((103..=105).contains(&asked), "{asked}");
    }

    #[test]
    fn a_loop_that_is_back_is_blocked_for_longer_up_to_a_limit() {
        let mut blocks = Blocks::default();
        let mut now = Timestamp::from_secs(100);
        for expected in [5, 10, 20, 40, 60, 60] {
            let hold = blocks.add(now, PAIR, &GUARD, ABOUT, 0);
            assert_eq!(hold, Duration::from_secs(expected));
            let (end, _) = ends(&mut blocks, 0);
            assert_eq!(end, now + hold);
            now = end;
            assert_eq!(blocks.pop_due(now, 0), None);
            assert_eq!(blocks.next(), None);
        }
        now = now + Duration::from_secs(60);
        let hold = blocks.add(now, PAIR, &GUARD, ABOUT, 0);
        assert_eq!(hold, GUARD.hold, "a new one");
    }

    #[test]
    fn a_blocked_port_is_reported_until_the_block_ends() {
        let mut blocks = Blocks::default();
        let now = Timestamp::from_secs(100);
        blocks.add(now, PAIR, &GUARD, ABOUT, 0);
        blocks.add(now, (PortId(3), PortId(1)), &GUARD, ABOUT, 0);
        let later = now + Duration::from_secs(2);
        let expected = Blocked {
            peer: PortId(1),
            remaining: Duration::from_secs(3),
        };
        assert_eq!(blocks.get(later, PortId(2)), Some(expected));
        assert!(blocks.forget(PortId(3)) && !blocks.forget(PortId(3)));
        ends(&mut blocks, 0);
        assert_eq!(blocks.get(later, PortId(2)), None);
        assert!(!blocks.forget(PortId(2)), "its block had ended");
    }

    #[test]
    fn where_the_other_port_is_gone_one_takes_its_place() {
        let mut blocks = Blocks::default();
        let now = Timestamp::from_secs(100);
        for port in [4, 2, 3] {
            blocks.add(now, (PortId(port), PortId(1)), &GUARD, ABOUT, 0);
        }
        blocks.add(now, (PortId(9), PortId(8)), &GUARD, ABOUT, 0);
        assert_eq!(blocks.succeed(PortId(1)), Some(PortId(2)));
        blocks.forget(PortId(2));
        let peers = [3, 4, 9].map(|port| blocks.get(now, PortId(port)).unwrap().peer.0);
        assert_eq!(peers, [2, 2, 8]);
        assert_eq!(blocks.succeed(PortId(1)), None);
    }

    #[test]
    fn the_shortest_hold_ends() {
        for nanos in 0..20 {
            let guard = LoopGuard {
                hold: Duration::from_nanos(nanos),
                ..GUARD
            };
            let mut blocks = Blocks::default();
            let now = Timestamp::from_secs(100);
            blocks.add(now, PAIR, &guard, ABOUT, 0);
            let mut due = std::iter::from_fn(|| blocks.pop_due(now, 0));
            assert!(due.by_ref().take(10).count() < 10, "{nanos} ns");
        }
    }

    #[test]
    fn switches_that_block_the_same_loop_do_not_go_on_together() {
        let now = Timestamp::from_secs(100);
        let until = |chance| {
            let mut blocks = Blocks::default();
            blocks.add(now, PAIR, &GUARD, ABOUT, chance);
            blocks.get(now, PAIR.0).unwrap().remaining
        };
        assert!(until(255) > until(0) + Duration::from_secs(1));
    }
}
