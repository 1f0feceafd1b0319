//! How often something may be started.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// So many processes are started in one [`PERIOD`] at most. Every successor that goes on with the
/// switch has a broker of its own, which begins to count anew: this is about those that fail.
pub(super) const STARTS: usize = 10;
pub(super) const PERIOD: Duration = Duration::from_secs(60);
/// So many of them may live at once. One does, as a rule: the others were given up as too slow.
pub(super) const ALIVE: usize = 4;

/// The processes that were started.
#[derive(Debug, Default)]
pub(super) struct Starts {
    alive: Vec<Pid>,
    times: VecDeque<Instant>,
}

impl Starts {
    /// Whether one more may be started at `now`.
    ///
    /// # Errors
    /// Says why not, and how long to wait, as the end of a sentence.
    pub(super) fn permit(&mut self, now: Instant) -> Result<(), String> {
        self.reap();
        if self.alive.len() >= ALIVE {
            return Err(format!(
                "start another successor while {} that were started before still run; wait for \
                 their end",
                self.alive.len()
            ));
        }
        while let Some(first) = self.times.front()
            && now.duration_since(*first) >= PERIOD
        {
            self.times.pop_front();
        }
        if self.times.len() >= STARTS
            && let Some(first) = self.times.front()
        {
            let wait = PERIOD.saturating_sub(now.duration_since(*first));
            return Err(format!(
                "start another successor, after {STARTS} in the last {} seconds; wait {} seconds",
                PERIOD.as_secs(),
                wait.as_secs() + 1
            ));
        }
        Ok(())
    }

    /// One is being started.
    pub(super) fn note_attempt(&mut self, now: Instant) {
        self.times.push_back(now);
    }

    /// One runs.
    pub(super) fn note(&mut self, pid: Pid) {
        self.alive.push(pid);
    }

    /// Whether one may still run.
    pub(super) fn has_some(&self) -> bool {
        !self.alive.is_empty()
    }

    /// Takes note of the end of those that have ended, so that nothing is left of them.
    pub(super) fn reap(&mut self) {
        self.alive.retain(|pid| {
            matches!(
                waitpid(*pid, Some(WaitPidFlag::WNOHANG)),
                Ok(WaitStatus::StillAlive)
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_at_once_are_refused_and_later_ones_are_not() {
        let begin = Instant::now();
        let mut starts = Starts::default();
        for _ in 0..STARTS {
            starts.permit(begin).unwrap();
            starts.note_attempt(begin);
        }
        let told = starts.permit(begin + PERIOD / 2).unwrap_err();
        assert!(told.contains("wait 31 seconds"), "{told}");
        starts.permit(begin + PERIOD).unwrap();
    }
}
