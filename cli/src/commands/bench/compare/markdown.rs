//! A comparison as tables of GitHub's Markdown, with the machine and the spread of every figure.

use super::report::{Report, RivalReport, Summary, TestReport};
use super::table::ratio;
use crate::measure::Unit;

pub(super) fn text(report: &Report) -> String {
    let mut parts = vec![format!(
        "{}. {}\n\n",
        report.machine.line(),
        report.legend().join(" ")
    )];
    for test in &report.tests {
        parts.push(format!("### {}\n\n", escaped(&test.name)));
        parts.push(test_table(report, test));
        parts.push("\n".to_owned());
    }
    parts.extend(report.rivals.iter().map(rival));
    let problems = report.problems();
    parts.extend(problems.iter().map(|line| format!("- {}\n", escaped(line))));
    parts.concat()
}

/// What it is, in a line of a list.
fn rival(rival: &RivalReport) -> String {
    let RivalReport {
        key, description, ..
    } = rival;
    match &rival.version {
        Some(version) => format!("- `{key}`: {description}, {}\n", escaped(version)),
        None => format!("- `{key}`: {description}\n"),
    }
}

fn test_table(report: &Report, test: &TestReport) -> String {
    let mut heading = vec![String::new()];
    for figure in &test.figures {
        heading.push(escaped(figure.name));
        heading.extend((figure.unit != Unit::Count).then(|| "ratio".to_owned()));
    }
    let mut rule = vec!["---".to_owned()];
    rule.resize(heading.len(), "---:".to_owned());
    let mut lines = vec![heading, rule];
    for rival in &report.rivals {
        let result = |results: &std::collections::BTreeMap<_, _>| results.get(rival.key).cloned();
        if test.figures.iter().all(|f| result(&f.results).is_none()) {
            continue;
        }
        let mut row = vec![rival.key.to_owned()];
        for figure in &test.figures {
            let found: Option<Summary> = result(&figure.results);
            let spread = report.rounds > 1 && figure.unit != Unit::Count;
            let median = found.as_ref().map(|found| {
                let fewer = report.fewer(found.samples.len());
                let median = figure.unit.format(found.median) + &fewer;
                let spread = spread.then(|| format!(" ({})", found.spread()));
                median + &spread.unwrap_or_default()
            });
            row.push(median.unwrap_or_default());
            if figure.unit != Unit::Count {
                let ratio = found.and_then(|found| {
                    let fewer = report.fewer(found.ratio_rounds);
                    found.ratio.map(|value| ratio(value) + &fewer)
                });
                row.push(ratio.unwrap_or_default());
            }
        }
        lines.push(row);
    }
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    lines.into_iter().map(line).collect()
}

/// Text in which nothing is Markdown.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if "\\`*_{}[]<>|#".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::bench::compare::report::tests::example;

    #[test]
    fn every_row_has_as_many_cells_as_its_heading() {
        let text = text(&example());
        assert!(text.starts_with("Linux "), "{text}");
        let rows: Vec<_> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(rows.len(), 2 + 3 + 2 + 1, "{text}");
        let cells = |row: &&str| row.matches('|').count();
        assert!(rows[..5].iter().all(|row| cells(row) == 5), "{text}");
        assert!(rows[5..].iter().all(|row| cells(row) == 6), "{text}");
        assert!(rows[4].contains("(-10/+30 %) | 0.50 | 0 |"), "{text}");
    }

    #[test]
    fn what_others_say_is_not_taken_for_markdown() {
        let text = text(&example());
        assert!(
            text.contains(r"- direct: can't be \<measured\>: no reason"),
            "{text}"
        );
    }
}
