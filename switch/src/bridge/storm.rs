//! Storm control: limits how many flooded frames a port accepts.
//!
//! Theory of operation. A flooded frame costs the switch one copy per port and every host the time
//! to receive it, so each port has a meter for each kind: broadcast, multicast, and unicast to an
//! unknown station. A meter is one point in time, at which all frames so far would have arrived at
//! the allowed rate (the virtual scheduling algorithm of ITU-T I.371, Annex A). A frame is accepted
//! while that point is less than a second ahead. So a burst of one second's worth is allowed, and
//! no more than the rate in the long run. Only flooded frames are metered; others do not touch
//! this.

use std::time::Duration;

use super::limits::PortLimits;
use crate::frame::{DropReason, Timestamp};

const SECOND: u64 = 1_000_000_000;
/// A storm that has paused for this long counts as a new one.
const QUIET: Duration = Duration::from_secs(60);

/// The kind of a flooded frame, by its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FloodKind {
    /// To all stations.
    Broadcast,
    /// To a group.
    Multicast,
    /// To a station whose port is unknown.
    UnknownUnicast,
}

impl FloodKind {
    /// Returns the kind of a flooded frame.
    #[inline]
    pub(super) fn of(frame: &[u8]) -> Self {
        // The destination and two octets of the source, as one word.
        let word = frame
            .first_chunk()
            .map_or(0, |octets| u64::from_le_bytes(*octets));
        if word << 16 == u64::MAX << 16 {
            Self::Broadcast
        } else if word & 1 != 0 {
            Self::Multicast
        } else {
            Self::UnknownUnicast
        }
    }

    /// Returns the drop reason of a frame above the limit.
    pub(super) const fn reason(self) -> DropReason {
        match self {
            Self::Broadcast => DropReason::StormBroadcast,
            Self::Multicast => DropReason::StormMulticast,
            Self::UnknownUnicast => DropReason::StormUnknownUnicast,
        }
    }

    /// Returns the kind as text, for a log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Broadcast => "broadcast",
            Self::Multicast => "multicast",
            Self::UnknownUnicast => "unknown unicast",
        }
    }
}

/// The result of a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metered {
    /// The frame is accepted.
    Passes,
    /// The frame exceeds the limit.
    TooMany,
    /// The frame exceeds the limit, and is the first to do so for a long time.
    StormBegins,
}

/// One meter.
#[derive(Clone, Copy, Debug)]
struct Meter {
    /// Nanoseconds per frame; zero for no limit.
    interval: u64,
    /// When all frames so far would have arrived at the allowed rate.
    scheduled: u64,
    /// When the last frame above the limit arrived.
    refused: Option<Timestamp>,
}

impl Meter {
    const fn new(per_second: u32) -> Self {
        Self {
            interval: Self::interval(per_second),
            scheduled: 0,
            refused: None,
        }
    }

    const fn interval(per_second: u32) -> u64 {
        match per_second {
            0 => 0,
            rate if rate as u64 >= SECOND => 1,
            rate => SECOND.div_ceil(rate as u64),
        }
    }

    /// Returns when the next frame is scheduled; `None` if it arrives too early.
    #[inline]
    fn next(&self, now: Timestamp) -> Option<u64> {
        let from = self.scheduled.max(now.as_nanos());
        let ahead = from - now.as_nanos();
        (ahead < SECOND || self.interval == 0).then(|| from.saturating_add(self.interval))
    }

    #[inline]
    fn measure(&mut self, now: Timestamp) -> Metered {
        match self.next(now) {
            Some(scheduled) => {
                self.scheduled = scheduled;
                Metered::Passes
            }
            None => self.refuse(now),
        }
    }

    #[inline(never)]
    fn refuse(&mut self, now: Timestamp) -> Metered {
        let before = self.refused.replace(now);
        if before.is_some_and(|before| now.since(before) < QUIET) {
            Metered::TooMany
        } else {
            Metered::StormBegins
        }
    }
}

/// The meters of one port.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meters([Meter; 3]);

impl Meters {
    pub(super) const fn new(limits: &PortLimits) -> Self {
        Self([
            Meter::new(limits.broadcast),
            Meter::new(limits.multicast),
            Meter::new(limits.unknown_unicast),
        ])
    }

    /// Changes the limits; a meter whose limit stays the same keeps its state.
    pub(super) fn change(&mut self, limits: &PortLimits) {
        let changed = Self::new(limits);
        for (meter, new) in self.0.iter_mut().zip(changed.0) {
            if meter.interval != new.interval {
                *meter = new;
            }
        }
    }

    /// Counts a frame of this kind.
    #[inline]
    pub(super) fn measure(&mut self, now: Timestamp, kind: FloodKind) -> Metered {
        self.0[kind as usize].measure(now)
    }

    /// Reports whether frames of this kind are limited.
    pub(super) fn has_limit(&self, kind: FloodKind) -> bool {
        self.0[kind as usize].interval > 0
    }

    /// Reports whether a frame of this kind would be accepted.
    pub(super) fn would_pass(&self, now: Timestamp, kind: FloodKind) -> bool {
        self.0[kind as usize].next(now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PortLimits = PortLimits {
        broadcast: 10,
        multicast: 3,
        ..PortLimits::NONE
    };

    /// Returns how many of `count` frames at `now` are accepted.
    fn passing(meters: &mut Meters, now: Timestamp, kind: FloodKind, count: usize) -> usize {
        (0..count)
            .filter(|_| {
                let foreseen = meters.would_pass(now, kind);
                let passes = meters.measure(now, kind) == Metered::Passes;
                assert_eq!(foreseen, passes);
                passes
            })
            .count()
    }

    #[test]
    fn a_seconds_worth_passes_at_once_and_then_the_rate() {
        let mut meters = Meters::new(&LIMITS);
        let start = Timestamp::from_secs(100);
        assert_eq!(passing(&mut meters, start, FloodKind::Broadcast, 1000), 10);
        for tenth in 1..50 {
            let now = start + Duration::from_millis(100 * tenth);
            assert_eq!(passing(&mut meters, now, FloodKind::Broadcast, 7), 1);
        }
        let later = start + Duration::from_secs(1000);
        assert_eq!(passing(&mut meters, later, FloodKind::Broadcast, 1000), 10);
    }

    #[test]
    fn each_kind_has_a_meter_of_its_own_and_zero_is_no_limit() {
        let mut meters = Meters::new(&LIMITS);
        let now = Timestamp::from_secs(1);
        assert_eq!(passing(&mut meters, now, FloodKind::Broadcast, 20), 10);
        assert_eq!(passing(&mut meters, now, FloodKind::Multicast, 20), 3);
        let unlimited = passing(&mut meters, now, FloodKind::UnknownUnicast, 100_000);
        assert_eq!(unlimited, 100_000);
    }

    #[test]
    fn a_storm_begins_once_and_again_after_a_quiet_minute() {
        let mut meters = Meters::new(&LIMITS);
        let mut begins = |now, count| {
            let measured = (0..count).map(|_| meters.measure(now, FloodKind::Broadcast));
            measured.filter(|m| *m == Metered::StormBegins).count()
        };
        let start = Timestamp::from_secs(1);
        assert_eq!(begins(start, 10), 0);
        assert_eq!(begins(start, 100), 1);
        assert_eq!(begins(start + Duration::from_secs(50), 100), 0);
        assert_eq!(begins(start + Duration::from_secs(111), 100), 1);
    }

    #[test]
    fn a_limit_that_stays_goes_on_counting_when_another_changes() {
        let mut meters = Meters::new(&LIMITS);
        let now = Timestamp::from_secs(1);
        passing(&mut meters, now, FloodKind::Broadcast, 20);
        passing(&mut meters, now, FloodKind::Multicast, 20);
        meters.change(&PortLimits {
            multicast: 0,
            ..LIMITS
        });
        assert_eq!(passing(&mut meters, now, FloodKind::Broadcast, 20), 0);
        assert_eq!(passing(&mut meters, now, FloodKind::Multicast, 20), 20);
    }

    #[test]
    fn the_greatest_limits_and_latest_times_do_not_overflow() {
        let mut meter = Meter::new(u32::MAX);
        let end = Timestamp::from_secs(u64::MAX);
        for now in [Timestamp::ZERO, end, end] {
            assert_eq!(meter.measure(now), Metered::Passes);
        }
    }

    #[test]
    fn frames_are_told_apart_by_their_destination() {
        let frame = |dst: [u8; 6]| [&dst[..], &[2, 0, 0, 0, 0, 1, 8, 0]].concat();
        assert_eq!(FloodKind::of(&frame([0xff; 6])), FloodKind::Broadcast);
        let group = frame([0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]);
        assert_eq!(FloodKind::of(&group), FloodKind::Multicast);
        let one = frame([2, 0, 0, 0, 0, 9]);
        assert_eq!(FloodKind::of(&one), FloodKind::UnknownUnicast);
    }
}
