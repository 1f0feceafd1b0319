//! The coarse time of last-seen stamps.

use std::time::Duration;

use crate::frame::Timestamp;

/// The current tick. An entry that is refreshed all the time is written once per tick, not once per
/// frame. Its timestamp is the tick's end, so it never appears silent too early. A tick lasts 1/256
/// of the ageing time and begins with the first frame after the previous one has ended, so an idle
/// bridge has none to count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tick {
    /// Number of the tick. It may wrap: an entry that was last refreshed 65,536 ticks ago aged out
    /// 65,280 ticks ago.
    number: u16,
    end: Timestamp,
    length: Duration,
}

impl Tick {
    /// Ticks per ageing time.
    const PER_AGEING: u32 = 256;

    pub(super) fn new(ageing: Duration) -> Self {
        Self {
            number: 0,
            end: Timestamp::ZERO,
            length: ageing / Self::PER_AGEING,
        }
    }

    /// Begins the next tick if `now` is past the current one.
    #[inline]
    pub(super) fn advance(&mut self, now: Timestamp) {
        if now >= self.end {
            self.begin(now);
        }
    }

    #[inline(never)]
    fn begin(&mut self, now: Timestamp) {
        self.number = self.number.wrapping_add(1);
        self.end = now + self.length;
    }

    /// Ends the current tick; later ones have the length for `ageing`.
    pub(super) fn change(&mut self, now: Timestamp, ageing: Duration) {
        self.length = ageing / Self::PER_AGEING;
        self.begin(now);
    }

    #[inline]
    pub(super) const fn number(&self) -> u16 {
        self.number
    }

    /// Returns the timestamp of a station seen in this tick: no frame of this tick is later.
    #[inline]
    pub(super) const fn stamp(&self) -> Timestamp {
        self.end
    }
}
