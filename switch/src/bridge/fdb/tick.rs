//! The coarse time of last-seen stamps.

use std::time::Duration;

use crate::frame::Timestamp;

/// The tick that is running. A station that is heard all the time is rewritten once a tick, not
/// once a frame; its stamp is the tick's end, so that it is never thought silent while it was
/// not. A tick lasts 1/256 of the ageing time and begins with the first frame after the last
/// one has ended, so an idle bridge has none to count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tick {
    /// Number of the tick. It may wrap: what 65,536 ticks ago was heard last has aged 65,280
    /// ticks ago.
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

    /// Begins the next tick if `now` is past this one. Returns whether it is.
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

    /// Ends the running tick; those to come have the length that goes with `ageing`.
    pub(super) fn change(&mut self, now: Timestamp, ageing: Duration) {
        self.length = ageing / Self::PER_AGEING;
        self.begin(now);
    }

    #[inline]
    pub(super) const fn number(&self) -> u16 {
        self.number
    }

    /// What a station heard in this tick is stamped with: no frame of this tick comes later.
    #[inline]
    pub(super) const fn stamp(&self) -> Timestamp {
        self.end
    }
}
