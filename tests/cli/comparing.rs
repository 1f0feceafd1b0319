//! `vswitch bench --compare`.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Output;

use libtest_mimic::Trial;
use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{Surroundings, complaint, fails, json, ok, words};
use crate::harness::program::{Background, vswitch};
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_compare_gives_every_figure_of_every_rival", figures),
        isolated("cli_compare_prints_tables_and_draws_a_picture", for_people),
        isolated("cli_compare_says_what_is_not_installed", not_installed),
        isolated("cli_compare_says_what_does_not_start", does_not_start),
        isolated("cli_compare_refuses_what_it_cannot_do", refuses),
        isolated(
            "cli_compare_tells_what_it_has_when_interrupted",
            interrupted,
        ),
        isolated("cli_compare_leaves_nothing_when_it_is_killed", killed),
    ]
}

fn rival<'a>(report: &'a Value, key: &str) -> &'a Value {
    let rivals = report["rivals"].as_array().unwrap();
    let found = rivals.iter().find(|rival| rival["key"] == key);
    found.unwrap_or_else(|| panic!("no {key}: {report}"))
}

/// Whether a problem of the rival contains `text`.
fn has_problem(report: &Value, key: &str, text: &str) -> bool {
    let problems = rival(report, key)["problems"].as_array().unwrap();
    problems
        .iter()
        .any(|told| told.as_str().unwrap().contains(text))
}

fn figures() {
    let before = Surroundings::now();
    let report = json(
        "bench --compare direct,bridge,packet --rounds 1 --time 1 --tests tcp,response,frames \
         --streams 2 --size 64",
    );
    assert_eq!(Surroundings::now(), before);
    assert_eq!(report["interrupted"], false);
    let keys = report["rivals"].as_array().unwrap().iter();
    let mut measured: Vec<_> = keys.map(|rival| rival["key"].as_str().unwrap()).collect();
    assert_eq!(measured, ["direct", "bridge", "vswitch"]);
    if has_problem(&report, "bridge", "can't be set up") {
        // A kernel without bridges: the others are measured all the same.
        measured.remove(1);
        assert_eq!(report["reference"], "direct");
    } else {
        assert_eq!(report["reference"], "bridge");
    }
    let tests = report["tests"].as_array().unwrap();
    let names: Vec<_> = tests.iter().map(|test| &test["key"]).collect();
    assert_eq!(names, ["tcp_1", "tcp_2", "response", "frames_64"]);
    for test in tests {
        let figures = test["figures"].as_array().unwrap();
        assert!(figures.len() >= 2, "{test}");
        for figure in figures {
            for rival in &measured {
                // Unknown where other tests kept the machine busy.
                if figure["key"].as_str().unwrap().starts_with("cpu") {
                    continue;
                }
                let result = &figure["results"][rival];
                let samples = result["samples"].as_array();
                assert_eq!(samples.map(Vec::len), Some(1), "{rival}: {figure}");
                assert_eq!(result["median"], result["samples"][0]);
                if figure["unit"] != "count" {
                    assert!(result["median"].as_f64() > Some(0.0), "{rival}: {figure}");
                    assert!(result["ratio"].as_f64() > Some(0.0), "{rival}: {figure}");
                }
            }
        }
    }
}

fn for_people() {
    // Inside the sandbox there is another /run.
    let picture = Path::new("/run/picture.svg");
    let line = "bench --compare direct --rounds 2 --time 1 --tests response";
    let told = ok(&format!("{line} --plot /run/picture.svg"));
    for part in ["\nresponse\n", "\n  direct", "spread", "Ratio: to direct."] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let drawn = fs::read_to_string(picture).unwrap();
    assert!(drawn.starts_with("<svg "), "{drawn}");
    assert!(
        drawn.ends_with("</svg>\n") && drawn.contains(">direct</text>"),
        "{drawn}"
    );

    fs::write(picture, "x".repeat(1_000_000)).unwrap();
    let told = ok(&format!("{line} --markdown --plot /run/picture.svg"));
    assert!(
        told.starts_with("Linux ") && told.contains("\n| --- | ---: |"),
        "{told}"
    );
    let drawn = fs::read_to_string(picture).unwrap();
    assert!(
        drawn.starts_with("<svg ") && drawn.ends_with("</svg>\n"),
        "nothing else is in it"
    );
}

/// Hides every program but those in `dir`.
fn hide_programs(dir: &Path) -> impl Fn(&str) -> std::process::Command {
    for sbin in ["/usr/local/sbin", "/usr/sbin", "/sbin"] {
        if fs::symlink_metadata(sbin).is_ok_and(|data| data.is_dir()) {
            let flags = MsFlags::empty();
            mount(Some("tmpfs"), sbin, Some("tmpfs"), flags, None::<&str>).unwrap();
        }
    }
    let dir = dir.to_owned();
    move |line| {
        let mut command = vswitch(words(line));
        command.env("PATH", &dir);
        command
    }
}

fn output(command: std::process::Command) -> Output {
    Background::start(command).unwrap().finish().unwrap()
}

fn report(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"))
}

fn not_installed() {
    let nothing = tempfile::tempdir().unwrap();
    let command = hide_programs(nothing.path());
    let line = "bench --compare ovs,vswitch,ovs-tso,vde --rounds 1 --time 1 --tests response";
    let found = output(command(&format!("{line} --json")));
    assert!(found.status.success(), "{found:?}");
    let found = report(&found);
    for (key, program) in [
        ("ovs", "ovs-vswitchd"),
        ("ovs-tso", "ovs-vsctl"),
        ("vde", "vde_switch"),
    ] {
        assert!(has_problem(&found, key, "not installed"), "{found}");
        assert!(has_problem(&found, key, program), "{found}");
    }
    let result = &found["tests"][0]["figures"][0]["results"];
    assert!(result["vswitch"]["median"].as_f64() > Some(0.0), "{found}");
    assert_eq!(found["reference"], "vswitch");

    // Where nothing is left, nothing is drawn, and a picture that was there stays.
    let line = "bench --compare ovs,vde --time 1";
    fs::write("/run/old.svg", "old").unwrap();
    for file in ["/run/new.svg", "/run/old.svg"] {
        let line = format!("{line} --plot {file}");
        let told = complaint(&output(command(&line)), &line, 1);
        assert_eq!(told.matches("not installed").count(), 2, "{told}");
    }
    assert!(!fs::exists("/run/new.svg").unwrap());
    assert_eq!(fs::read_to_string("/run/old.svg").unwrap(), "old");
}

fn does_not_start() {
    let programs = tempfile::tempdir().unwrap();
    let script = "#!/bin/sh\ncase $0 in *ovsdb-tool) exit $TOOL;; esac\necho no luck >&2\nexit 3\n";
    for name in ["ovs-vswitchd", "ovsdb-server", "ovsdb-tool", "ovs-vsctl"] {
        let file = programs.path().join(name);
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let command = hide_programs(programs.path());
    let before = Surroundings::now();
    for (tool, reason) in [
        ("1", "ovsdb-tool failed"),
        ("0", "ovsdb-server ended at once"),
    ] {
        let line = "bench --compare ovs,direct --rounds 2 --time 1 --tests response --json";
        let mut command = command(line);
        command.env("TOOL", tool);
        let found = output(command);
        assert!(found.status.success(), "{found:?}");
        let found = report(&found);
        // Where this user may make no TAP interface, it does not come so far.
        if !has_problem(&found, "ovs", "/dev/net/tun") {
            assert!(has_problem(&found, "ovs", reason), "{found}");
            let told = has_problem(&found, "ovs", "no luck");
            assert_eq!(told, tool == "0", "{found}");
        }
        let result = &found["tests"][0]["figures"][0]["results"];
        assert_eq!(result["direct"]["samples"].as_array().unwrap().len(), 2);
        assert_eq!(result["ovs"], Value::Null);
    }
    assert_eq!(Surroundings::now(), before);
}

fn refuses() {
    for (line, told) in [
        ("bench", "<A>"),
        ("bench --compare peach", "direct, bridge, vswitch, ovs"),
        ("bench --compare direct mario", "cannot be used with"),
        ("bench mario luigi --rounds 2", "--rounds"),
        ("bench --compare --tests peach", "no-loss"),
        ("bench --compare --size 9000", "1518"),
        ("bench --compare --time 0", "--time"),
        ("bench --compare --rounds 1000000", "--rounds"),
    ] {
        let sentence = fails(line, 2);
        assert!(sentence.contains(told), "{line}: {sentence}");
    }
    for file in ["/nowhere/x.svg", "/run"] {
        let sentence = fails(&format!("bench --compare direct --plot {file}"), 1);
        assert!(sentence.contains(file), "{sentence}");
    }
    let sentence = fails("bench --compare --inside", 1);
    assert!(sentence.contains("'vswitch bench --compare'"), "{sentence}");
}

/// The process that measures.
fn child_of(pid: u32) -> Option<String> {
    children_of(&pid.to_string()).into_iter().next()
}

/// The children of all threads of a process (proc(5)).
fn children_of(pid: &str) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let tasks = tasks.into_iter().flatten().flatten();
    let texts = tasks.map(|task| fs::read_to_string(task.path().join("children")));
    let words = |text: String| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    texts.flatten().flat_map(words).collect()
}

/// The number of the namespace that is host A, as long as there is one.
fn host_a(child: &str) -> Option<u64> {
    let file = fs::metadata(format!("/proc/{child}/root/run/netns/a")).ok()?;
    // Before a namespace is mounted on it, the file is of no size and of no rights.
    (file.mode() & 0o777 != 0).then(|| file.ino())
}

fn interrupted() {
    let before = Surroundings::now();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let line = "bench --compare direct --rounds 1000 --time 1 --tests response --json";
        let mut running = Background::start(vswitch(words(line))).unwrap();
        let pid = running.pid();
        assert!(wait_until(PATIENCE, || child_of(pid).is_some()));
        let child = child_of(pid).unwrap();
        // Each measurement has namespaces of its own: with the second, the first is over.
        let mut first = None;
        assert!(wait_until(PATIENCE, || {
            let now = host_a(&child);
            first = first.or(now);
            now.is_some() && now != first
        }));
        running.signal(signal).unwrap();
        let status = running.wait().expect("it ends");
        assert_eq!(status.code(), Some(128 + signal as i32));
        let output = running.finish().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(errors.contains("interrupted; "), "{errors}");
        let report = report(&output);
        assert_eq!(report["interrupted"], true);
        let samples = &report["tests"][0]["figures"][0]["results"]["direct"]["samples"];
        assert!(!samples.as_array().unwrap().is_empty(), "{report}");
        assert!(!fs::exists(format!("/proc/{child}")).unwrap());
        assert_eq!(Surroundings::now(), before);
    }
}

fn killed() {
    let before = Surroundings::now();
    let line = "bench --compare vswitch --rounds 1000 --time 1 --tests response";
    let mut running = Background::start(vswitch(words(line))).unwrap();
    let pid = running.pid();
    let mut found = Vec::new();
    assert!(wait_until(PATIENCE, || {
        found = child_of(pid).into_iter().collect();
        let switches: Vec<_> = found.iter().flat_map(|child| children_of(child)).collect();
        found.extend(switches);
        found.len() == 2
    }));
    running.signal(Signal::SIGKILL).unwrap();
    assert!(running.wait().is_some());
    for process in found {
        let gone = || !fs::exists(format!("/proc/{process}")).unwrap();
        assert!(wait_until(PATIENCE, gone), "{process} is left");
    }
    assert_eq!(Surroundings::now(), before);
}
