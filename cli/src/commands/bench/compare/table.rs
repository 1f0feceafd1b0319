//! A comparison as tables for a terminal: one for each test, a row for each rival.

use super::report::{FigureReport, Report, Summary, TestReport};
use crate::measure::Unit;
use crate::render::table::{Column, HEADING, paint, table};

/// What stands where there is no figure.
const NONE: &str = "-";

pub(super) fn text(report: &Report) -> String {
    let mut parts = vec![format!("{}\n\n", report.machine.line())];
    for test in &report.tests {
        parts.push(format!("{}\n", paint(HEADING, &test.name)));
        parts.push(test_table(report, test));
        parts.push("\n".to_owned());
    }
    parts.push(format!("{}\n", report.legend().join("\n")));
    parts.extend(report.problems().iter().map(|line| format!("{line}\n")));
    parts.concat()
}

/// Median, spread and ratio of the first figure, for the others the spread is left out: three
/// figures still fit a line. Counts have neither.
fn test_table(report: &Report, test: &TestReport) -> String {
    let spread = |index: usize| index == 0 && report.rounds > 1;
    let mut columns = vec![Column::Left("")];
    for (index, figure) in test.figures.iter().enumerate() {
        columns.push(Column::Right(figure.name));
        if figure.unit != Unit::Count {
            columns.extend(spread(index).then_some(Column::Right("spread")));
            columns.push(Column::Right("ratio"));
        }
    }
    let mut rows = Vec::new();
    for rival in &report.rivals {
        let measured = |figure: &FigureReport| figure.results.contains_key(rival.key);
        if !test.figures.iter().any(measured) {
            continue;
        }
        let mut row = vec![rival.key.to_owned()];
        for (index, figure) in test.figures.iter().enumerate() {
            let result = figure.results.get(rival.key);
            row.push(cell(result, |result| {
                let fewer = report.fewer(result.samples.len());
                Some(figure.unit.format(result.median) + &fewer)
            }));
            if figure.unit != Unit::Count {
                row.extend(spread(index).then(|| cell(result, |result| Some(result.spread()))));
                row.push(cell(result, |result| {
                    let fewer = report.fewer(result.ratio_rounds);
                    result.ratio.map(|value| ratio(value) + &fewer)
                }));
            }
        }
        rows.push(row);
    }
    table(&columns, rows)
}

fn cell(result: Option<&Summary>, text: impl Fn(&Summary) -> Option<String>) -> String {
    result.and_then(text).unwrap_or_else(|| NONE.to_owned())
}

/// A ratio with two digits at least.
pub(super) fn ratio(ratio: f64) -> String {
    match ratio {
        ..0.095 => format!("{ratio:.3}"),
        ..9.95 => format!("{ratio:.2}"),
        ..99.5 => format!("{ratio:.1}"),
        _ => format!("{ratio:.0}"),
    }
}

impl Summary {
    /// The lowest and the highest, from the median: `-3/+5 %`. One sample has none.
    pub(super) fn spread(&self) -> String {
        let percent = |value: f64| (value / self.median - 1.0) * 100.0;
        let (low, high) = (percent(self.min), percent(self.max));
        if self.samples.len() > 1 && low.is_finite() && high.is_finite() {
            format!("-{:.0}/+{high:.0} %", low.abs())
        } else {
            NONE.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::bench::compare::report::tests::example;

    #[test]
    fn a_table_for_each_test_fits_a_terminal() {
        let text = text(&example());
        let plain = anstream::adapter::strip_str(&text).to_string();
        let widest = plain.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{plain}");
        assert!(plain.contains("\n64-byte frames\n"), "{plain}");
        let row = plain.lines().find(|line| line.starts_with("  vswitch"));
        let cells: Vec<_> = row.unwrap().split_whitespace().collect();
        assert_eq!(cells[3..], ["-10/+30", "%", "0.50", "0"], "{plain}");
        assert!(
            plain.contains("\novs, ovs-tso: not installed: x\n"),
            "{plain}"
        );
        assert!(plain.contains("Medians of 3 rounds"), "{plain}");
    }

    #[test]
    fn ratios_have_two_digits() {
        let cases = [
            (0.0123, "0.012"),
            (0.5, "0.50"),
            (1.0, "1.00"),
            (12.34, "12.3"),
        ];
        for (value, text) in cases {
            assert_eq!(ratio(value), text);
        }
    }
}
