//! `vswitch shell`.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;

use libtest_mimic::Trial;
use nix::pty::openpty;

use super::{fails, ok, words};
use crate::harness::program::{Background, vswitch};
use crate::harness::{PATIENCE, isolated, wait_until};

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
    command.env("SHELL", "/bin/sh").stdin(Stdio::piped());
    command.stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let script = format!(
        "echo $VSWITCH_NETNS\n{} link show lo\nexit 7\n",
        env!("CARGO_BIN_EXE_vswitch")
    );
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

fn prompt_of(shell: &str) {
    let home = tempfile::tempdir().unwrap();
    for (file, text) in [
        (".bashrc", "PS1='own '; OWN=read"),
        (".zshrc", "PROMPT='own '; OWN=read"),
        (".shrc", "PS1='own '; OWN=read"),
    ] {
        std::fs::write(home.path().join(file), text).unwrap();
    }
    let pty = openpty(None, None).unwrap();
    let mut command = vswitch(words("shell mario"));
    command
        .env("SHELL", shell)
        .env("HOME", home.path())
        .env("ENV", "$HOME/.shrc")
        .env("TERM", "dumb")
        .env_remove("ZDOTDIR")
        .stdin(pty.slave.try_clone().unwrap())
        .stdout(pty.slave.try_clone().unwrap())
        .stderr(pty.slave);
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut terminal = File::from(pty.master);
    terminal
        .write_all(
            b"echo $((6 * 7)) $OWN $VSWITCH_NETNS\nls /proc/self/fd | tr '\\n' ' '\nexit 3\n",
        )
        .unwrap();
    let mut told = Vec::new();
    // The terminal is broken (EIO) when the shell has ended.
    let _ = terminal.read_to_end(&mut told);
    let told = String::from_utf8_lossy(&told).into_owned();
    let mut status = None;
    assert!(wait_until(PATIENCE, || {
        status = child.try_wait().unwrap();
        status.is_some()
    }));
    if shell.ends_with("fish") {
        assert!(told.contains("[mario] "), "{shell}: {told}");
        return;
    }
    assert!(told.contains("[mario] own "), "{shell}: {told}");
    assert!(told.contains("42 read mario"), "{shell}: {told}");
    assert_eq!(status.unwrap().code(), Some(3), "{shell}: {told}");
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
