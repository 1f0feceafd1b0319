//! Labs from a file: `up`, `down`, `status`, `diff`.

mod broken;
mod change;
mod commands;
mod examples;
mod files;
mod ports;
mod settings;

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use libtest_mimic::Trial;
use vswitch_netns::Namespace;

use super::{Surroundings, ok};
use crate::harness::PATIENCE;
use crate::harness::icmp::ping_until;
use crate::harness::program::run_vswitch;

pub(crate) fn tests() -> Vec<Trial> {
    [
        broken::tests(),
        change::tests(),
        commands::tests(),
        examples::tests(),
        files::tests(),
        ports::tests(),
        settings::tests(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A lab file in the test's own `/run`.
struct LabFile(PathBuf);

impl LabFile {
    fn new(text: &str) -> Self {
        let path = PathBuf::from("/run/lab.toml");
        fs::write(&path, text).unwrap();
        Self(path)
    }

    /// Brings it up, which has to succeed; gives what was told.
    fn up(&self) -> String {
        ok(&format!("up {}", self.0.display()))
    }

    fn down(&self) {
        ok(&format!("down {}", self.0.display()));
    }

    /// Has another text from now on.
    fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(&self.0).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&self.0, text.replace(from, to)).unwrap();
    }
}

/// Asserts that a host reaches an address.
fn reaches(host: &str, to: &str) {
    let address: IpAddr = to.parse().unwrap();
    let pinged = Namespace::open(host)
        .unwrap()
        .run(|| ping_until(address, None, 56, PATIENCE))
        .unwrap();
    pinged.unwrap_or_else(|error| panic!("{host} does not reach {to}: {error}"));
}

/// All that there was before, once what the kernel takes away late is gone.
fn nothing_is_left(before: &Surroundings) {
    let mut now = Surroundings::now();
    crate::harness::wait_until(PATIENCE, || {
        now = Surroundings::now();
        now == *before
    });
    assert_eq!(now, *before);
    assert_eq!(processes(), Vec::<String>::new());
}

/// The command lines of the program's processes in this test's network namespace.
fn processes() -> Vec<String> {
    let own = fs::read_link("/proc/thread-self/ns/net").unwrap();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let path = entry.path();
        let is_here = fs::read_link(path.join("ns/net")).is_ok_and(|net| net == own);
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if is_here && line.starts_with("vswitch ") {
            found.push(line);
        }
    }
    found
}

/// Runs `vswitch LINE`, which has to end with this status; gives what it told on its standard
/// output and its standard error.
fn ends(line: &str, status: i32) -> (String, String) {
    let output = run_vswitch(super::words(line));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{line}: {told}{errors}");
    (told, errors)
}
