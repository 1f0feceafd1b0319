//! A switch as a supervisor sees it: signs of life, exit statuses, last words.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{json, ok, run_vswitch};
use crate::harness::program::{Background, runtime_dir, vswitch};
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_panic_of_the_control_thread_ends_the_switch", || {
            panics("control", "main");
        }),
        isolated("cli_panic_of_the_switch_thread_ends_the_switch", || {
            panics("switch", "switch");
        }),
        isolated("cli_ended_switch_says_why", says_why),
        isolated("cli_switch_that_cannot_start_ends_with_1", cannot_start),
        isolated("cli_watchdog_is_fed_while_frames_may_pass", watchdog),
        isolated("cli_watchdog_of_another_process_is_not_fed", anothers),
    ]
}

fn runs() -> bool {
    json("list").as_array().is_some_and(|list| !list.is_empty())
}

fn start(command: std::process::Command) -> Background {
    let switch = Background::start(command).unwrap();
    assert!(wait_until(PATIENCE, runs));
    switch
}

/// A fault in one thread leaves no process half-dead, and what there was to the next.
fn panics(fault: &str, thread: &str) {
    let mut command = vswitch(["run", "s"]);
    command.env("VSWITCH_FAULT", fault);
    let switch = start(command);
    ok("attach mario");
    let _ = run_vswitch(["fdb", "flush"]);
    let output = switch.finish().unwrap();
    assert_eq!(output.status.code(), Some(70), "{output:?}");
    let log = String::from_utf8(output.stderr).unwrap();
    let last = log.lines().last().unwrap();
    let reason = format!("thread '{thread}' panicked at");
    assert!(last.contains("the switch 's' has ended: its "), "{last}");
    assert!(last.contains(&reason), "{last}");
    assert!(last.contains("a fault that was wanted"), "{last}");

    // Nothing was dismantled, and the next one of the name has it all.
    assert!(runtime_dir().join("s/control.sock").exists());
    ok("run s --detach");
    assert_eq!(json("port list")[0]["namespace"], "mario");
    ok("stop s");
}

fn says_why() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let switch = start(vswitch(["run", "s"]));
        switch.signal(signal).unwrap();
        let output = switch.finish().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let log = String::from_utf8(output.stderr).unwrap();
        let last = format!("the switch 's' has ended: by {signal}");
        assert!(log.lines().last().unwrap().ends_with(&last), "{log}");
    }
    let switch = start(vswitch(["run", "s"]));
    ok("stop s");
    let output = switch.finish().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let log = String::from_utf8(output.stderr).unwrap();
    let last = "the switch 's' has ended: it was asked to";
    assert!(log.lines().last().unwrap().ends_with(last), "{log}");
}

fn cannot_start() {
    let _switch = start(vswitch(["run", "s"]));
    let second = run_vswitch(["run", "s"]);
    assert_eq!(second.status.code(), Some(1), "{second:?}");
}

/// A manager that waits for signs of life every so often.
fn manager() -> UnixDatagram {
    let manager = UnixDatagram::bind("/run/notify").unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    manager
}

fn watched(fault: &str) -> std::process::Command {
    let mut command = vswitch(["run", "s"]);
    command
        .env("NOTIFY_SOCKET", "/run/notify")
        .env("WATCHDOG_USEC", "100000")
        .env("VSWITCH_FAULT", fault);
    command
}

fn next(manager: &UnixDatagram) -> std::io::Result<String> {
    let mut text = [0; 4096];
    let length = manager.recv(&mut text)?;
    Ok(String::from_utf8_lossy(&text[..length]).into_owned())
}

/// It stops when the thread that moves frames hangs, however well the other works.
fn watchdog() {
    let manager = manager();
    let mut switch = start(watched("hang"));
    let mut told = Vec::new();
    while told.iter().filter(|told| *told == "WATCHDOG=1\n").count() < 5 {
        told.push(next(&manager).expect("a sign of life"));
    }
    assert!(told[0].contains("READY=1"), "{told:?}");

    let mut client = Background::start(vswitch(["fdb", "flush"])).unwrap();
    manager
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    let is_silent = wait_until(PATIENCE, || next(&manager).is_err());
    assert!(is_silent, "a switch that hangs says that it lives");
    assert!(!switch.has_ended() && !client.has_ended());
}

fn anothers() {
    let manager = manager();
    let mut command = watched("");
    command.env("WATCHDOG_PID", "1");
    let switch = start(command);
    switch.signal(Signal::SIGTERM).unwrap();
    drop(switch.finish().unwrap());
    let told = [next(&manager).unwrap(), next(&manager).unwrap()].concat();
    assert!(told.contains("READY=1") && told.contains("STOPPING=1"));
    assert!(!told.contains("WATCHDOG=1"), "{told}");
}
