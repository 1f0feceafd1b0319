//! When each frame of a rate is due.

use std::time::Duration;

use crate::measure::figures;

/// The most frames that are sent in one go: more would be a burst, and no rate.
const BURST: u64 = 32;
/// The most frames that a sender who was held up makes good for; others are not sent at all.
const MOST_BEHIND: u64 = 16 * BURST;
/// Shorter gaps are spun away: a sleep ends later than it should.
const SHORTEST_SLEEP: Duration = Duration::from_micros(100);
/// So much later, about: the slack of timers (prctl(2), `PR_SET_TIMERSLACK`), and waking up.
const SLEEP_SLACK: Duration = Duration::from_micros(80);

/// A steady rate. Pure: it is told the time.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    frames_per_second: f64,
    /// Frames that will never be sent, because the sender was held up when they were due.
    skipped: u64,
    sent: u64,
}

/// What a sender is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send so many frames.
    Send(usize),
    /// Look again at once.
    Spin,
    /// Sleep for so long, then look again.
    Sleep(Duration),
}

impl Schedule {
    /// So many frames in a second.
    #[must_use]
    pub const fn new(frames_per_second: f64) -> Self {
        Self {
            frames_per_second,
            skipped: 0,
            sent: 0,
        }
    }

    /// What to do so long after the beginning.
    pub fn next(&mut self, elapsed: Duration) -> Next {
        let due = figures::whole((elapsed.as_secs_f64() * self.frames_per_second).floor());
        let behind = due.saturating_sub(self.sent + self.skipped);
        if behind > MOST_BEHIND {
            self.skipped += behind - MOST_BEHIND;
        }
        match usize::try_from(behind.min(BURST)) {
            Ok(count @ 1..) => Next::Send(count),
            _ => self.wait(elapsed),
        }
    }

    fn wait(&self, elapsed: Duration) -> Next {
        let number = figures::value(self.sent + self.skipped + 1);
        let due = Duration::try_from_secs_f64(number / self.frames_per_second);
        let gap = due.map_or(Duration::MAX, |due| due.saturating_sub(elapsed));
        if gap > SHORTEST_SLEEP {
            Next::Sleep(gap.saturating_sub(SLEEP_SLACK))
        } else {
            Next::Spin
        }
    }

    /// Takes note of frames that were really sent.
    pub const fn note_sent(&mut self, frames: u64) {
        self.sent += frames;
    }

    /// Frames sent so far.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends for a second with a look at the clock every `step`; the frames sent, and the most
    /// at once.
    fn simulate(rate: f64, step: Duration) -> (u64, usize) {
        let mut schedule = Schedule::new(rate);
        let mut now = Duration::ZERO;
        let mut most = 0;
        while now < Duration::from_secs(1) {
            match schedule.next(now) {
                Next::Send(count) => {
                    most = most.max(count);
                    schedule.note_sent(count as u64);
                    now += step;
                }
                Next::Spin => now += step,
                Next::Sleep(span) => now += span + Duration::from_micros(60),
            }
        }
        (schedule.sent(), most)
    }

    #[test]
    fn the_rate_is_kept_without_bursts() {
        for rate in [10.0, 999.0, 50_000.0, 1_000_000.0] {
            let (sent, most) = simulate(rate, Duration::from_micros(2));
            let sent = figures::value(sent);
            assert!((sent - rate).abs() <= rate * 0.001 + 1.0, "{rate}: {sent}");
            assert!(most <= 3, "{rate}: {most}");
        }
    }

    #[test]
    fn long_gaps_are_slept_and_short_ones_spun() {
        let mut schedule = Schedule::new(1_000.0);
        let at = Duration::ZERO;
        assert_eq!(schedule.next(at), Next::Sleep(Duration::from_micros(920)));
        let at = Duration::from_micros(950);
        assert_eq!(schedule.next(at), Next::Spin);
        let at = Duration::from_micros(1_001);
        assert_eq!(schedule.next(at), Next::Send(1));
        // Refused: it stays due.
        assert_eq!(schedule.next(at), Next::Send(1));
        schedule.note_sent(1);
        assert!(matches!(schedule.next(at), Next::Sleep(_)));
    }

    #[test]
    fn a_sender_that_was_held_up_does_not_send_all_at_once() {
        let mut schedule = Schedule::new(1e6);
        let now = Duration::from_millis(100);
        let mut bursts = Vec::new();
        while let Next::Send(count) = schedule.next(now) {
            bursts.push(count);
            schedule.note_sent(count as u64);
        }
        assert_eq!(bursts, [32; 16]);
        assert!(matches!(schedule.next(now), Next::Spin));
        assert!(matches!(
            Schedule::new(f64::MIN_POSITIVE).next(now),
            Next::Sleep(_)
        ));
    }
}
