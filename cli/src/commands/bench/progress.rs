//! One line on a terminal: what is going on, and how long all of it still takes.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use vswitch_control::units;

/// How often the estimate is told anew.
const TICK: Duration = Duration::from_millis(500);

/// The line. It is told anew by itself, and gone with this value. Nothing is told where standard
/// error is no terminal.
#[derive(Debug)]
pub(super) struct Progress {
    teller: Option<Teller>,
}

/// The thread that tells.
#[derive(Debug)]
struct Teller {
    steps: Sender<Step>,
    thread: JoinHandle<()>,
}

/// What is going on now.
#[derive(Debug)]
struct Step {
    what: String,
    expected: Duration,
    since: Instant,
}

impl Progress {
    /// For steps that take `total` together, about.
    pub(super) fn new(total: Duration) -> Self {
        let teller = std::io::stderr().is_terminal().then(|| {
            let (steps, received) = mpsc::channel();
            let thread = thread::spawn(move || tell(total, &received));
            Teller { steps, thread }
        });
        Self { teller }
    }

    /// The step before is over; now comes `what`, which takes `expected`, about.
    pub(super) fn step(&mut self, what: &str, expected: Duration) {
        if let Some(teller) = &self.teller {
            let step = Step {
                what: what.to_owned(),
                expected,
                since: Instant::now(),
            };
            // It listens as long as this end is there.
            let _ = teller.steps.send(step);
        }
    }

    /// Removes the line, for good.
    pub(super) fn clear(&mut self) {
        if let Some(teller) = self.teller.take() {
            drop(teller.steps);
            let _ = teller.thread.join();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn tell(total: Duration, steps: &mpsc::Receiver<Step>) {
    let mut estimate = Estimate::new(total);
    let mut current: Option<Step> = None;
    loop {
        match steps.recv_timeout(TICK) {
            Ok(step) => {
                if let Some(before) = current.take() {
                    estimate.done(before.expected, before.since.elapsed());
                }
                current = Some(step);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if let Some(step) = &current {
            let left = estimate.left(step.expected, step.since.elapsed());
            show(&line(&step.what, left));
        }
    }
    show("");
}

/// A terminal that has gone away needs no progress.
fn show(line: &str) {
    let _ = write!(
        std::io::stderr(),
        "\r\x1b[K{}",
        vswitch_control::plain::text(line)
    );
}

fn line(what: &str, left: Duration) -> String {
    format!("measuring {what} ... {} left", units::span(rounded(left)))
}

/// Seconds that are left, rounded up: at nought it is over.
fn rounded(left: Duration) -> u64 {
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

/// How long steps still take. Pure: it is told the time.
#[derive(Debug)]
struct Estimate {
    /// What was expected of the steps that are not over.
    expected: Duration,
    /// What was expected of those that are, and what they took.
    done: (Duration, Duration),
}

impl Estimate {
    const fn new(total: Duration) -> Self {
        Self {
            expected: total,
            done: (Duration::ZERO, Duration::ZERO),
        }
    }

    fn done(&mut self, expected: Duration, took: Duration) {
        self.expected = self.expected.saturating_sub(expected);
        self.done.0 += expected;
        self.done.1 += took;
    }

    /// With a step under way that has taken `elapsed` so far. The steps to come take as much
    /// longer or shorter than expected as those before did.
    fn left(&self, expected: Duration, elapsed: Duration) -> Duration {
        let (planned, took) = self.done;
        let pace = if planned.is_zero() {
            1.0
        } else {
            took.as_secs_f64() / planned.as_secs_f64()
        };
        let later = self.expected.saturating_sub(expected).mul_f64(pace);
        later + expected.mul_f64(pace).saturating_sub(elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_left_counts_down() {
        let mut estimate = Estimate::new(s(30));
        assert_eq!(estimate.left(s(10), s(0)), s(30));
        assert_eq!(estimate.left(s(10), s(4)), s(26));
        assert_eq!(estimate.left(s(10), s(40)), s(20), "overdue");
        estimate.done(s(10), s(10));
        assert_eq!(estimate.left(s(20), s(0)), s(20));
    }

    #[test]
    fn steps_that_take_longer_tell_of_those_to_come() {
        let mut estimate = Estimate::new(s(30));
        estimate.done(s(10), s(15));
        assert_eq!(estimate.left(s(10), s(5)), s(25));
        estimate.done(s(10), s(15));
        estimate.done(s(20), s(1));
        assert_eq!(estimate.left(s(10), s(10)), s(0), "more steps than planned");
    }

    #[test]
    fn the_line_says_what_and_how_long() {
        assert_eq!(
            line("TCP, 1 stream", Duration::from_millis(61_200)),
            "measuring TCP, 1 stream ... 1m 2s left"
        );
        assert_eq!(line("x", Duration::ZERO), "measuring x ... 0s left");
    }
}
