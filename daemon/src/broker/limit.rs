//! How often something may be started.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    /// Those that were started after they were given up. Whoever may still start one has a handle.
    late: Arc<Mutex<Vec<Pid>>>,
}

/// Takes note of one that is started too late.
#[derive(Debug)]
pub(super) struct Late(Arc<Mutex<Vec<Pid>>>);

impl Late {
    /// It runs.
    pub(super) fn note(self, pid: Pid) {
        let mut late = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        late.push(pid);
    }
}

impl Starts {
    /// Whether one more may be started at `now`.
    ///
    /// # Errors
    /// Says why not, and how long to wait, as the end of a sentence.
    pub(super) fn permit(&mut self, now: Instant) -> Result<(), String> {
        // In this order: one that is noted in between is counted twice, never not at all.
        let under_way = self.under_way();
        self.reap();
        let alive = self.alive.len() + under_way;
        if alive >= ALIVE {
            return Err(format!(
                "start another successor while {alive} that were started before still run; wait for \
                 their end"
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

    /// For one whose start may take too long: while it is there, the one counts.
    pub(super) fn late(&self) -> Late {
        Late(Arc::clone(&self.late))
    }

    /// How many may still be started that were given up.
    fn under_way(&self) -> usize {
        Arc::strong_count(&self.late) - 1
    }

    /// Whether one may still run.
    pub(super) fn has_some(&self) -> bool {
        // In this order: one that is under way becomes one that is noted.
        self.under_way() > 0 || !self.alive.is_empty() || !self.noted_late().is_empty()
    }

    fn noted_late(&self) -> MutexGuard<'_, Vec<Pid>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of the end of those that have ended, so that nothing is left of them.
    pub(super) fn reap(&mut self) {
        let late = std::mem::take(&mut *self.noted_late());
        self.alive.extend(late);
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
    use nix::errno::Errno;

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

    #[test]
    fn one_that_is_noted_late_is_there_before_it_is_reaped() {
        let starts = Starts::default();
        starts.late().note(Pid::from_raw(i32::MAX));
        assert!(starts.has_some());
    }

    #[test]
    fn one_that_is_started_too_late_counts_and_is_reaped() {
        let mut starts = Starts::default();
        let late: Vec<Late> = (0..ALIVE).map(|_| starts.late()).collect();
        let told = starts.permit(Instant::now()).unwrap_err();
        assert!(told.contains("still run"), "{told}");
        let mut children = Vec::new();
        for late in late {
            assert!(starts.has_some());
            let child = std::process::Command::new("/proc/self/exe")
                .arg("--help")
                .stdout(std::process::Stdio::null())
                .spawn();
            let child = Pid::from_raw(child.unwrap().id().cast_signed());
            children.push(child);
            late.note(child);
        }
        while starts.has_some() {
            starts.reap();
            std::thread::yield_now();
        }
        for child in children {
            assert_eq!(waitpid(child, None), Err(Errno::ECHILD), "nothing is left");
        }
        starts.permit(Instant::now()).unwrap();
    }
}
