//! `vswitch demo`.

use std::fs;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{Surroundings, json, ok};
use crate::harness::program::{Background, vswitch};
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_demo_goes_through_the_tutorial", demo),
        isolated(
            "cli_demo_leaves_nothing_when_it_is_interrupted",
            interrupted,
        ),
    ]
}

fn demo() {
    let before = Surroundings::now();
    let report = json("demo");
    let pings = report["pings"].as_array().unwrap();
    assert_eq!(pings.len(), 4, "IPv4 and IPv6, each way");
    for ping in pings {
        assert_eq!(ping["sent"], ping["received"], "{ping}");
        assert_ne!(ping["sent"], 0);
    }
    assert!(report["throughput"]["bytes"].as_u64().unwrap() > 1_000_000);

    let told = ok("demo");
    for line in [
        "vswitch run my_switch --detach",
        "vswitch attach luigi --ip 10.0.0.2/24",
        "vswitch fdb",
        "vswitch stop my_switch",
        "That was all.",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert_eq!(Surroundings::now(), before);
}

fn interrupted() {
    let before = Surroundings::now();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut running = Background::start(vswitch(["demo"])).unwrap();
        let pid = running.pid();
        // Its first child has namespaces of its own as soon as the demonstration runs.
        assert!(wait_until(PATIENCE, || !children_of(pid).is_empty()));
        let children = children_of(pid);
        running.signal(signal).unwrap();
        let status = running.wait().expect("it ends");
        assert_eq!(status.code(), Some(128 + signal as i32));
        let output = running.finish().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("gone"), "{told}");
        for child in children {
            assert!(!fs::exists(format!("/proc/{child}")).unwrap());
        }
        assert_eq!(Surroundings::now(), before);
    }
}

/// The children of a process's first thread (proc(5)).
fn children_of(pid: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let text = text.unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}
