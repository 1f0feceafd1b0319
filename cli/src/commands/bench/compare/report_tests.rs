use super::*;
use crate::measure::Figure;
use Rival::{Bridge, Direct, Ovs, OvsTso, Vswitch};

fn figure(key: &'static str, name: &'static str, unit: Unit, value: f64) -> Figure {
    Figure {
        key,
        name,
        value,
        unit,
        better: Better::More,
    }
}

/// A comparison of which everything is known.
pub(crate) fn example() -> Report {
    let plan = Plan::example(&[Direct, Bridge, Vswitch, Ovs, OvsTso], 3);
    let [frames, response] = plan.tests[..] else {
        panic!("{plan:?}");
    };
    let mut samples = Samples::default();
    for (round, drift) in (0..).zip([0.0, -0.1, 0.3]) {
        for (rival, rate) in [(Direct, 2e6), (Bridge, 1e6), (Vswitch, 0.5e6)] {
            let rate = figure(
                "received",
                "received",
                Unit::FramesPerSecond,
                rate * (1.0 + drift),
            );
            let lost = figure("lost", "lost", Unit::Count, 0.0);
            samples.add(round, rival, frames, &[rate, lost]);
        }
        let times = [("p50", "median", 20e-6), ("p99", "99 %", 80e-6)];
        for (key, name, value) in times {
            let figure = figure(key, name, Unit::Seconds, value * (1.0 + drift));
            samples.add(round, Vswitch, response, &[figure]);
        }
    }
    samples.give_up(
        Direct,
        Some(response),
        "can't be <measured>: no\nreason".into(),
    );
    for rival in [Ovs, OvsTso] {
        samples.give_up(rival, None, "not installed: x".to_owned());
    }
    Report::new(&plan, &samples)
}

#[test]
fn a_median_is_in_the_middle() {
    for (samples, middle) in [
        (&[3.0][..], 3.0),
        (&[9.0, 1.0], 5.0),
        (&[9.0, 1.0, 2.0], 2.0),
        (&[4.0, 1.0, 9.0, 2.0], 3.0),
    ] {
        assert!((median(samples) - middle).abs() < 1e-9, "{samples:?}");
    }
}

#[test]
fn ratios_are_to_the_bridge_and_spreads_of_all_rounds() {
    let report = example();
    assert_eq!(report.reference, Some("bridge"));
    let received = &report.tests[0].figures[0];
    let vswitch = &received.results["vswitch"];
    assert!((vswitch.ratio.unwrap() - 0.5).abs() < 1e-9);
    assert_eq!((vswitch.ratio_rounds, report.fewer(3)), (3, String::new()));
    assert!((vswitch.median - 0.5e6).abs() < 1.0);
    assert!((vswitch.min - 0.45e6).abs() < 1.0 && (vswitch.max - 0.65e6).abs() < 1.0);
    assert_eq!(vswitch.samples.len(), 3);
    let lost = &report.tests[0].figures[1];
    assert_eq!(lost.results["vswitch"].ratio, None, "nothing to nothing");
    assert_eq!(report.tests[1].figures[0].results["vswitch"].ratio, None);
}

#[test]
fn ratios_are_of_rounds_that_have_both() {
    let sample = |round, value| Sample { round, value };
    let reference = [sample(0, 10.0), sample(2, 100.0), sample(3, 1.0)];
    let found = summary(
        &[sample(1, 7.0), sample(2, 50.0), sample(3, 0.7)],
        Some(&reference),
    );
    assert!((found.ratio.unwrap() - 0.6).abs() < 1e-9, "{found:?}");
    assert_eq!(found.ratio_rounds, 2);
    assert_eq!(found.sample_rounds, [2, 3, 4]);
    assert_eq!(
        summary(&[sample(1, 7.0)], Some(&reference)).ratio,
        None,
        "no round has both"
    );
    assert_eq!(summary(&reference, None).ratio, None);
    assert_eq!(
        summary(&[sample(0, 1.0)], Some(&[sample(0, 0.0)])).ratio,
        None
    );
}

#[test]
fn what_comes_from_fewer_rounds_says_so() {
    let plan = Plan::example(&[Bridge, Vswitch], 3);
    let mut samples = Samples::default();
    let figure = [figure("x", "x", Unit::Seconds, 2.0)];
    for round in 0..3 {
        samples.add(round, Bridge, plan.tests[0], &figure);
    }
    samples.add(1, Vswitch, plan.tests[0], &figure);
    let report = Report::new(&plan, &samples);
    let summary = &report.tests[0].figures[0].results["vswitch"];
    assert_eq!(summary.ratio_rounds, 1);
    assert_eq!(report.fewer(1), " (n=1)");
    let has_note = |report: &Report| report.legend().iter().any(|line| line.starts_with("n: "));
    assert!(has_note(&report) && !has_note(&example()));
}

#[test]
fn without_a_bridge_the_first_that_was_measured_is_the_reference() {
    let plan = Plan::example(&[Ovs, Vswitch, Direct], 1);
    let mut samples = Samples::default();
    assert!(Report::new(&plan, &samples).is_empty());
    for rival in [Direct, Vswitch] {
        samples.add(
            0,
            rival,
            plan.tests[0],
            &[figure("x", "x", Unit::Count, 2.0)],
        );
    }
    assert_eq!(Report::new(&plan, &samples).reference, Some("vswitch"));
}

#[test]
fn problems_are_said_once_in_one_line() {
    let problems = example().problems();
    let problems: Vec<_> = problems
        .iter()
        .filter(|problem| !problem.contains("optimisation"))
        .collect();
    assert_eq!(
        problems,
        [
            "direct: can't be <measured>: no reason",
            "ovs, ovs-tso: not installed: x"
        ]
    );
}

#[test]
fn machines_read_everything() {
    let value = serde_json::to_value(example()).unwrap();
    let received = &value["tests"][0]["figures"][0];
    assert_eq!(value["tests"][0]["key"], "frames_64");
    assert_eq!(received["unit"], "frames_per_second");
    assert_eq!(
        received["results"]["bridge"]["samples"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert_eq!(value["rivals"][3]["problems"][0], "not installed: x");
}
