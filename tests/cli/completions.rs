//! What a shell is told that asks for completions.

use std::fs;

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Switch, ok};
use crate::harness::isolated;
use crate::harness::program::vswitch;

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

fn live_names() {
    assert_eq!(offered("vswitch stop "), ["--runtime-dir", "--help"]);
    let one = Switch::start("one");
    let _two = Switch::start("two");
    ok("netns add toad");
    ok("attach mario --switch one");
    ok("attach luigi --switch two");
    ok("fdb add 02:00:00:00:00:01 mario-vsw --switch one");

    assert_eq!(offered("vswitch stop "), ["one", "two"]);
    assert_eq!(offered("vswitch show t"), ["two"]);
    assert_eq!(offered("vswitch fdb --switch=o"), ["one"]);
    assert_eq!(offered("vswitch fdb --switch t"), ["two"]);
    assert_eq!(offered("vswitch netns del "), ["luigi", "mario", "toad"]);
    assert_eq!(offered("vswitch exec to"), ["toad"]);
    assert_eq!(offered("vswitch attach ma"), ["mario"]);
    assert_eq!(offered("vswitch port del "), ["mario-vsw", "luigi-vsw"]);
    assert_eq!(offered("vswitch port del --switch two "), ["luigi-vsw"]);
    assert_eq!(offered("vswitch port add lu"), ["luigi-vsw"]);
    assert_eq!(offered("vswitch fdb flush --port m"), ["mario-vsw"]);
    for typed in ["02:00:", "02:00:0"] {
        let line = format!("vswitch fdb del {typed}");
        assert_eq!(offered(&line), ["00:00:00:01"], "{line}");
    }
    // Those of the other switch's namespaces only, and none that is to be made.
    assert_eq!(offered("vswitch netns add m"), [""; 0]);

    let pid = Pid::from_raw(one.pid());
    kill(pid, Signal::SIGSTOP).unwrap();
    // One that hangs does not hide the others.
    assert_eq!(offered("vswitch stop "), ["two"]);
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
