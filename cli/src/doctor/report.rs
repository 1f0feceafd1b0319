//! The findings, for people and for machines.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};

use anstyle::Style;
use serde::Serialize;

use super::{Finding, Grade, Machine};
use crate::render::table::{BAD, FAINT, GOOD, HEADING, WARNING, paint};
use vswitch_control::plain;

/// The width of a line where there is no terminal.
const WIDTH: usize = 100;
/// So narrow a column that words are told one below the other.
const LEAST: usize = 24;
/// Columns of the grade, with the space around it.
const GRADE: usize = 11;

/// As `--json` has it.
#[derive(Serialize)]
pub(crate) struct Report<'a> {
    version: &'static str,
    kernel: &'a str,
    user: u32,
    summary: BTreeMap<&'static str, usize>,
    findings: &'a [Finding],
}

impl<'a> Report<'a> {
    pub(crate) fn new(machine: &'a Machine, findings: &'a [Finding]) -> Self {
        let grades = Grade::WORST_FIRST.iter();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            kernel: &machine.release,
            user: machine.user,
            summary: grades.map(|g| (g.as_str(), count(findings, *g))).collect(),
            findings,
        }
    }
}

fn count(findings: &[Finding], grade: Grade) -> usize {
    findings.iter().filter(|f| f.grade == grade).count()
}

/// The columns of the terminal.
pub(crate) fn width() -> usize {
    let terminal = io::stdout()
        .is_terminal()
        .then(terminal_size::terminal_size);
    terminal
        .flatten()
        .map_or(WIDTH, |(width, _)| usize::from(width.0).min(WIDTH))
}

/// The findings, area by area, in lines of at most `width` columns, and a summary.
pub(crate) fn text(machine: &Machine, findings: &[Finding], width: usize) -> String {
    let user = match machine.user {
        0 => "root".to_owned(),
        user => format!("user {user}"),
    };
    let mut lines = vec![format!(
        "vswitch {} on Linux {} as {user}",
        env!("CARGO_PKG_VERSION"),
        vswitch_control::plain::text(&machine.release)
    )];
    let longest = findings.iter().map(|f| f.check.len()).max().unwrap_or(0);
    let mut area = None;
    for finding in findings {
        if area.replace(finding.area) != Some(finding.area) {
            lines.push(String::new());
            lines.push(paint(HEADING, finding.area.as_str()));
        }
        lines.extend(told(finding, longest, width));
    }
    lines.push(String::new());
    lines.push(summary(findings));
    lines.push(String::new());
    lines.join("\n")
}

/// The lines of one finding, where the longest name of a check has `longest` columns.
fn told(finding: &Finding, longest: usize, width: usize) -> Vec<String> {
    let grade = paint(
        style(finding.grade),
        format!("{:<8}", finding.grade.as_str()),
    );
    let beside = GRADE + longest + 2;
    let mut lines = Vec::new();
    // On a narrow terminal the words come below the name of the check.
    let is_narrow = width < beside + LEAST;
    let indent = if is_narrow { 4 } else { beside };
    let margin = " ".repeat(indent);
    let room = width.saturating_sub(indent).max(LEAST / 2);
    for line in wrapped(&finding.found, room) {
        lines.push(format!("{margin}{line}"));
    }
    if is_narrow || lines.is_empty() {
        lines.insert(0, format!("  {grade} {}", finding.check));
    } else {
        let first = lines[0].trim_start();
        lines[0] = format!("  {grade} {:<longest$}  {first}", finding.check);
    }
    let remedy = finding.remedy.iter();
    let remedy = remedy.flat_map(|remedy| wrapped(remedy, room.saturating_sub(2)));
    for (number, line) in remedy.enumerate() {
        let mark = if number == 0 { "→" } else { " " };
        lines.push(format!(
            "{margin}{}",
            paint(FAINT, format!("{mark} {line}"))
        ));
    }
    lines
}

/// Words in lines of at most `width` characters, where none is longer. Nothing of it is anything
/// that a terminal acts on, whatever the names in it.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut room = 0;
    for word in text.split_whitespace() {
        let word = plain::text(word);
        let length = word.chars().count();
        match lines.last_mut() {
            Some(line) if length < room => {
                line.push(' ');
                line.push_str(&word);
                room -= length + 1;
            }
            _ => {
                room = width.saturating_sub(length);
                lines.push(word.into_owned());
            }
        }
    }
    lines
}

fn style(grade: Grade) -> Style {
    match grade {
        Grade::Ok => GOOD,
        Grade::Note => HEADING,
        Grade::Warning => WARNING,
        Grade::Problem => BAD,
    }
}

fn summary(findings: &[Finding]) -> String {
    let told = |grade: Grade| match count(findings, grade) {
        0 => None,
        1 => Some(format!("1 {}", grade.as_str())),
        some => Some(format!("{some} {}s", grade.as_str())),
    };
    let counted: Vec<String> = Grade::WORST_FIRST[..3]
        .iter()
        .filter_map(|grade| told(*grade))
        .collect();
    let (style, verdict) = match findings.iter().map(|f| f.grade).max() {
        Some(Grade::Problem) => (BAD, "switches do not work here yet"),
        Some(Grade::Warning) => (WARNING, "switches work, with restrictions"),
        _ => (GOOD, "switches work here"),
    };
    let verdict = paint(style, verdict);
    if counted.is_empty() {
        return verdict;
    }
    format!("{verdict}: {}", counted.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Area;
    use crate::doctor::machine::made_up::with;

    fn findings() -> Vec<Finding> {
        vec![
            Finding::new(Area::Rights, "capabilities", Grade::Ok, "all are held"),
            Finding::new(
                Area::Kernel,
                "veth pairs",
                Grade::Problem,
                "no namespace can be attached",
            )
            .remedy("'modprobe veth'"),
            Finding::new(Area::Kernel, "TAP devices", Grade::Note, "cannot be made").remedy("none"),
        ]
    }

    fn shown(width: usize) -> String {
        let (_dir, machine) = with(&[]);
        let text = text(&machine, &findings(), width);
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn findings_are_aligned_below_their_areas() {
        let version = env!("CARGO_PKG_VERSION");
        let expected = format!(
            "vswitch {version} on Linux 6.18.44 as root

rights
  ok       capabilities  all are held

kernel
  problem  veth pairs    no namespace can be attached
                         → 'modprobe veth'
  note     TAP devices   cannot be made
                         → none

switches do not work here yet: 1 problem, 1 note
"
        );
        assert_eq!(shown(80), expected);
    }

    #[test]
    fn narrow_terminals_are_kept_to() {
        let text = shown(20);
        assert!(
            text.contains("  problem  veth pairs\n    no namespace can\n"),
            "{text}"
        );
        for width in 0..60 {
            assert!(shown(width).contains("→"), "{width}");
        }
    }

    #[test]
    fn names_of_others_are_harmless() {
        for name in plain::hostile::NAMES {
            let (_dir, mut machine) = with(&[]);
            machine.release = name.to_owned();
            let finding = Finding::new(Area::Rights, "cables", Grade::Problem, name);
            let told = super::text(&machine, &[finding.remedy(name)], 80);
            plain::hostile::assert_harmless(&told, name);
        }
    }

    #[test]
    fn the_worst_decides_the_summary() {
        let of = |range: std::ops::Range<usize>| {
            let text = summary(&findings()[range]);
            anstream::adapter::strip_str(&text).to_string()
        };
        assert_eq!(of(0..1), "switches work here");
        assert_eq!(of(2..3), "switches work here: 1 note");
        assert!(of(0..3).starts_with("switches do not work"));
    }

    #[test]
    fn machines_read_the_same() {
        let (_dir, machine) = with(&[]);
        let findings = findings();
        let json = serde_json::to_value(Report::new(&machine, &findings)).unwrap();
        assert_eq!(json["summary"]["problem"], 1);
        assert_eq!(json["findings"][1]["check"], "veth pairs");
        assert_eq!(json["findings"][1]["grade"], "problem");
        assert_eq!(json["findings"][0]["remedy"], serde_json::Value::Null);
    }
}
