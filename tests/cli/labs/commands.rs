//! Commands inside the hosts of a lab.

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vswitch_netns::Namespace;

use super::{LabFile, ends, nothing_is_left};
use crate::cli::{Surroundings, json};
use crate::harness::program::{VSWITCH as PROGRAM, run_vswitch};
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli::labs::a_command_runs_as_long_as_its_lab", runs),
        isolated(
            "cli::labs::what_a_command_leaves_behind_ends_with_the_lab",
            daemon,
        ),
        isolated("cli::labs::a_host_is_made_ready_before_its_commands", setup),
        isolated("cli::labs::a_setup_that_fails_leaves_nothing", failing),
    ]
}

/// A lab whose host mario has these lines too.
fn lab(lines: &str) -> LabFile {
    LabFile::new(&format!(
        "[switch.s]\n[host.mario]\nip = \"10.0.0.1/24\"\n{lines}\n"
    ))
}

/// The process of the switch that a command runs, once it answers.
fn inner() -> i32 {
    let answers = || run_vswitch(["show", "inner"]).status.success();
    assert!(wait_until(PATIENCE, answers));
    i32::try_from(json("show inner")["pid"].as_i64().unwrap()).unwrap()
}

fn runs() {
    let before = Surroundings::now();
    let command = format!("commands = [[\"{PROGRAM}\", \"run\", \"inner\"]]");
    let lab = lab(&command);
    lab.up();
    let first = inner();
    let of_process = Namespace::of_process(first.cast_unsigned()).unwrap();
    assert_eq!(of_process, Namespace::open("mario").unwrap());
    assert!(lab.up().starts_with("nothing to do"));
    assert_eq!(inner(), first);
    ends("status", 0);

    kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
    let mut told = String::new();
    assert!(wait_until(PATIENCE, || {
        let output = run_vswitch(["status"]);
        told = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.code() == Some(1)
    }));
    assert!(told.contains("it was ended by SIGKILL"), "{told}");
    lab.up();
    assert_ne!(inner(), first);
    ends("status", 0);

    lab.edit(&command, "");
    lab.up();
    ends("show inner", 1);
    lab.down();
    nothing_is_left(&before);
}

/// A program that goes to the background by itself.
fn daemon() {
    let before = Surroundings::now();
    let lab = lab(&format!(
        "setup = [[\"{PROGRAM}\", \"run\", \"inner\", \"--detach\"]]\n\
         commands = [[\"{PROGRAM}\", \"run\", \"other\", \"--detach\"]]"
    ));
    lab.up();
    inner();
    assert!(wait_until(PATIENCE, || run_vswitch(["show", "other"])
        .status
        .success()));
    ends("status", 0);
    assert!(lab.up().starts_with("nothing to do"));
    lab.down();
    ends("show inner", 1);
    ends("show other", 1);
    nothing_is_left(&before);
}

fn setup() {
    let before = Surroundings::now();
    let namespace = |name: &str| format!("[\"{PROGRAM}\", \"netns\", \"add\", \"{name}\"]");
    let lab = lab(&format!("setup = [{}]", namespace("one")));
    lab.up();
    assert!(Namespace::exists("one"));
    // It is not done twice, unless it is changed: then it would fail here if it were.
    assert!(lab.up().starts_with("nothing to do"));
    lab.edit(&namespace("one"), &namespace("two"));
    lab.up();
    assert!(Namespace::exists("two"));
    lab.down();
    Namespace::delete("one").unwrap();
    Namespace::delete("two").unwrap();
    nothing_is_left(&before);
}

fn failing() {
    let before = Surroundings::now();
    let lab = lab(&format!("setup = [[\"{PROGRAM}\", \"show\", \"nobody\"]]"));
    let (_, errors) = ends("up /run/lab.toml", 1);
    assert!(errors.contains("ended with status 1"), "{errors}");
    assert!(
        errors.contains("no switch named 'nobody' is running"),
        "{errors}"
    );
    assert!(
        errors.contains("what was made has been removed again"),
        "{errors}"
    );
    nothing_is_left(&before);
    lab.edit(PROGRAM, "/nowhere/x");
    let (_, errors) = ends("up /run/lab.toml", 1);
    assert!(errors.contains("cannot run '/nowhere/x'"), "{errors}");
    nothing_is_left(&before);
}
