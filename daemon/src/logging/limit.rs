//! How often one place in the program may say its thing.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use log::Level;

/// A place in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Site {
    pub(super) file: &'static str,
    pub(super) line: u32,
    pub(super) level: Level,
}

/// So many lines at once, and then one each so often.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    burst: u32,
    interval: Duration,
}

impl Allowance {
    /// What goes wrong goes wrong again and again; what somebody asks for may be a lab of hundreds.
    const fn of(level: Level) -> Self {
        match level {
            Level::Error | Level::Warn => Self {
                burst: 10,
                interval: Duration::from_secs(30),
            },
            _ => Self {
                burst: 1000,
                interval: Duration::from_millis(100),
            },
        }
    }
}

/// So long after the first line that was left out their number is told, with whatever is logged
/// next.
const SUMMARY: Duration = Duration::from_secs(30);

/// What is known of one place.
#[derive(Debug)]
struct Said {
    /// Lines that it has left, ...
    left: u32,
    /// ... as of this moment.
    at: Duration,
    left_out: Option<(Duration, LeftOut)>,
}

/// Lines that were not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    count: u64,
    last: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} more lines like this one were left out: {}",
            self.count, self.last
        )
    }
}

/// All places that have said anything.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    sites: HashMap<Site, Said>,
}

impl Limiter {
    /// Whether the place may say its `text` at `now`; if not, it is counted.
    pub(super) fn may(&mut self, site: Site, now: Duration, text: &str) -> bool {
        let allowance = Allowance::of(site.level);
        let said = self.sites.entry(site).or_insert(Said {
            left: allowance.burst,
            at: now,
            left_out: None,
        });
        said.refill(allowance, now);
        if said.left > 0 {
            said.left -= 1;
            return true;
        }
        let (_, left_out) = said.left_out.get_or_insert_with(|| {
            let none = LeftOut {
                count: 0,
                last: String::new(),
            };
            (now, none)
        });
        left_out.count += 1;
        text.clone_into(&mut left_out.last);
        false
    }

    /// What was left out long enough ago to be told at `now`.
    pub(super) fn take_due(&mut self, now: Duration) -> Vec<(Site, LeftOut)> {
        let is_due = |since: Duration| now.saturating_sub(since) >= SUMMARY;
        self.take(is_due)
    }

    /// All that was left out and not told.
    pub(super) fn take_all(&mut self) -> Vec<(Site, LeftOut)> {
        self.take(|_| true)
    }

    fn take(&mut self, is_wanted: impl Fn(Duration) -> bool) -> Vec<(Site, LeftOut)> {
        let taken = self.sites.iter_mut().filter_map(|(site, said)| {
            let (_, left_out) = said.left_out.take_if(|(since, _)| is_wanted(*since))?;
            Some((*site, left_out))
        });
        taken.collect()
    }
}

impl Said {
    fn refill(&mut self, allowance: Allowance, now: Duration) {
        let intervals = now.saturating_sub(self.at).as_nanos() / allowance.interval.as_nanos();
        let more = u32::try_from(intervals).unwrap_or(u32::MAX);
        if more > 0 {
            self.left = self.left.saturating_add(more).min(allowance.burst);
            self.at += allowance.interval.saturating_mul(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn site(line: u32, level: Level) -> Site {
        Site {
            file: "here.rs",
            line,
            level,
        }
    }

    fn at(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn what_goes_wrong_again_and_again_is_written_now_and_then_and_counted() {
        let mut limiter = Limiter::default();
        let here = site(1, Level::Warn);
        let written = (0..3000).filter(|n| limiter.may(here, at(n / 100), &n.to_string()));
        assert_eq!(written.count(), 10);
        assert_eq!(limiter.take_due(at(29)), []);
        let due = limiter.take_due(at(31));
        let left_out = LeftOut {
            count: 2990,
            last: "2999".to_owned(),
        };
        assert_eq!(due, [(here, left_out)]);
        assert_eq!(limiter.take_due(at(100)), [], "told once");

        assert!(limiter.may(here, at(31), "again"));
        assert!(!limiter.may(here, at(31), "and again"));
        assert!(limiter.may(site(2, Level::Warn), at(31), "another"));
        assert_eq!(limiter.take_all().len(), 1);
        // Silence makes good, but not more than there was.
        let written = (0..50).filter(|_| limiter.may(here, at(100_000), ""));
        assert_eq!(written.count(), 10);
    }

    #[test]
    fn hundreds_of_things_that_were_asked_for_are_told_one_by_one() {
        let mut limiter = Limiter::default();
        let here = site(1, Level::Info);
        assert!((0..1000).all(|n| limiter.may(here, at(0), &n.to_string())));
        assert!(!limiter.may(here, at(0), "one more"));
    }

    #[test]
    fn what_was_left_out_is_told_in_words() {
        let left_out = LeftOut {
            count: 7,
            last: "no room".to_owned(),
        };
        assert_eq!(
            left_out.to_string(),
            "7 more lines like this one were left out: no room"
        );
    }
}
