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
use super::stop::Stop;
use line::Line;
use sender::Sender;

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
    /// For how long frames were counted.
    pub(crate) time: Duration,
    /// Frames that the sender's kernel took in that time.
    pub(crate) sent: u64,
    /// Frames that the receiving interface counted in that time.
    pub(crate) received: u64,
    /// What all CPUs together worked in that time, more than before.
    pub(crate) cpu: Duration,
    /// How busy they were before: 1 for one of them all the time.
    pub(crate) busy_before: f64,
    /// Frames sent from the first to the last, before and after that time too.
    pub(crate) all_sent: u64,
    /// Those of them that never arrived.
    pub(crate) lost: u64,
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
                value: figures::value(self.lost),
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
    let arrived = line.settled(before, all_sent, stop)?;
    if window.received == 0 {
        bail!("{line} lets no frame of {size} bytes through under load");
    }
    Ok(Flood {
        all_sent,
        lost: all_sent.saturating_sub(arrived),
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
    let start = Instant::now();
    let sent_before = sent.load(Ordering::Relaxed);
    let received_before = line.received()?;
    let cpu_before = cpu::Reading::now()?;
    let end = start + time;
    let mut next = start;
    let mut received = received_before;
    let mut arrived_at = start;
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
    let sent = sent.load(Ordering::Relaxed);
    let elapsed = start.elapsed();
    let cpu = cpu::Reading::now()?.busy_since(&cpu_before, baseline);
    Ok(Flood {
        time: elapsed,
        sent: sent - sent_before,
        received: received.saturating_sub(received_before),
        cpu,
        busy_before: baseline,
        all_sent: sent,
        lost: 0,
    })
}
