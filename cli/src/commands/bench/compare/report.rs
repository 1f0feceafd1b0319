//! The outcome of a comparison: medians, spreads and ratios. As JSON, fields are added, never
//! renamed or removed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::machine::Machine;
use super::plan::Plan;
use super::samples::{Problem, Sample, Samples, Series};
use crate::args::Rival;
use crate::measure::{Better, Test, Unit};

/// What has to be known of a build whose figures are no measure of the program.
const UNOPTIMISED: &str =
    "built without optimisation: its real figures are those of 'cargo run --release'";

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) machine: Machine,
    pub(super) congestion_control: &'static str,
    pub(super) time_s: u64,
    pub(super) rounds: u32,
    pub(super) interrupted: bool,
    /// To which rival the ratios are.
    pub(super) reference: Option<&'static str>,
    pub(super) rivals: Vec<RivalReport>,
    pub(super) tests: Vec<TestReport>,
}

#[derive(Debug, Serialize)]
pub(super) struct RivalReport {
    pub(super) key: &'static str,
    pub(super) description: &'static str,
    pub(super) version: Option<String>,
    /// Sentences that say what of it was not measured, and why.
    pub(super) problems: Vec<String>,
}

/// What was measured in one test. A rival that has no figures in it is not there.
#[derive(Debug, Serialize)]
pub(super) struct TestReport {
    pub(super) key: String,
    pub(super) name: String,
    pub(super) figures: Vec<FigureReport>,
}

#[derive(Debug, Serialize)]
pub(super) struct FigureReport {
    pub(super) key: &'static str,
    pub(super) name: &'static str,
    #[serde(rename = "unit")]
    unit_key: &'static str,
    better: &'static str,
    #[serde(skip)]
    pub(super) unit: Unit,
    #[serde(skip)]
    pub(super) less_is_better: bool,
    /// By the key of the rival.
    pub(super) results: BTreeMap<&'static str, Summary>,
}

/// One figure of one rival in all rounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Summary {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    /// To the reference: the median of the ratios in each round that has a sample of both.
    pub(super) ratio: Option<f64>,
    /// How many rounds those are.
    pub(super) ratio_rounds: usize,
    pub(super) samples: Vec<f64>,
    /// From which round each sample is; the first is 1.
    pub(super) sample_rounds: Vec<u32>,
}

impl Report {
    pub(super) fn new(plan: &Plan, samples: &Samples) -> Self {
        let reference = reference(plan, samples);
        let tests = plan.tests.iter();
        Self {
            machine: Machine::this(),
            congestion_control: "cubic",
            time_s: plan.time.as_secs(),
            rounds: plan.rounds,
            interrupted: samples.interrupted,
            reference: reference.map(Rival::key),
            rivals: plan.rivals.iter().map(|&r| rival(r, samples)).collect(),
            tests: tests
                .map(|&test| test_report(test, samples, reference))
                .filter(|test| !test.figures.is_empty())
                .collect(),
        }
    }

    /// Whether no rival has any figure.
    pub(super) fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// What could not be measured, a sentence each; the same of several rivals is said once.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut said: Vec<(&str, Vec<&str>)> = Vec::new();
        for rival in &self.rivals {
            for problem in &rival.problems {
                match said.iter_mut().find(|(text, _)| text == problem) {
                    Some((_, rivals)) => rivals.push(rival.key),
                    None => said.push((problem, vec![rival.key])),
                }
            }
        }
        said.iter()
            .map(|(problem, rivals)| format!("{}: {problem}", rivals.join(", ")))
            .collect()
    }

    /// How many rounds there were, and what the spread and the ratio are: in sentences.
    pub(super) fn legend(&self) -> Vec<String> {
        let rounds = match self.rounds {
            1 => "One round".to_owned(),
            rounds => format!("Medians of {rounds} rounds"),
        };
        let so_far = if self.interrupted {
            ", as far as they went,"
        } else {
            ""
        };
        let time = self.time_s;
        let mut legend = vec![format!("{rounds}{so_far} with {time} s for each test.")];
        if self.rounds > 1 {
            legend.push("Spread: the lowest and the highest, from the median.".to_owned());
        }
        legend.extend(self.reference.map(|key| match self.rounds {
            1 => format!("Ratio: to {key}."),
            _ => format!("Ratio: to {key}. Median of the ratios in each round."),
        }));
        if self.lacks_samples() {
            legend.push("n: from how many rounds, where not from all.".to_owned());
        }
        legend
    }

    /// The mark of what comes from fewer rounds than there were.
    pub(super) fn fewer(&self, rounds: usize) -> String {
        match u32::try_from(rounds) {
            Ok(rounds) if rounds < self.rounds => format!(" (n={rounds})"),
            _ => String::new(),
        }
    }

    /// Whether anything has that mark.
    fn lacks_samples(&self) -> bool {
        let figures = self.tests.iter().flat_map(|test| &test.figures);
        let mut results = figures.flat_map(|figure| figure.results.values());
        results.any(|result| {
            !self.fewer(result.samples.len()).is_empty()
                || result.ratio.is_some() && !self.fewer(result.ratio_rounds).is_empty()
        })
    }
}

/// The rival to which the others are compared.
fn reference(plan: &Plan, samples: &Samples) -> Option<Rival> {
    let mut measured = plan.rivals.iter().copied().filter(|&r| samples.has(r));
    if samples.has(Rival::Bridge) {
        return Some(Rival::Bridge);
    }
    measured.next()
}

fn rival(rival: Rival, samples: &Samples) -> RivalReport {
    let problems = samples.problems.iter().filter(|p| p.rival == rival);
    let slow = cfg!(debug_assertions) && rival == Rival::Vswitch && samples.has(rival);
    let missing = rival.missing();
    RivalReport {
        key: rival.key(),
        description: rival.description(),
        version: if missing.is_empty() {
            rival.version()
        } else {
            None
        },
        problems: problems
            .map(sentence)
            .chain(slow.then(|| UNOPTIMISED.to_owned()))
            .collect(),
    }
}

/// Without the rival at its beginning.
fn sentence(problem: &Problem) -> String {
    // One line, whatever a program has said.
    let words: Vec<_> = problem.reason.split_whitespace().collect();
    words.join(" ")
}

fn test_report(test: Test, samples: &Samples, reference: Option<Rival>) -> TestReport {
    let mut figures: Vec<FigureReport> = Vec::new();
    for series in samples.of_test(test) {
        let of_reference = samples
            .of_test(test)
            .find(|other| Some(other.rival) == reference && other.figure.key == series.figure.key);
        let summary = summary(&series.values, of_reference.map(|s| &s.values[..]));
        let key = series.figure.key;
        let index = figures.iter().position(|figure| figure.key == key);
        let index = index.unwrap_or_else(|| {
            figures.push(figure_report(series));
            figures.len() - 1
        });
        figures[index].results.insert(series.rival.key(), summary);
    }
    TestReport {
        key: test.key(),
        name: test.name(),
        figures,
    }
}

fn figure_report(series: &Series) -> FigureReport {
    let figure = series.figure;
    FigureReport {
        key: figure.key,
        name: figure.name,
        unit_key: match figure.unit {
            Unit::FramesPerSecond => "frames_per_second",
            Unit::BitsPerSecond => "bits_per_second",
            Unit::Seconds => "seconds",
            Unit::Count => "count",
        },
        better: match figure.better {
            Better::More => "more",
            Better::Less => "less",
        },
        unit: figure.unit,
        less_is_better: figure.better == Better::Less,
        results: BTreeMap::new(),
    }
}

fn summary(samples: &[Sample], reference: Option<&[Sample]>) -> Summary {
    let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
    let ratios = ratios(samples, reference.unwrap_or_default());
    // Nothing to nothing is no ratio.
    let is_ratio = !ratios.is_empty() && ratios.iter().all(|ratio| ratio.is_finite());
    Summary {
        median: median(&values),
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        ratio: is_ratio.then(|| median(&ratios)),
        ratio_rounds: if is_ratio { ratios.len() } else { 0 },
        samples: values,
        sample_rounds: samples.iter().map(|sample| sample.round + 1).collect(),
    }
}

/// One for each round that has both. What drifts from round to round is not in them.
fn ratios(samples: &[Sample], reference: &[Sample]) -> Vec<f64> {
    let of_round = |round| reference.iter().find(move |other| other.round == round);
    samples
        .iter()
        .filter_map(|sample| Some(sample.value / of_round(sample.round)?.value))
        .collect()
}

/// The middle one, or the mean of the two in the middle. There is at least one.
fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    } else {
        sorted[middle]
    }
}

#[cfg(test)]
#[path = "report_tests.rs"]
pub(super) mod tests;
