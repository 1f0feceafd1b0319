//! Measuring all rivals, round after round.
//!
//! A machine's speed drifts with its temperature and its other work. So what is compared is
//! measured in turn, close together, and as often as there are rounds. Each measurement has a rival
//! that was set up for it alone: the others do not run meanwhile, and nothing is carried over.

use std::time::Duration;

use anyhow::Context;

use super::plan::Plan;
use super::rivals::SET_UP;
use super::samples::Samples;
use crate::args::Rival;
use crate::commands::bench::progress::Progress;
use crate::measure::{Figure, Stop, Test, run};

/// Does what is planned, or what of it is possible until `stop` is set.
pub(super) fn measure(plan: &Plan, stop: &Stop) -> Samples {
    let mut samples = Samples::default();
    for &rival in &plan.rivals {
        let missing = rival.missing();
        if !missing.is_empty() {
            let reason = format!("not installed: {}", missing.join(", "));
            samples.give_up(rival, None, reason);
        }
    }
    let mut progress = Progress::new(expected(plan, &samples));
    for round in 0..plan.rounds {
        for (index, &test) in plan.tests.iter().enumerate() {
            for rival in plan.order(round, index) {
                if stop.is_set() {
                    samples.interrupted = true;
                    return samples;
                }
                if samples.wants(rival, test) {
                    let what = what(plan, round, test, rival);
                    progress.step(&what, SET_UP + test.duration(plan.time));
                    one(plan, (round, rival, test), stop, &mut samples);
                }
            }
        }
    }
    progress.clear();
    samples
}

fn what(plan: &Plan, round: u32, test: Test, rival: Rival) -> String {
    let (round, rounds) = (round + 1, plan.rounds);
    let (test, rival) = (test.name(), rival.key());
    format!("{rival}: {test} (round {round} of {rounds})")
}

/// How long all of it takes.
fn expected(plan: &Plan, samples: &Samples) -> Duration {
    let round: Duration = plan
        .tests
        .iter()
        .flat_map(|&test| plan.rivals.iter().map(move |&rival| (rival, test)))
        .filter(|&(rival, test)| samples.wants(rival, test))
        .map(|(_, test)| SET_UP + test.duration(plan.time))
        .sum();
    round * plan.rounds
}

/// One measurement.
fn one(plan: &Plan, (round, rival, test): (u32, Rival, Test), stop: &Stop, samples: &mut Samples) {
    let running = match rival.start(stop) {
        Ok(running) => running,
        // Whatever failed, it was the interruption.
        Err(_) if stop.is_set() => return,
        Err(error) => return samples.give_up(rival, None, format!("can't be set up: {error:#}")),
    };
    let figures: anyhow::Result<Vec<Figure>> = run(test, &running.path, plan.time, stop)
        .with_context(|| format!("can't be measured with {}", test.name()));
    match figures {
        _ if stop.is_set() => {}
        Ok(figures) => samples.add(round, rival, test, &figures),
        Err(error) => samples.give_up(rival, Some(test), format!("{error:#}")),
    }
}
