//! The highest rate at which no frame is lost (RFC 2544, 26.1), by search.
//!
//! - [`search`]: which rate to try next
//! - [`schedule`]: when each frame of a rate is due

pub(crate) mod schedule;
mod search;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::figures::{self, Better, Figure, Unit};
use super::frames::line::Line;
use super::frames::sender::{self, Sender};
use super::frames::{self};
use super::path::Path;
use schedule::{Next, Schedule};
use search::{Found, Trial};
use vswitch_control::stop::Stop;

/// How close to the true rate the search ends.
const RESOLUTION: f64 = 0.02;
/// The most trials of one search: it ends before, unless nothing passes at all.
const MAX_TRIALS: u32 = 24;
/// About so many trials a search takes, with those repeated.
const USUAL_TRIALS: u32 = 10;
/// The most trials that confirm the rate found, each lower than the one before. Others' frames that
/// B counts hide losses, and a rate may pass by luck: a longer trial shows most of that.
const CONFIRMATIONS: u32 = 3;
/// So many times longer they are.
const LONGER: u32 = 2;
/// The part of the time given that one trial takes.
const TRIALS_IN_TIME: u32 = 8;
/// The shortest trial that tells anything.
const SHORTEST_TRIAL: Duration = Duration::from_millis(200);
/// Between two trials, so that each finds the path at rest.
const PAUSE: Duration = Duration::from_millis(50);

/// What the search found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoLoss {
    /// Frames in a second at the highest rate without loss.
    pub(crate) frames_per_second: f64,
    /// Whether a longer trial at this rate lost nothing either. If not, it is only where the search
    /// ended.
    pub(crate) confirmed: bool,
    /// Frames in a second that the sender can offer at most.
    pub(crate) sender_limit: f64,
    /// Whether that is what bounds the rate, and not the path.
    pub(crate) limited_by_sender: bool,
    /// How many rates were tried, those repeated and the longer ones too.
    pub(crate) trials: u32,
}

impl NoLoss {
    /// As figures: none that was not confirmed.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        if !self.confirmed {
            return Vec::new();
        }
        vec![
            Figure {
                key: "frames_per_second",
                name: "no-loss rate",
                value: self.frames_per_second,
                unit: Unit::FramesPerSecond,
                better: Better::More,
            },
            Figure {
                key: "limited_by_sender",
                name: "limited by the sender",
                value: figures::value(u64::from(self.limited_by_sender)),
                unit: Unit::Count,
                better: Better::Less,
            },
        ]
    }
}

/// How long one trial sends.
fn trial_time(time: Duration) -> Duration {
    (time / TRIALS_IN_TIME).max(SHORTEST_TRIAL)
}

/// How long a search takes, about.
pub(super) fn duration(time: Duration) -> Duration {
    (trial_time(time) + PAUSE * 2) * (USUAL_TRIALS + LONGER)
}

/// Searches with frames of `size` bytes, check sequence included, and trials of a part of `time`.
pub(super) fn run(path: &Path, size: usize, time: Duration, stop: &Stop) -> anyhow::Result<NoLoss> {
    let mut line = Line::open(path, size)?;
    let mut sender = line.sender(1)?;
    line.reach(stop)?;
    let time = trial_time(time);
    // Wakes whatever forwards: its first frames are slower than the others.
    trial(&mut line, &mut sender, None, frames::WARM_UP, stop)?;
    let found = search::highest(RESOLUTION, MAX_TRIALS, |rate| {
        trial(&mut line, &mut sender, rate, time, stop)
    })?;
    let Some(found) = found else {
        bail!(
            "frames of {size} bytes from {} to {} are lost at every rate",
            path.from,
            path.to
        );
    };
    let (found, confirmed) = search::confirm(found, RESOLUTION, CONFIRMATIONS, |rate| {
        trial(&mut line, &mut sender, rate, time * LONGER, stop)
    })?;
    let Found {
        rate,
        sender_limit,
        limited_by_sender,
        trials,
    } = found;
    Ok(NoLoss {
        frames_per_second: rate,
        confirmed,
        sender_limit,
        limited_by_sender,
        trials,
    })
}

/// Sends for `time` at `rate` frames in a second, or as fast as it goes.
fn trial(
    line: &mut Line<'_>,
    sender: &mut Sender,
    rate: Option<f64>,
    time: Duration,
    stop: &Stop,
) -> anyhow::Result<Trial> {
    stop.pause(PAUSE)?;
    line.announce()?;
    let before = line.received()?;
    let broken_off = AtomicBool::new(false);
    let (sent, elapsed) = thread::scope(|scope| {
        let sending = scope.spawn(|| match rate {
            Some(rate) => paced(sender, rate, time, &broken_off),
            None => unpaced(sender, time, &broken_off),
        });
        let end = Instant::now() + time * 2;
        if stop.pause_while(|| !sending.is_finished(), end).is_err() {
            broken_off.store(true, Ordering::Relaxed);
        }
        sending
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
    .context("can't send frames")?;
    stop.check()?;
    let received = line.settled(before, sent, stop)?;
    Ok(Trial {
        sent,
        received,
        rate: figures::value(sent) / elapsed.as_secs_f64().max(f64::MIN_POSITIVE),
    })
}

/// Frames sent, and how long that took.
type Sent = io::Result<(u64, Duration)>;

fn unpaced(sender: &mut Sender, time: Duration, broken_off: &AtomicBool) -> Sent {
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < time && !broken_off.load(Ordering::Relaxed) {
        sent += sender.send(sender::MOST)?;
    }
    Ok((sent, start.elapsed()))
}

fn paced(sender: &mut Sender, rate: f64, time: Duration, broken_off: &AtomicBool) -> Sent {
    let start = Instant::now();
    let mut schedule = Schedule::new(rate);
    loop {
        let elapsed = start.elapsed();
        if elapsed >= time || broken_off.load(Ordering::Relaxed) {
            return Ok((schedule.sent(), elapsed));
        }
        match schedule.next(elapsed) {
            Next::Send(count) => schedule.note_sent(sender.send(count)?),
            Next::Spin => std::hint::spin_loop(),
            Next::Sleep(span) => thread::sleep(span.min(time.saturating_sub(elapsed))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_that_was_not_confirmed_is_no_figure() {
        let mut found = NoLoss {
            frames_per_second: 1e6,
            confirmed: true,
            sender_limit: 2e6,
            limited_by_sender: false,
            trials: 12,
        };
        assert_eq!(found.figures().len(), 2);
        found.confirmed = false;
        assert_eq!(found.figures(), []);
    }

    #[test]
    fn a_trial_is_a_part_of_the_time_and_never_too_short() {
        assert_eq!(trial_time(Duration::from_secs(8)), Duration::from_secs(1));
        assert_eq!(trial_time(Duration::from_secs(1)), SHORTEST_TRIAL);
    }
}
