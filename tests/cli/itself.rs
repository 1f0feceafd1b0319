//! A program whose own path leads nowhere any more: deleted, or on a mount that has gone.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;
use serde_json::Value;

use super::{Surroundings, Switch, fails, json, ok, sys, words};
use crate::harness::isolated;
use crate::harness::program::{Background, install, runtime_dir};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_itself_demo_without_a_path", demo),
        isolated("cli_itself_compare_without_a_path", compare),
        isolated("cli_itself_every_other_start_without_a_path", others),
        isolated("cli_itself_restart_takes_what_is_installed", installed),
        isolated("cli_itself_restart_without_a_path_says_so", unknown),
    ]
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_vswitch");

/// How the path of the program is lost.
#[derive(Clone, Copy, Debug)]
enum Gone {
    /// Its file was deleted before it was started.
    Deleted,
    /// It was on a mount of a namespace that ends as soon as the program has one of its own.
    Unmounted,
}

const BOTH: [Gone; 2] = [Gone::Deleted, Gone::Unmounted];

/// `vswitch LINE`, by a program without a path. Gives what it prints.
fn without_path(gone: Gone, line: &str) -> String {
    let (command, _file) = match gone {
        Gone::Deleted => {
            let path = "/run/deleted";
            install(Path::new(path));
            let file = File::open(path).unwrap();
            fs::remove_file(path).unwrap();
            // The kernel has opened it before it closes the descriptor.
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            (Command::new(path), Some(file))
        }
        Gone::Unmounted => {
            let dir = "/run/mounted";
            fs::create_dir_all(dir).unwrap();
            let (from, file) = PROGRAM.rsplit_once('/').unwrap();
            let mut command = Command::new(format!("{dir}/{file}"));
            sys::with_mount_of_its_own(&mut command, from, dir);
            (command, None)
        }
    };
    let mut command = command;
    command
        .args(words(line))
        .env("VSWITCH_RUNTIME_DIR", runtime_dir())
        .env_remove("RUST_LOG");
    let output = Background::start(command).unwrap().finish().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{gone:?}: {line}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn report(gone: Gone, line: &str) -> Value {
    let text = without_path(gone, line);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{gone:?}: {error}: {text}"))
}

fn demo() {
    for gone in BOTH {
        let before = Surroundings::now();
        let report = report(gone, "demo --json");
        assert_eq!(report["pings"].as_array().unwrap().len(), 4, "{report}");
        assert_eq!(Surroundings::now(), before);
    }
}

fn compare() {
    for gone in BOTH {
        let line = "bench --compare packet --rounds 1 --time 1 --tests response --json";
        let report = report(gone, line);
        let figure = &report["tests"][0]["figures"][0];
        let samples = figure["results"]["vswitch"]["samples"].as_array();
        assert_eq!(samples.map(Vec::len), Some(1), "{report}");
    }
}

fn others() {
    for gone in BOTH {
        without_path(gone, "run s --detach");
        without_path(gone, "attach mario --ip 10.0.0.1/24");
        ok("stop s");
        let report = report(gone, "doctor --json");
        assert!(!report.to_string().contains("the trial itself failed"));

        fs::write("/run/lab.toml", LAB.replace("PROGRAM", PROGRAM)).unwrap();
        without_path(gone, "up /run/lab.toml");
        assert_eq!(json("list")[0]["name"], "s");
        without_path(gone, "down /run/lab.toml");
    }
}

const LAB: &str = r#"
[switch.s]
[host.luigi]
switch = "s"
ip = ["10.0.0.1/24"]
commands = [["PROGRAM", "list"]]
"#;

/// Runs the program, which is at this path, as a switch in the background.
fn run(program: &Path) -> Switch {
    let mut command = Command::new(program);
    command.args(["run", "s", "--detach"]);
    command.env("VSWITCH_RUNTIME_DIR", runtime_dir());
    assert!(command.status().unwrap().success());
    Switch {
        name: "s".to_owned(),
    }
}

/// The file that the switch runs, after a restart.
fn restarted() -> String {
    let pid = &json("restart s")["pid"];
    let file = fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    file.into_os_string().into_string().unwrap()
}

fn installed() {
    let (program, aside) = (Path::new("/run/program"), Path::new("/run/aside"));
    install(program);
    let _switch = run(program);
    // Moved, with nothing in its place: the same program goes on.
    fs::rename(program, aside).unwrap();
    assert_eq!(restarted(), "/run/aside");
    // Moved away for another, as cautious people install: not the one that was moved.
    fs::rename(aside, program).unwrap();
    assert_eq!(restarted(), "/run/program");
    fs::rename(program, aside).unwrap();
    install(program);
    assert_eq!(restarted(), "/run/program");
    // Deleted: nothing is guessed.
    let pid = json("show s")["pid"].clone();
    fs::remove_file(program).unwrap();
    let complaint = fails("restart s", 1);
    assert!(
        complaint.contains("no program at /run/program any more"),
        "{complaint}"
    );
    assert!(complaint.contains("goes on as it was"), "{complaint}");
    assert_eq!(json("show s")["pid"], pid);
}

/// What the kernel shows of a path that has gone may lead to another file: that is never started.
fn unknown() {
    without_path(Gone::Deleted, "run s --detach");
    let decoy = Path::new("/run/deleted");
    install(decoy);
    let pid = json("show s")["pid"].clone();
    let complaint = fails("restart s", 1);
    assert!(
        complaint.contains("the installed one is not known"),
        "{complaint}"
    );
    assert_eq!(json("show s")["pid"], pid);
    ok("stop s");
}
