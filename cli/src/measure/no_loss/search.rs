//! The search for the highest rate at which a path loses nothing.

use crate::measure::figures;

/// A sender that offered less than this part of a rate was held up, or can do no more.
const OFFERED: f64 = 0.98;
/// A trial that lost less than this part may have met with a moment in which the machine was
/// held up, and gets a second chance. One that lost more was too fast.
const HICCUP: f64 = 0.1;

/// What became of the frames of one trial.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    /// Frames sent.
    pub(super) sent: u64,
    /// Frames that arrived.
    pub(super) received: u64,
    /// Frames really sent in a second.
    pub(super) rate: f64,
}

impl Trial {
    const fn passed(&self) -> bool {
        self.sent > 0 && self.received >= self.sent
    }

    fn lost_share(&self) -> f64 {
        let lost = self.sent.saturating_sub(self.received);
        figures::value(lost) / figures::value(self.sent.max(1))
    }
}

/// The end of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    /// The highest rate that passed, in frames really sent in a second.
    pub(super) rate: f64,
    /// The highest that the sender reached.
    pub(super) sender_limit: f64,
    /// Whether no higher rate could be offered.
    pub(super) limited_by_sender: bool,
    /// Trials made.
    pub(super) trials: u32,
}

/// Tries the rate that was found again with `trial`, a longer one. Where it loses, a rate lower by
/// `resolution` is tried, and so on, at most `most` trials in all; one in which the sender was held
/// up and offered less tells nothing, and is repeated. Returns the last rate, and whether it passed.
///
/// # Errors
/// That of a trial.
pub(super) fn confirm<E>(
    mut found: Found,
    resolution: f64,
    most: u32,
    mut trial: impl FnMut(Option<f64>) -> Result<Trial, E>,
) -> Result<(Found, bool), E> {
    // The sender's highest rate is offered as it was found: without a pace.
    let mut rate = (found.rate < found.sender_limit).then_some(found.rate);
    for left in (0..most).rev() {
        found.trials += 1;
        let tried = trial(rate)?;
        if tried.passed() && rate.is_none_or(|rate| tried.rate >= rate * OFFERED) {
            // What was really sent.
            found.rate = found.rate.min(tried.rate);
            return Ok((found, true));
        }
        if tried.passed() {
            continue;
        }
        found.limited_by_sender = false;
        if left > 0 {
            found.rate *= 1.0 - resolution;
            rate = Some(found.rate);
        }
    }
    Ok((found, false))
}

/// Halves the interval between a rate that passed and one that did not until it is no wider than
/// `resolution` of the latter, or `most` trials were made. `trial` is given a rate, or nothing
/// for the sender's highest. `None` if no trial passed.
///
/// # Errors
/// That of a trial.
pub(super) fn highest<E>(
    resolution: f64,
    most: u32,
    mut trial: impl FnMut(Option<f64>) -> Result<Trial, E>,
) -> Result<Option<Found>, E> {
    let mut trials = 0;
    let mut twice = |rate, trials: &mut u32| -> Result<Trial, E> {
        *trials += 1;
        let first = trial(rate)?;
        if first.passed() || first.lost_share() >= HICCUP || *trials >= most {
            return Ok(first);
        }
        *trials += 1;
        trial(rate)
    };
    let fastest = twice(None, &mut trials)?;
    let mut found = Found {
        rate: fastest.rate,
        sender_limit: fastest.rate,
        limited_by_sender: true,
        trials,
    };
    if fastest.passed() {
        return Ok(Some(found));
    }
    let (mut low, mut high) = (0.0, fastest.rate);
    let mut limited = false;
    while high - low > resolution * high && trials < most {
        let rate = f64::midpoint(low, high);
        let tried = twice(Some(rate), &mut trials)?;
        let offered = tried.rate >= rate * OFFERED;
        if tried.passed() && (offered || tried.rate > low * (1.0 + resolution)) {
            low = tried.rate.clamp(low, high);
        } else {
            // Lost; or passed at no higher rate than before, because the sender can do no more.
            high = rate;
            limited = tried.passed();
        }
    }
    found.rate = low;
    found.trials = trials;
    found.limited_by_sender = limited;
    Ok((low > 0.0).then_some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sender and a device behind it, each with its greatest rate.
    struct Simulation {
        sender: f64,
        device: f64,
        trials: u32,
        /// The trial that meets with a hiccup.
        hiccup: u32,
    }

    impl Simulation {
        fn new(sender: f64, device: f64) -> Self {
            Self {
                sender,
                device,
                trials: 0,
                hiccup: 0,
            }
        }

        fn trial(&mut self, rate: Option<f64>) -> Trial {
            self.trials += 1;
            let rate = rate.map_or(self.sender, |rate| rate.min(self.sender));
            let sent = figures::whole(rate);
            let mut received = figures::whole(rate.min(self.device));
            if self.trials == self.hiccup {
                received = received.saturating_sub(sent / 50);
            }
            Trial {
                sent,
                received,
                rate,
            }
        }

        fn search(&mut self) -> Option<Found> {
            let found = highest(0.02, 24, |rate| Ok::<_, ()>(self.trial(rate))).unwrap();
            assert!(self.trials <= 24, "{}", self.trials);
            assert!(found.is_none_or(|found| found.trials == self.trials));
            found
        }
    }

    #[test]
    fn the_rate_is_found_within_the_resolution() {
        for device in [1.9e6, 1e6, 654_321.0, 123_456.0, 50_000.0] {
            let mut simulation = Simulation::new(2e6, device);
            let found = simulation.search().unwrap();
            assert!(
                found.rate <= device && found.rate >= device * 0.979,
                "{device}: {found:?}"
            );
            assert!(!found.limited_by_sender);
            assert!((found.sender_limit - 2e6).abs() < 1.0);
        }
    }

    #[test]
    fn a_path_that_is_faster_than_the_sender_is_known_as_such() {
        let found = Simulation::new(2e6, 1e9).search().unwrap();
        assert!(found.limited_by_sender && found.trials == 1);
        assert!((found.rate - 2e6).abs() < 1.0);
    }

    #[test]
    fn one_hiccup_does_not_matter_and_two_do() {
        for hiccup in [2, 3, 5] {
            let mut simulation = Simulation::new(2e6, 1e6);
            simulation.hiccup = hiccup;
            let found = simulation.search().unwrap();
            assert!(found.rate >= 0.979e6, "{hiccup}: {found:?}");
        }
        let mut simulation = Simulation::new(2e6, 1e9);
        simulation.hiccup = 1;
        assert!(simulation.search().unwrap().limited_by_sender);
    }

    #[test]
    fn a_path_that_always_loses_ends_the_search() {
        let mut simulation = Simulation::new(1e6, 0.0);
        assert_eq!(simulation.search(), None);
        assert!(simulation.trials > 6);
    }

    #[test]
    fn a_sender_that_keeps_no_rate_is_the_limit() {
        // Unpaced it overruns the device; paced it reaches 300,000 at most.
        let mut device = Simulation::new(2e6, 1e6);
        let found = highest(0.02, 24, |rate| {
            Ok::<_, ()>(device.trial(rate.map(|rate| rate.min(3e5))))
        });
        let found = found.unwrap().unwrap();
        assert!(found.limited_by_sender, "{found:?}");
        assert!((found.rate - 3e5).abs() < 6e3, "{found:?}");
    }

    #[test]
    fn a_rate_that_a_longer_trial_does_not_confirm_is_lowered() {
        let found = Found {
            rate: 1e6,
            sender_limit: 2e6,
            limited_by_sender: false,
            trials: 9,
        };
        let confirmed = |found, device| {
            let mut simulation = Simulation::new(2e6, device);
            confirm(found, 0.02, 3, |rate| Ok::<_, ()>(simulation.trial(rate))).unwrap()
        };
        assert_eq!(
            confirmed(found, 1e6),
            (
                Found {
                    trials: 10,
                    ..found
                },
                true
            )
        );
        let (lower, passed) = confirmed(found, 0.97e6);
        assert!(passed && lower.trials == 12, "{lower:?}");
        assert!((lower.rate - 0.9604e6).abs() < 1.0, "{lower:?}");
        let (lost, passed) = confirmed(found, 0.5e6);
        assert!(!passed && lost.trials == 12, "{lost:?}");
        assert!((lost.rate - 0.9604e6).abs() < 1.0, "{lost:?}");
        // The sender's highest rate, which the path does not bear for longer.
        let fastest = Found {
            rate: 2e6,
            limited_by_sender: true,
            ..found
        };
        assert!(confirmed(fastest, 2e6).0.limited_by_sender);
        let (lower, passed) = confirmed(fastest, 1.97e6);
        assert!(passed && !lower.limited_by_sender, "{lower:?}");
        assert!((lower.rate - 1.96e6).abs() < 1.0, "{lower:?}");
    }

    #[test]
    fn a_longer_trial_whose_sender_was_held_up_confirms_nothing() {
        let found = Found {
            rate: 1e6,
            sender_limit: 2e6,
            limited_by_sender: false,
            trials: 9,
        };
        // How much of the rate is offered in each of the longer trials.
        let confirmed = |shares: &[f64]| {
            let mut simulation = Simulation::new(2e6, 1e6);
            let mut shares = shares.iter();
            confirm(found, 0.02, 3, |rate| {
                let share = shares.next().unwrap();
                Ok::<_, ()>(simulation.trial(rate.map(|rate| rate * share)))
            })
            .unwrap()
        };
        let (repeated, passed) = confirmed(&[0.5, 0.7, 1.0]);
        assert!(passed && repeated.trials == 12, "{repeated:?}");
        assert!((repeated.rate - 1e6).abs() < 1.0, "{repeated:?}");
        let (never, passed) = confirmed(&[0.5, 0.7, 0.97]);
        assert!(!passed && never.trials == 12, "{never:?}");
        assert!((never.rate - 1e6).abs() < 1.0, "{never:?}");
        assert!(confirmed(&[0.985]).1, "within what a pace allows");
    }

    #[test]
    fn a_trial_that_fails_ends_the_search() {
        assert_eq!(highest(0.02, 24, |_| Err("gone")), Err("gone"));
    }
}
