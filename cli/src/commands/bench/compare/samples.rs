//! What was measured, round after round.

use crate::args::Rival;
use crate::measure::{Figure, Test};

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Samples {
    series: Vec<Series>,
    pub(super) problems: Vec<Problem>,
    /// Whether it came to an end early.
    pub(super) interrupted: bool,
}

/// The same figure of the same test of the same rival, from each round.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) rival: Rival,
    pub(super) test: Test,
    /// As it was in the first of the rounds.
    pub(super) figure: Figure,
    pub(super) values: Vec<Sample>,
}

/// What one round gave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) round: u32,
    pub(super) value: f64,
}

/// Why there is less of a rival than was asked for.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) rival: Rival,
    /// `None`: it was measured no more at all.
    pub(super) test: Option<Test>,
    /// The rest of a sentence that begins with the rival.
    pub(super) reason: String,
}

impl Samples {
    pub(super) fn add(&mut self, round: u32, rival: Rival, test: Test, figures: &[Figure]) {
        for figure in figures {
            let value = figure.value;
            let sample = Sample { round, value };
            let same = |series: &&mut Series| {
                (series.rival, series.test, series.figure.key) == (rival, test, figure.key)
            };
            match self.series.iter_mut().find(same) {
                Some(series) => series.values.push(sample),
                None => self.series.push(Series {
                    rival,
                    test,
                    figure: *figure,
                    values: vec![sample],
                }),
            }
        }
    }

    /// The rival is out: of this test, or (`None`) of all.
    pub(super) fn give_up(&mut self, rival: Rival, test: Option<Test>, reason: String) {
        self.problems.push(Problem {
            rival,
            test,
            reason,
        });
    }

    /// Whether the rival is still to be measured in this test.
    pub(super) fn wants(&self, rival: Rival, test: Test) -> bool {
        let concerns =
            |problem: &&Problem| problem.rival == rival && problem.test.is_none_or(|t| t == test);
        !self.problems.iter().any(|problem| concerns(&problem))
    }

    /// The figures of a test, of whatever rival has them.
    pub(super) fn of_test(&self, test: Test) -> impl Iterator<Item = &Series> {
        self.series.iter().filter(move |series| series.test == test)
    }

    /// Whether anything was measured of a rival.
    pub(super) fn has(&self, rival: Rival) -> bool {
        self.series.iter().any(|series| series.rival == rival)
    }

    /// How many measurements were over.
    pub(super) fn measurements(&self) -> usize {
        let mut counted: Vec<(Rival, Test)> = Vec::new();
        let mut sum = 0;
        for series in &self.series {
            let of = (series.rival, series.test);
            if !counted.contains(&of) {
                counted.push(of);
                sum += series.values.len();
            }
        }
        sum
    }
}
