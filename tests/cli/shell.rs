//! `vswitch shell`.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use libtest_mimic::Trial;

use super::terminal::Terminal;
use super::{fails, ok, words};
use crate::harness::isolated;
use crate::harness::program::{Background, SHELL, VSWITCH, vswitch};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_shell_is_inside_and_ends_with_its_status", inside),
        isolated("cli_shell_has_a_prompt_that_names_the_namespace", prompt),
        isolated("cli_shell_that_cannot_be_is_refused", refused),
    ]
}

fn inside() {
    ok("netns add mario");
    let mut command = vswitch(words("shell mario"));
    command.env("SHELL", SHELL).stdin(Stdio::piped());
    command.stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let script = format!("echo $VSWITCH_NETNS\n'{VSWITCH}' link show lo\nexit 7\n");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(script.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.starts_with("mario\n"), "{told}");
    assert!(told.contains("down"), "lo is that of mario: {told}");
    assert_eq!(output.status.code(), Some(7));
}

/// Talks with each shell that this machine has over a terminal.
fn prompt() {
    ok("netns add mario");
    for shell in [
        "/bin/sh",
        "/bin/bash",
        "/bin/dash",
        "/bin/zsh",
        "/usr/bin/fish",
    ] {
        if Path::new(shell).exists() {
            prompt_of(shell);
        }
    }
}

/// The terminal is the shell's own, as that of a user is: some refuse to be interactive on another.
fn prompt_of(shell: &str) {
    let home = tempfile::tempdir().unwrap();
    for (file, text) in [
        (".bashrc", "PS1='own '; OWN=read"),
        (".zshrc", "PROMPT='own '; OWN=read"),
        (".shrc", "PS1='own '; OWN=read"),
    ] {
        std::fs::write(home.path().join(file), text).unwrap();
    }
    let mut command = vswitch(words("shell mario"));
    command
        .env("SHELL", shell)
        .env("HOME", home.path())
        .env("ENV", "$HOME/.shrc")
        .env("PATH", "/usr/bin:/bin") // fish starts programs of its own
        .env("TERM", "dumb");
    let mut terminal = Terminal::start(command, 80, 24);
    terminal.press("echo \"=$OWN=$VSWITCH_NETNS=\"\nexit 3\n");
    let status = terminal.wait();
    let told = terminal.drawn();
    // fish has settings of its own, which it keeps elsewhere.
    let (prompt, own) = match shell {
        "/usr/bin/fish" => ("[mario] ", ""),
        _ => ("[mario] own ", "read"),
    };
    assert!(told.contains(prompt), "{shell}: {told}");
    assert!(told.contains(&format!("={own}=mario=")), "{shell}: {told}");
    assert_eq!(status.code(), Some(3), "{shell}: {told}");
}

fn refused() {
    assert!(fails("shell nobody", 1).contains("nobody"));
    assert!(fails("shell a/b", 2).contains("contains"));
    ok("netns add mario");
    let mut command = vswitch(words("shell mario"));
    command.env("SHELL", "/no/such/shell");
    let output = Background::start(command).unwrap().finish().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        told.contains("/no/such/shell") && told.lines().count() == 1,
        "{told}"
    );
}
