//! docs/tutorial.md, followed to the letter with nothing but `vswitch` to be found.
//!
//! Every line of a `console` block that begins with `# ` is typed, and what it prints has to be what
//! the document shows, but for what differs from run to run: numbers, times, MAC addresses.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::Trial;

use super::Surroundings;
use crate::harness::program::VSWITCH;
use crate::harness::{PATIENCE, isolated, wait_until};

const DOCUMENT: &str = include_str!("../../docs/tutorial.md");
/// The only directory of PATH; in the test's own `/run`.
const BIN: &str = "/run/only-vswitch";
/// Words of commands that change something: those are run once.
const CHANGES: [&str; 7] = ["add", "del", "set", "attach", "run", "stop", "shell"];

pub(super) fn tests() -> Vec<Trial> {
    vec![isolated("cli_tutorial_is_as_the_document_has_it", follow)]
}

/// A command of the document, what is typed into it, and what it prints.
#[derive(Debug)]
struct Step {
    line: &'static str,
    input: String,
    output: Vec<&'static str>,
}

fn steps() -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in DOCUMENT.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if !inside {
        } else if let Some(line) = line.strip_prefix("# ") {
            steps.push(Step {
                line,
                input: String::new(),
                output: Vec::new(),
            });
        } else {
            let step = steps.last_mut().expect("a command before its output");
            match line.split_once("] # ") {
                Some((_, typed)) => step.input.extend([typed, "\n"]),
                None => step.output.push(line),
            }
        }
    }
    steps
}

fn follow() {
    fs::create_dir(BIN).unwrap();
    symlink(VSWITCH, Path::new(BIN).join("vswitch")).unwrap();
    let before = Surroundings::now();
    let steps = steps();
    assert!(steps.len() > 50, "{}", steps.len());
    for step in &steps {
        let words: Vec<&str> = step.line.split(' ').collect();
        match words[..] {
            ["ls", directory] => assert_eq!(listing(directory), step.output.join(" ")),
            ["vswitch", ..] => check(step, &words[1..]),
            _ => panic!(
                "the document has a command that is not vswitch: {}",
                step.line
            ),
        }
    }
    let after = Surroundings::now();
    assert_eq!(after.links, before.links);
    assert_eq!(after.namespaces, before.namespaces);
}

/// Runs the step until it prints what it should: some things take the kernel a moment.
fn check(step: &Step, words: &[&str]) {
    let wanted = comparable(step, step.output.iter().copied());
    let refused = step.output.iter().any(|line| line.starts_with("vswitch: "));
    let mut seen = (String::new(), None);
    let once = words.iter().any(|word| CHANGES.contains(word));
    let mut right = false;
    wait_until(PATIENCE, || {
        seen = run(words, &step.input);
        right = comparable(step, seen.0.lines()) == wanted && seen.1 == Some(i32::from(refused));
        right || once
    });
    assert!(
        right,
        "{}\nended with {:?} and printed\n{}\nand not\n{}",
        step.line,
        seen.1,
        seen.0,
        step.output.join("\n")
    );
}

/// Runs the command; what it prints to either output, and its status.
fn run(words: &[&str], input: &str) -> (String, Option<i32>) {
    let path = "/run/output";
    let output = File::create(path).unwrap();
    let mut child = Command::new(Path::new(BIN).join("vswitch"))
        .args(words)
        .env("PATH", BIN)
        .stdin(Stdio::piped())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // One that reads nothing may have ended.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let status = child.wait().unwrap().code();
    (fs::read_to_string(path).unwrap(), status)
}

fn listing(directory: &str) -> String {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names.join("  ")
}

/// All lines, fit to be compared.
fn comparable<'a>(step: &Step, lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    // What can be limited depends on the kernel.
    let lines = lines.filter(|line| !line.starts_with("  guard "));
    let mut lines: Vec<String> = lines.map(comparable_line).collect();
    // Stations are listed by their addresses, which differ.
    if step.line == "vswitch fdb" {
        lines.sort();
    }
    lines
}

/// A line without what differs from run to run, and without the width of its columns.
fn comparable_line(line: &str) -> String {
    // What ways of receiving there are depends on the kernel and on the rights.
    let line = line.split("packet socket").next().unwrap_or(line);
    let exact = line.contains("answered");
    let words = line.split_whitespace().map(|word| {
        let (word, comma) = match word.strip_suffix(',') {
            Some(word) => (word, ","),
            None => (word, ""),
        };
        format!("{}{comma}", comparable_word(word, exact))
    });
    words.collect::<Vec<_>>().join(" ")
}

fn comparable_word(word: &str, exact: bool) -> &str {
    let digits = |text: &str, others: &str| {
        text.starts_with(|c: char| c.is_ascii_digit())
            && text
                .chars()
                .all(|c| c.is_ascii_digit() || others.contains(c))
    };
    let is_mac = word.len() == 17 && word.split(':').count() == 6;
    let is_number = digits(word, ",.smhd") && word.matches('.').count() < 2;
    let are_times = digits(word, "./") && word.matches('/').count() == 2;
    if is_mac {
        "MAC"
    } else if word.starts_with("time=") || are_times {
        "TIME"
    } else if is_number && (!exact || word.contains('.')) {
        "NUMBER"
    } else if matches!(word, "B" | "KiB" | "MiB") {
        "UNIT"
    } else {
        word
    }
}
