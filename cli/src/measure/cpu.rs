//! How busy the whole machine is, interrupts included, from `/proc/stat` (proc(5)).

use std::time::{Duration, Instant};

use anyhow::Context;
use nix::unistd::{SysconfVar, sysconf};

use vswitch_control::stop::Stop;

/// How long the machine is watched before a test, to know what it does anyhow: the clock ticks of
/// 10 ms in which the kernel counts are then one part in a hundred of a CPU.
pub(super) const BASELINE: Duration = Duration::from_secs(1);
const STAT: &str = "/proc/stat";

/// The time that all CPUs together have been busy, and when that was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    busy: Duration,
    at: Instant,
}

impl Reading {
    pub(super) fn now() -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(STAT)
            .with_context(|| format!("can't read how busy the machine is from {STAT}"))?;
        let ticks = busy_ticks(&text)
            .with_context(|| format!("can't find how busy the machine is in {STAT}"))?;
        let per_second = sysconf(SysconfVar::CLK_TCK)
            .ok()
            .flatten()
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| *number != 0)
            .context("the system does not say how long a clock tick is")?;
        Ok(Self {
            busy: Duration::from_secs(ticks) / per_second,
            at: Instant::now(),
        })
    }

    /// How busy all CPUs together were since `earlier`: 1 for one of them all the time.
    pub(super) fn load_since(&self, earlier: &Self) -> f64 {
        let elapsed = self.at.saturating_duration_since(earlier.at);
        if elapsed.is_zero() {
            return 0.0;
        }
        self.busy.saturating_sub(earlier.busy).as_secs_f64() / elapsed.as_secs_f64()
    }

    /// The time that they were busy since `earlier`, less what a load of `baseline` takes.
    pub(super) fn busy_since(&self, earlier: &Self, baseline: f64) -> Duration {
        let elapsed = self.at.saturating_duration_since(earlier.at).as_secs_f64();
        let above = (self.load_since(earlier) - baseline).max(0.0);
        Duration::try_from_secs_f64(above * elapsed).unwrap_or_default()
    }
}

/// The load before a test.
pub(super) fn baseline(stop: &Stop) -> anyhow::Result<f64> {
    let before = Reading::now()?;
    stop.pause(BASELINE)?;
    Ok(Reading::now()?.load_since(&before))
}

/// Clock ticks of all CPUs in user, nice, system, irq and softirq. Guests are part of user; idle,
/// iowait and steal are nobody's work here.
fn busy_ticks(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let columns: Vec<u64> = line
        .split_ascii_whitespace()
        .map_while(|word| word.parse().ok())
        .collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, ..] = columns[..] else {
        return None;
    };
    Some(user + nice + system + irq + softirq)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_is_neither_idle_nor_waiting_nor_stolen() {
        let stat = "cpu  1 20 300 4000 50000 600000 7000000 80000000 900000000 1\n\
                    cpu0 9 9 9 9 9 9 9 9 9 9\nintr 5\n";
        assert_eq!(busy_ticks(stat), Some(7_600_321));
        assert_eq!(busy_ticks("cpu  1 2 3 4\n"), None);
        assert_eq!(busy_ticks("cpu0 1 2 3 4 5 6 7\n"), None);
    }

    #[test]
    fn the_baseline_is_taken_off() {
        let at = Instant::now();
        let reading = |busy, after| Reading {
            busy: Duration::from_secs(busy),
            at: at + Duration::from_secs(after),
        };
        let (before, after) = (reading(100, 0), reading(106, 4));
        assert!((after.load_since(&before) - 1.5).abs() < 1e-9);
        assert_eq!(after.busy_since(&before, 0.5), Duration::from_secs(4));
        assert_eq!(after.busy_since(&before, 2.0), Duration::ZERO);
        assert!(before.load_since(&before).abs() < 1e-9);
    }
}
