//! Time in the core: a number that the caller passes in.

use std::ops::Add;
use std::time::Duration;

/// Nanoseconds since an origin of the caller's choosing, on a clock that never goes back.
///
/// The core never reads a clock: a poll loop passes `CLOCK_MONOTONIC`, a simulation what it
/// likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The origin.
    pub const ZERO: Self = Self(0);

    /// The moment `since_origin` after the origin; saturates after 584 years.
    #[must_use]
    pub fn from_duration(since_origin: Duration) -> Self {
        Self(u64::try_from(since_origin.as_nanos()).unwrap_or(u64::MAX))
    }

    /// The moment `secs` seconds after the origin.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// The moment `nanos` nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(later.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_span_between_two_moments_is_what_was_added() {
        let start = Timestamp::from_secs(5);
        let end = start + Duration::from_millis(1500);
        assert_eq!(end.since(start), Duration::from_millis(1500));
        assert_eq!(start.since(end), Duration::ZERO, "never negative");
    }

    #[test]
    fn far_moments_saturate() {
        assert_eq!(
            Timestamp::from_duration(Duration::MAX) + Duration::MAX,
            Timestamp(u64::MAX)
        );
    }
}
