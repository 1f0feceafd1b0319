//! Who reaches whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use super::table::{BAD, Column, FAINT, GOOD, HEADING, paint, table};
use crate::measure::reach::{Finding, Outcome};
use vswitch_control::units::count;

/// Off a terminal the matrix of so many columns is still shown.
const PLAIN_COLUMNS: usize = 100;
/// The most failures that are listed one by one.
const LISTED: usize = 40;

/// What was found, and the room there is.
pub(crate) struct Matrix<'a> {
    /// The names of the namespaces, by their indices.
    pub(crate) names: &'a [&'a str],
    /// Sorted by who asked.
    pub(crate) found: &'a [Finding],
    /// How long it took.
    pub(crate) time: Duration,
    /// The width of the terminal, if it is one.
    pub(crate) columns: Option<usize>,
}

/// What a cell of the matrix says of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    /// Nothing was asked.
    Nothing,
    All,
    /// Some addresses answered, some did not.
    Some,
    None,
}

/// The matrix as far as there is room for it, the failures, and the totals.
pub(crate) fn matrix(matrix: &Matrix<'_>) -> String {
    let mut text = grid(matrix).unwrap_or_default();
    let failures = failures(matrix);
    if !text.is_empty() {
        text.push('\n');
    }
    if !failures.is_empty() {
        text.push_str(&failures);
        text.push('\n');
    }
    text.push_str(&totals(matrix));
    text
}

/// The cells of both families, IPv4 first, by asker and asked.
fn cells(found: &[Finding]) -> BTreeMap<(usize, usize), [Cell; 2]> {
    let mut cells = BTreeMap::new();
    for finding in found {
        let pair = cells
            .entry((finding.from, finding.to))
            .or_insert([Cell::Nothing; 2]);
        let cell = &mut pair[usize::from(finding.address.is_ipv6())];
        *cell = match (*cell, finding.reached()) {
            (Cell::Nothing | Cell::All, true) => Cell::All,
            (Cell::Nothing | Cell::None, false) => Cell::None,
            _ => Cell::Some,
        };
    }
    cells
}

/// The matrix; none if it is wider than the terminal.
fn grid(matrix: &Matrix<'_>) -> Option<String> {
    let cells = cells(matrix.found);
    let has = |v6: usize| cells.values().any(|pair| pair[v6] != Cell::Nothing);
    let families: Vec<usize> = [0, 1].into_iter().filter(|v6| has(*v6)).collect();
    let names: Vec<String> = matrix
        .names
        .iter()
        .map(|n| vswitch_control::plain::text(n).into_owned())
        .collect();
    let room = matrix.columns.unwrap_or(PLAIN_COLUMNS);
    let longest = names.iter().map(String::len).max().unwrap_or(0);
    let least = families.len() * 2 - usize::from(!families.is_empty());
    // Under its own name if there is room for that, else under the number of its row.
    let width = |heads: &[String]| {
        heads
            .iter()
            .map(|head| head.len().max(least) + 2)
            .sum::<usize>()
    };
    let digits = names.len().to_string().len();
    let numbers: Vec<String> = (1..=names.len()).map(|number| number.to_string()).collect();
    let (lead, heads, numbered) = if 2 + longest + 2 + width(&names) <= room {
        (longest, &names, false)
    } else if 2 + digits + 1 + longest + 2 + width(&numbers) <= room {
        (digits + 1 + longest, &numbers, true)
    } else {
        return None;
    };
    let mut text = format!("  {:lead$}", "");
    for head in heads {
        let padding = least.saturating_sub(head.len());
        let _ = write!(text, "  {HEADING}{head}{HEADING:#}{:padding$}", "");
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    for (from, name) in names.iter().enumerate() {
        let label = if numbered {
            format!("{:>digits$} {name}", from + 1)
        } else {
            name.clone()
        };
        let padding = lead - label.len();
        let mut line = format!("  {HEADING}{label}{HEADING:#}{:padding$}", "");
        for (to, head) in heads.iter().enumerate() {
            let pair = cells
                .get(&(from, to))
                .copied()
                .unwrap_or([Cell::Nothing; 2]);
            let shown: Vec<String> = if from == to {
                vec![paint(FAINT, "·") + &" ".repeat(least.saturating_sub(1))]
            } else {
                families.iter().map(|v6| sign(pair[*v6], *v6)).collect()
            };
            let padding = head.len().saturating_sub(least);
            let _ = write!(line, "  {}{:padding$}", shown.join(" "), "");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    Some(text)
}

/// The number of the family where all is well.
fn sign(cell: Cell, v6: usize) -> String {
    let number = ["4", "6"][v6];
    match cell {
        Cell::Nothing => paint(FAINT, "-"),
        Cell::All => paint(GOOD, number),
        Cell::Some => paint(BAD, "?"),
        Cell::None => paint(BAD, "x"),
    }
}

/// One line for each address that did not answer, up to some number; one for all of them where
/// nobody reaches an address, or somebody reaches none of a family.
fn failures(matrix: &Matrix<'_>) -> String {
    let failed: Vec<&Finding> = matrix.found.iter().filter(|f| !f.reached()).collect();
    if failed.is_empty() {
        return String::new();
    }
    let rows = rows(matrix, &failed);
    let columns = [
        Column::Left("from"),
        Column::Left("to"),
        Column::Left("address"),
        Column::Left(""),
    ];
    let all = rows.len();
    let mut text = table(&columns, rows.into_iter().take(LISTED).collect());
    if all > LISTED {
        let more = number(all - LISTED);
        let _ = writeln!(text, "  and {more} more: --json has them all");
    }
    text
}

fn rows(matrix: &Matrix<'_>, failed: &[&Finding]) -> Vec<Vec<String>> {
    const EVERYBODY: &str = "everybody";
    let name = |index: usize| vswitch_control::plain::text(matrix.names[index]).into_owned();
    let family = |finding: &Finding| {
        if finding.address.is_ipv4() {
            "IPv4"
        } else {
            "IPv6"
        }
    };
    // Of how many requests, and how many of them failed.
    let mut of_asked: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    let mut of_asker: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    for finding in matrix.found {
        let failed = usize::from(!finding.reached());
        for (all, bad) in [
            of_asked.entry((finding.to, finding.address)).or_default(),
            of_asker.entry((finding.from, family(finding))).or_default(),
        ] {
            *all += 1;
            *bad += failed;
        }
    }
    let mut told = BTreeSet::new();
    let mut rows = Vec::new();
    for finding in failed {
        let hopeless =
            |count: Option<&(usize, usize)>| count.is_some_and(|(all, bad)| all == bad && *all > 2);
        let asked = name(finding.to);
        let address = finding.address.to_string();
        let row = if hopeless(of_asked.get(&(finding.to, finding.address))) {
            [EVERYBODY.to_owned(), asked, address]
        } else if hopeless(of_asker.get(&(finding.from, family(finding)))) {
            [
                name(finding.from),
                EVERYBODY.to_owned(),
                family(finding).to_owned(),
            ]
        } else {
            [name(finding.from), asked, address]
        };
        if told.insert(row.clone()) {
            let why = match finding.outcome {
                Outcome::NotSent(errno) => errno.desc(),
                _ => "no answer",
            };
            rows.push([&row[..], &[paint(BAD, why)]].concat());
        }
    }
    rows
}

/// How many of how many, and how long they took.
fn totals(matrix: &Matrix<'_>) -> String {
    let mut text = format!(
        "{} namespaces, in {:.1} s\n",
        number(matrix.names.len()),
        matrix.time.as_secs_f64()
    );
    for v6 in [false, true] {
        let of_family = || matrix.found.iter().filter(|f| f.address.is_ipv6() == v6);
        let all = of_family().count();
        if all > 0 {
            let reached = of_family().filter(|finding| finding.reached()).count();
            let style = if reached == all { GOOD } else { BAD };
            let family = if v6 { "IPv6" } else { "IPv4" };
            let told = paint(style, format!("{} of {}", number(reached), number(all)));
            let _ = writeln!(text, "{family}: {told} answered");
        }
    }
    let mut times: Vec<Duration> = matrix
        .found
        .iter()
        .filter_map(|finding| match finding.outcome {
            Outcome::Reached(time) => Some(time),
            _ => None,
        })
        .collect();
    times.sort_unstable();
    if let (Some(median), Some(longest)) = (times.get(times.len() / 2), times.last()) {
        let ms = |time: &Duration| format!("{:.3}", time.as_secs_f64() * 1e3);
        let _ = writeln!(text, "median {} ms, longest {} ms", ms(median), ms(longest));
    }
    text
}

fn number(number: usize) -> String {
    count(number.try_into().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::colourless;

    fn finding(from: usize, to: usize, address: &str, reached: bool) -> Finding {
        Finding {
            from,
            to,
            address: address.parse().unwrap(),
            outcome: if reached {
                Outcome::Reached(Duration::from_micros(250))
            } else {
                Outcome::Silent
            },
        }
    }

    fn shown(found: &[Finding], columns: Option<usize>) -> String {
        colourless(&matrix(&Matrix {
            names: &["luigi", "mario", "peach"],
            found,
            time: Duration::from_millis(1500),
            columns,
        }))
    }

    fn some() -> Vec<Finding> {
        vec![
            finding(0, 1, "10.0.0.1", true),
            finding(0, 1, "fd00::1", false),
            finding(1, 0, "10.0.0.2", true),
            finding(1, 0, "fd00::2", true),
            finding(2, 0, "10.0.0.2", true),
            finding(2, 0, "10.1.0.2", false),
        ]
    }

    #[test]
    fn each_family_has_its_sign() {
        let expected = "         luigi  mario  peach
  luigi  ·      4 x    - -
  mario  4 6    ·      - -
  peach  ? -    - -    ·

  from   to     address
  luigi  mario  fd00::1   no answer
  peach  luigi  10.1.0.2  no answer

3 namespaces, in 1.5 s
IPv4: 3 of 4 answered
IPv6: 1 of 2 answered
median 0.250 ms, longest 0.250 ms
";
        assert_eq!(shown(&some(), None), expected);
    }

    #[test]
    fn numbers_stand_for_names_where_there_is_less_room() {
        let text = shown(&some(), Some(27));
        assert!(
            text.starts_with("           1    2    3\n  1 luigi  ·    4 x  - -\n"),
            "{text}"
        );
        let narrow = shown(&some(), Some(20));
        assert!(narrow.starts_with("  from "), "{narrow}");
    }

    #[test]
    fn not_all_of_many_failures_are_listed() {
        let address = |n: usize| format!("10.0.{n}.1");
        let mut found: Vec<_> = (0..100)
            .map(|n| finding(0, 1, &address(n), false))
            .collect();
        found.push(finding(0, 2, "10.1.0.1", true));
        let text = shown(&found, Some(10));
        assert!(text.contains("and 60 more"), "{text}");
        assert!(text.contains("IPv4: 1 of 101 answered"), "{text}");
    }

    #[test]
    fn who_is_cut_off_is_told_once() {
        let mut found = Vec::new();
        for from in 0..4 {
            for to in (0..4).filter(|to| *to != from) {
                let address = format!("10.0.0.{to}");
                found.push(finding(from, to, &address, from != 0 && to != 3));
            }
        }
        let text = colourless(&matrix(&Matrix {
            names: &["a", "b", "c", "d"],
            found: &found,
            time: Duration::ZERO,
            columns: Some(10),
        }));
        let expected = "  from       to         address
  a          everybody  IPv4      no answer
  everybody  d          10.0.0.3  no answer
";
        assert!(text.starts_with(expected), "{text}");
    }
}
