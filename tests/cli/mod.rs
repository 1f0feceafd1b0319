//! Tests of the `vswitch` program from outside: commands, daemon, control socket.

mod abuse;
mod announce;
mod attach;
mod bad_input;
mod bench;
mod broker;
mod cables;
mod capture;
mod commands;
mod comparing;
mod completions;
mod containers;
mod demo;
mod doctor;
mod events;
mod explain;
mod grants;
mod guard;
mod harmless;
mod hostile;
mod injection;
mod interfaces;
mod itself;
mod labs;
mod lifecycle;
mod links;
mod man;
mod meddling;
mod metrics;
mod notify;
mod ping;
mod ports;
mod protection;
mod restart;
mod rights;
mod rings;
mod scrapers;
mod settings;
mod shell;
mod sources;
mod squatters;
mod state;
mod strangers;
mod supervision;
mod sys;
mod taps;
mod terminal;
mod top;
mod tutorial;
mod uplink;
mod userlab;
mod values;
mod vlans;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use vswitch_netns::{Link, Namespace, Netlink, OperState};

use crate::harness::program::{Background, run_vswitch, runtime_dir, vswitch, vswitch_ok};
use crate::harness::{PATIENCE, wait_until};

/// Tests of the area.
pub(crate) fn tests() -> Vec<Trial> {
    [
        abuse::tests(),
        announce::tests(),
        attach::tests(),
        hostile::tests(),
        bad_input::tests(),
        bench::tests(),
        broker::tests(),
        cables::tests(),
        capture::tests(),
        commands::tests(),
        comparing::tests(),
        completions::tests(),
        containers::tests(),
        demo::tests(),
        events::tests(),
        explain::tests(),
        doctor::tests(),
        grants::tests(),
        guard::tests(),
        harmless::tests(),
        injection::tests(),
        interfaces::tests(),
        itself::tests(),
        labs::tests(),
        lifecycle::tests(),
        links::tests(),
        man::tests(),
        meddling::tests(),
        metrics::tests(),
        notify::tests(),
        ping::tests(),
        ports::tests(),
        protection::tests(),
        restart::tests(),
        rights::tests(),
        rings::tests(),
        scrapers::tests(),
        settings::tests(),
        shell::tests(),
        sources::tests(),
        squatters::tests(),
        state::tests(),
        strangers::tests(),
        supervision::tests(),
        taps::tests(),
        top::tests(),
        tutorial::tests(),
        uplink::tests(),
        userlab::tests(),
        values::tests(),
        vlans::tests(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Words of a command line that has no quotes.
fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// Runs `vswitch LINE`, which has to succeed; gives its standard output.
fn ok(line: &str) -> String {
    vswitch_ok(words(line))
}

/// Runs `vswitch LINE --json`, which has to succeed; gives what it says.
fn json(line: &str) -> Value {
    let text = ok(&format!("{line} --json"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{line}: {error}: {text}"))
}

/// Runs `vswitch LINE`, which has to fail with this status, one sentence on standard error and
/// nothing on standard output; gives the sentence.
fn fails(line: &str, status: i32) -> String {
    refused(vswitch(words(line)), line, status)
}

/// The same for a command. One that is not refused, and runs on, is ended.
fn refused(command: Command, line: &str, status: i32) -> String {
    let output = Background::start(command).unwrap().finish().unwrap();
    complaint(&output, line, status)
}

fn complaint(output: &Output, line: &str, status: i32) -> String {
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{line}: {errors}");
    assert!(output.stdout.is_empty(), "{line}: {output:?}");
    let sentence = errors.strip_prefix("vswitch: ");
    let sentence = sentence.unwrap_or_else(|| panic!("{line}: {errors:?}"));
    assert_eq!(sentence.matches('\n').count(), 1, "{line}: {errors:?}");
    assert!(
        !sentence.trim_end().contains(char::is_control),
        "{line}: {errors:?}"
    );
    sentence.trim_end().to_owned()
}

/// A switch in the background, which is stopped with this value at the latest.
struct Switch {
    name: String,
}

impl Switch {
    fn start(line: &str) -> Self {
        let words = words(line);
        let name = words[0].to_owned();
        let mut arguments = vec!["run", "--detach"];
        arguments.extend(words);
        vswitch_ok(arguments);
        Self { name }
    }

    fn dir(&self) -> PathBuf {
        runtime_dir().join(&self.name)
    }

    fn socket(&self) -> PathBuf {
        self.dir().join("control.sock")
    }

    fn show(&self) -> Value {
        json(&format!("show {}", self.name))
    }

    fn pid(&self) -> i32 {
        let pid = self.show()["pid"].as_i64().unwrap();
        i32::try_from(pid).unwrap()
    }

    /// The port of this name; null if there is none.
    fn port(&self, name: &str) -> Value {
        let ports = json(&format!("port list --switch {}", self.name));
        let ports = ports.as_array().unwrap();
        let found = ports.iter().find(|port| port["name"] == name);
        found.cloned().unwrap_or(Value::Null)
    }

    /// Ends it with SIGKILL and waits until it answers no more.
    fn kill(&self) {
        kill(Pid::from_raw(self.pid()), Signal::SIGKILL).unwrap();
        assert!(wait_until(PATIENCE, || {
            !run_vswitch(["show", &self.name]).status.success()
        }));
    }

    fn stop(self) {
        // Dropping does it; here it has to succeed.
        ok(&format!("stop {}", self.name));
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        if self.socket().exists() {
            run_vswitch(["stop", &self.name]);
        }
    }
}

/// All that a command may change on the machine: interfaces, namespaces, the runtime directory.
#[derive(Debug, PartialEq)]
struct Surroundings {
    links: Vec<Link>,
    namespaces: Vec<String>,
    files: BTreeMap<PathBuf, u64>,
}

impl Surroundings {
    fn now() -> Self {
        let mut files = BTreeMap::new();
        list(&runtime_dir(), &mut files);
        Self {
            links: Netlink::open()
                .unwrap()
                .links()
                .unwrap()
                .into_iter()
                .map(settled)
                .collect(),
            namespaces: namespaces(),
            files,
        }
    }
}

fn list(dir: &Path, files: &mut BTreeMap<PathBuf, u64>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let metadata = entry.metadata().unwrap();
        // A log may grow.
        let len = if entry.file_name() == "log" {
            0
        } else {
            metadata.len()
        };
        files.insert(entry.path(), len);
        if metadata.is_dir() {
            list(&entry.path(), files);
        }
    }
}

fn namespaces() -> Vec<String> {
    let entries = Namespace::list().unwrap().into_iter();
    entries.map(|entry| entry.name).collect()
}

/// The interface of this name in the test's own namespace.
fn link(name: &str) -> Option<Link> {
    Netlink::open()
        .unwrap()
        .find_link(name)
        .unwrap()
        .map(settled)
}

/// The link without its operational state, of which the kernel takes note a little later.
fn settled(mut link: Link) -> Link {
    link.state = OperState::default();
    link
}
