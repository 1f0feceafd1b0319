//! What a shell is told that asks for completions.

use std::fs;

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Switch, ok};
use crate::harness::program::vswitch;
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_completions_are_of_what_runs", live_names),
        isolated("cli_completions_are_silent_whatever_is_wrong", silent),
    ]
}

/// What bash would be offered for `line`, cut as bash cuts it; nothing may be complained about.
fn offered(line: &str) -> Vec<String> {
    let cut = line.replace(':', " : ").replace('=', " = ");
    let mut words: Vec<&str> = cut.split(' ').collect();
    // What follows a cut at the end is not begun yet.
    if line.ends_with([':', '=']) {
        words.pop();
    }
    let mut command = vswitch([&["--"], words.as_slice()].concat());
    command
        .env("VSWITCH_COMPLETE", "bash")
        .env("VSWITCH_COMPLETE_INDEX", (words.len() - 1).to_string());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    assert!(output.stderr.is_empty(), "{line}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// What is offered for `line` has to be this, if not the first time: a switch on a slow machine may
/// take longer to answer than a person would wait.
fn offers(line: &str, expected: &[&str]) {
    let mut found = Vec::new();
    let as_expected = wait_until(PATIENCE, || {
        found = offered(line);
        found == expected
    });
    assert!(as_expected, "{line}: {found:?} instead of {expected:?}");
}

fn live_names() {
    assert_eq!(offered("vswitch stop "), ["--runtime-dir", "--help"]);
    let one = Switch::start("one");
    let _two = Switch::start("two");
    ok("netns add toad");
    ok("attach mario --switch one");
    ok("attach luigi --switch two");
    ok("fdb add 02:00:00:00:00:01 mario-vsw --switch one");

    offers("vswitch stop ", &["one", "two"]);
    offers("vswitch show t", &["two"]);
    offers("vswitch fdb --switch=o", &["one"]);
    offers("vswitch fdb --switch t", &["two"]);
    offers("vswitch netns del ", &["luigi", "mario", "toad"]);
    offers("vswitch exec to", &["toad"]);
    offers("vswitch attach ma", &["mario"]);
    offers("vswitch port del ", &["mario-vsw", "luigi-vsw"]);
    offers("vswitch port del --switch two ", &["luigi-vsw"]);
    offers("vswitch port add lu", &["luigi-vsw"]);
    offers("vswitch fdb flush --port m", &["mario-vsw"]);
    for typed in ["02:00:", "02:00:0"] {
        let line = format!("vswitch fdb del {typed}");
        offers(&line, &["00:00:00:01"]);
    }
    offers("vswitch link set lu", &["luigi-vsw"]);
    offers("vswitch link set luigi-vsw netns to", &["toad"]);
    offers("vswitch link set -n luigi lu", &["luigi-netns"]);
    // What is to be made has no name yet.
    offers("vswitch netns add m", &[]);

    let pid = Pid::from_raw(one.pid());
    kill(pid, Signal::SIGSTOP).unwrap();
    // One that hangs does not hide the others.
    offers("vswitch stop ", &["two"]);
    kill(pid, Signal::SIGCONT).unwrap();
}

fn silent() {
    assert_eq!(offered("vswitch frobnicate x"), [""; 0]);
    assert_eq!(
        offered("vswitch show --runtime-dir /nonexistent x"),
        [""; 0]
    );
    fs::write("/run/vswitch", "").unwrap();
    assert_eq!(offered("vswitch show x"), [""; 0]);
    for shell in ["zsh", "fish", "elvish", "powershell", "nosuch"] {
        let mut command = vswitch(["--", "vswitch", "show", "x"]);
        let output = command.env("VSWITCH_COMPLETE", shell).output().unwrap();
        assert!(output.status.success(), "{shell}: {output:?}");
        assert!(output.stderr.is_empty(), "{shell}: {output:?}");
    }
}
