//! Raw frames as fast as one sender can send.
//!
//! - [`mod@line`]: the two interfaces, and what the receiving one has counted
//! - [`sender`]: the socket that sends, and its frames

pub(super) mod line;
pub(super) mod sender;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::cpu;
use super::figures::{self, Better, Figure, Unit};
use super::path::Path;
use line::Line;
use sender::Sender;
use vswitch_control::stop::Stop;

/// Sent before what counts: the forwarder's threads wake, the kernel's queues fill.
pub(super) const WARM_UP: Duration = Duration::from_millis(200);
/// How often the receiver says where it is, so that no switch forgets it.
const ANNOUNCED_EVERY: Duration = Duration::from_secs(1);
/// How long nothing at all may arrive.
const PATIENCE: Duration = Duration::from_secs(5);

/// So many CPUs busy with something else before a test make the time per frame unknown: the test
/// takes time from whatever ran.
const BUSY: f64 = 0.1;

/// What became of the frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flood {
    /// The window, from the first reading of the counters to the last.
    pub(crate) time: Duration,
    /// Frames that the sender's kernel took in that time.
    pub(crate) sent: u64,
    /// Frames that the receiving interface counted in that time.
    pub(crate) received: u64,
    /// What all CPUs together worked in that time, more than before.
    pub(crate) cpu: Duration,
    /// How busy they were before: 1 for one of them all the time.
    pub(crate) busy_before: f64,
    /// Frames sent in the whole run, before and after the window too.
    pub(crate) all_sent: u64,
    /// Frames that the receiving interface counted in the whole run, others' too.
    pub(crate) all_received: u64,
}

/// All counters, read at one moment.
#[derive(Clone, Copy, Debug)]
struct Moment {
    at: Instant,
    sent: u64,
    received: u64,
    cpu: cpu::Reading,
}

impl Moment {
    fn now(line: &mut Line<'_>, sent: &AtomicU64) -> anyhow::Result<Self> {
        let received = line.received()?;
        Ok(Self {
            at: Instant::now(),
            sent: sent.load(Ordering::Relaxed),
            received,
            cpu: cpu::Reading::now()?,
        })
    }

    /// What was counted since `earlier`; of the whole run nothing is known yet.
    fn since(&self, earlier: &Self, baseline: f64) -> Flood {
        Flood {
            time: self.at.saturating_duration_since(earlier.at),
            sent: self.sent.saturating_sub(earlier.sent),
            received: self.received.saturating_sub(earlier.received),
            cpu: self.cpu.busy_since(&earlier.cpu, baseline),
            busy_before: baseline,
            all_sent: 0,
            all_received: 0,
        }
    }
}

impl Flood {
    /// Frames received in a second.
    pub(crate) fn frames_per_second(&self) -> f64 {
        figures::value(self.received) / self.time.as_secs_f64()
    }

    /// Frames sent in a second.
    pub(crate) fn sent_per_second(&self) -> f64 {
        figures::value(self.sent) / self.time.as_secs_f64()
    }

    /// Frames of the whole run that never arrived. Others' frames that arrived hide as many.
    pub(crate) const fn lost(&self) -> u64 {
        self.all_sent.saturating_sub(self.all_received)
    }

    /// Seconds that a CPU worked for a frame that arrived; unknown where the machine was busy with
    /// something else before.
    pub(crate) fn cpu_per_frame(&self) -> Option<f64> {
        let is_known = self.busy_before <= BUSY && self.received > 0;
        is_known.then(|| self.cpu.as_secs_f64() / figures::value(self.received))
    }

    /// As figures.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let mut figures = vec![
            Figure {
                key: "frames_per_second",
                name: "received",
                value: self.frames_per_second(),
                unit: Unit::FramesPerSecond,
                better: Better::More,
            },
            Figure {
                key: "lost",
                name: "lost",
                value: figures::value(self.lost()),
                unit: Unit::Count,
                better: Better::Less,
            },
        ];
        figures.extend(self.cpu_per_frame().map(|value| Figure {
            key: "cpu_per_frame",
            name: "CPU per frame",
            value,
            unit: Unit::Seconds,
            better: Better::Less,
        }));
        figures
    }
}

/// Sends frames of `size` bytes, check sequence included, from `sources` stations in turn.
pub(super) fn run(
    path: &Path,
    size: usize,
    sources: usize,
    time: Duration,
    stop: &Stop,
) -> anyhow::Result<Flood> {
    let mut line = Line::open(path, size)?;
    let mut sender = line.sender(sources)?;
    line.reach(stop)?;
    let baseline = cpu::baseline(stop)?;
    let before = line.received()?;
    let running = AtomicBool::new(true);
    let sent = AtomicU64::new(0);
    let (window, outcome) = thread::scope(|scope| {
        let sending = scope.spawn(|| blast(&mut sender, &running, &sent));
        let window = watch(&mut line, &sent, baseline, time, stop, || {
            sending.is_finished()
        });
        running.store(false, Ordering::Relaxed);
        (window, sending.join())
    });
    outcome
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        .with_context(|| format!("can't send frames at {}", path.from))?;
    let window = window?;
    let all_sent = sent.into_inner();
    let all_received = line.settled(before, all_sent, stop)?;
    if window.received == 0 {
        bail!("{line} lets no frame of {size} bytes through under load");
    }
    Ok(Flood {
        all_sent,
        all_received,
        ..window
    })
}

fn blast(sender: &mut Sender, running: &AtomicBool, sent: &AtomicU64) -> std::io::Result<()> {
    while running.load(Ordering::Relaxed) {
        let taken = sender.send(sender::MOST)?;
        sent.fetch_add(taken, Ordering::Relaxed);
    }
    Ok(())
}

/// Counts for `time` what is sent and received, and how busy the machine is.
fn watch(
    line: &mut Line<'_>,
    sent: &AtomicU64,
    baseline: f64,
    time: Duration,
    stop: &Stop,
    ended: impl Fn() -> bool,
) -> anyhow::Result<Flood> {
    stop.pause(WARM_UP)?;
    let start = Moment::now(line, sent)?;
    let end = start.at + time;
    let mut next = start.at;
    let mut received = start.received;
    let mut arrived_at = start.at;
    while next < end && !ended() {
        line.announce()?;
        next = end.min(next + ANNOUNCED_EVERY);
        stop.pause_while(|| !ended(), next)?;
        let before = std::mem::replace(&mut received, line.received()?);
        if received > before {
            arrived_at = Instant::now();
        } else if arrived_at.elapsed() > PATIENCE {
            bail!(
                "no frame has come through for {} s on {line}: it is cut, or what forwards hangs",
                PATIENCE.as_secs()
            );
        }
    }
    Ok(Moment::now(line, sent)?.since(&start, baseline))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_window_and_losses_of_the_whole_run() {
        let flood = Flood {
            time: Duration::from_secs(2),
            sent: 2_000,
            received: 1_000,
            cpu: Duration::from_millis(1),
            busy_before: 0.0,
            all_sent: 3_000,
            all_received: 2_900,
        };
        assert!((flood.frames_per_second() - 500.0).abs() < 1e-9);
        assert!((flood.sent_per_second() - 1_000.0).abs() < 1e-9);
        assert!((flood.cpu_per_frame().unwrap() - 1e-6).abs() < 1e-12);
        assert_eq!(flood.lost(), 100);
        let with_others = Flood {
            all_received: 3_001,
            busy_before: 0.5,
            ..flood
        };
        assert_eq!(with_others.lost(), 0);
        assert_eq!(with_others.cpu_per_frame(), None);
    }
}
