//! Ending early, at a signal.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::signals;

/// How often who waits looks whether to stop.
const TICK: Duration = Duration::from_millis(20);

/// Set by a signal that asks this process to end. All tests look at it several times a second
/// and end early with [`Interrupted`].
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// The signal's number; 0 before it comes.
    signal: Arc<AtomicUsize>,
}

/// A measurement ended early because it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

impl Stop {
    /// Set by SIGINT, SIGTERM and, unless it is ignored (nohup(1)), SIGHUP, which end the process
    /// no more by themselves. Programs that it starts are not concerned.
    ///
    /// # Errors
    /// Where the system does not let signals be handled.
    pub fn on_signals() -> anyhow::Result<Self> {
        let stop = Self::never();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            if signal == SIGHUP && signals::hangup_is_ignored() {
                continue;
            }
            let number = usize::try_from(signal)?;
            flag::register_usize(signal, Arc::clone(&stop.signal), number)
                .context("can't listen for signals")?;
        }
        Ok(stop)
    }

    /// Never set.
    pub fn never() -> Self {
        Self::default()
    }

    /// The number of the signal that came.
    pub fn signal(&self) -> Option<u8> {
        let number = self.signal.load(Ordering::Relaxed);
        u8::try_from(number).ok().filter(|number| *number != 0)
    }

    /// Whether to end.
    pub fn is_set(&self) -> bool {
        self.signal().is_some()
    }

    /// An error where it is time to end.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn check(&self) -> Result<(), Interrupted> {
        if self.is_set() {
            Err(Interrupted)
        } else {
            Ok(())
        }
    }

    /// Sleeps for `time`.
    ///
    /// # Errors
    /// [`Interrupted`], as soon as it is time to end.
    pub fn pause(&self, time: Duration) -> Result<(), Interrupted> {
        let end = Instant::now() + time;
        self.pause_while(|| Instant::now() < end, end)
    }

    /// Sleeps as long as `holds` does, looked at many times a second, at most until `end`.
    ///
    /// # Errors
    /// [`Interrupted`], as soon as it is time to end.
    pub fn pause_while(
        &self,
        mut holds: impl FnMut() -> bool,
        end: Instant,
    ) -> Result<(), Interrupted> {
        while holds() {
            self.check()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            std::thread::sleep(left.min(TICK));
        }
        self.check()
    }
}

#[cfg(test)]
impl Stop {
    /// Set already.
    fn set() -> Self {
        let stop = Self::never();
        stop.signal
            .store(usize::try_from(SIGINT).unwrap(), Ordering::Relaxed);
        stop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_at_once_when_it_is_time_to_end() {
        let stop = Stop::set();
        assert_eq!(stop.pause(Duration::from_secs(3_600)), Err(Interrupted));
        assert_eq!(stop.signal(), Some(2));
    }

    #[test]
    fn a_pause_ends_when_its_condition_does() {
        let stop = Stop::never();
        let far = Instant::now() + Duration::from_secs(3_600);
        let mut looks = 3;
        let holds = || {
            looks -= 1;
            looks > 0
        };
        assert_eq!(stop.pause_while(holds, far), Ok(()));
        assert_eq!(stop.pause(Duration::ZERO), Ok(()));
        assert_eq!(stop.signal(), None);
    }
}
