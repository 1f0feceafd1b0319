//! How a switch begins and ends, and what is left when it is killed.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::{Surroundings, Switch, fails, json, link, namespaces, ok};
use crate::harness::program::{Background, is_empty_dir, run_vswitch, runtime_dir, vswitch};
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_detached_switch_is_ready_and_logs", detached),
        isolated(
            "cli_ports_that_were_prepared_and_not_wanted_are_closed",
            prepared,
        ),
        isolated("cli_switch_leaves_nothing_but_namespaces", leaves_nothing),
        isolated("cli_foreground_switch_ends_at_sigterm", || {
            ends_at(Signal::SIGTERM);
        }),
        isolated("cli_foreground_switch_ends_at_sigint", || {
            ends_at(Signal::SIGINT);
        }),
        isolated(
            "cli_detached_switch_ends_at_sigterm",
            detached_ends_at_sigterm,
        ),
        isolated("cli_second_switch_of_a_name_is_refused", second_refused),
        isolated(
            "cli_what_a_killed_switch_left_is_removed_where_it_is_not_wanted",
            killed,
        ),
        isolated("cli_cable_of_another_killed_switch_makes_room", orphan),
        isolated("cli_living_switch_elsewhere_keeps_its_cables", namesake),
        isolated("cli_switch_may_be_left_out_if_it_is_the_only_one", left_out),
        isolated("cli_two_start_at_once_and_one_wins", race),
    ]
}

fn detached() {
    let switch = Switch::start("s");
    let show = switch.show();
    let log = show["log"].as_str().unwrap().to_owned();
    assert_eq!(log, "/run/vswitch/s/log");
    ok("attach mario");
    let text = fs::read_to_string(&log).unwrap();
    assert!(
        text.contains("is ready") && text.contains("mario"),
        "{text}"
    );
    assert!(ok("show").contains(&log));

    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(switch.dir()), 0o700);
    assert_eq!(mode(switch.socket()), 0o600);

    let proc = format!("/proc/{}", switch.pid());
    assert_eq!(
        fs::read_link(format!("{proc}/cwd")).unwrap().as_os_str(),
        "/"
    );
    let to = |fd: u32| fs::read_link(format!("{proc}/fd/{fd}")).unwrap();
    assert_eq!(to(0).as_os_str(), "/dev/null");
    assert_eq!(to(1).as_os_str(), log.as_str());
    assert_eq!(to(2).as_os_str(), log.as_str());
    let name = fs::read_to_string(format!("{proc}/comm")).unwrap();
    assert_eq!(name, "vswitch\n");
    let stat = fs::read_to_string(format!("{proc}/stat")).unwrap();
    let session = stat.rsplit(')').next().unwrap().split_whitespace().nth(3);
    assert_eq!(
        session.unwrap(),
        switch.pid().to_string(),
        "it leads its session"
    );
}

fn prepared() {
    let _switch = Switch::start("s");
    let sockets = || {
        let all = fs::read_to_string("/proc/thread-self/net/packet").unwrap();
        all.lines().skip(1).count()
    };
    for (attached, namespace) in ["mario", "luigi"].into_iter().enumerate() {
        ok(&format!("attach {namespace}"));
        // A port has two.
        let of_ports = 2 * (attached + 1);
        let are_closed = wait_until(PATIENCE, || sockets() == of_ports);
        assert!(are_closed, "{} packet sockets", sockets());
    }
}

fn leaves_nothing() {
    let before = Surroundings::now();
    let switch = Switch::start("s");
    ok("attach mario --ip 10.0.0.1/24");
    ok("attach luigi --ip 10.0.0.2/24");
    assert!(link("mario-vsw").is_some());
    switch.stop();
    assert!(is_empty_dir(&runtime_dir()));
    assert_eq!(namespaces(), ["luigi", "mario"]);
    assert_eq!(Surroundings::now().links, before.links);
}

/// A switch in the foreground that takes commands.
fn foreground(line: &str) -> Background {
    let running = Background::start(vswitch(super::words(line))).unwrap();
    let ready = || run_vswitch(["show", "s"]).status.success();
    assert!(wait_until(PATIENCE, ready), "it never became ready");
    running
}

fn ends_at(signal: Signal) {
    let before = Surroundings::now();
    let mut running = foreground("run s");
    assert_eq!(json("show s")["log"], json!(null));
    ok("attach mario");
    running.signal(signal).unwrap();
    let status = running.wait().expect("it ends");
    assert_eq!(status.code(), Some(0));
    let output = running.finish().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains(signal.as_str()), "{log}");
    assert_eq!(Surroundings::now().links, before.links);
    assert!(is_empty_dir(&runtime_dir()));
}

fn detached_ends_at_sigterm() {
    let switch = Switch::start("s");
    ok("attach mario");
    kill(Pid::from_raw(switch.pid()), Signal::SIGTERM).unwrap();
    assert!(wait_until(PATIENCE, || is_empty_dir(&runtime_dir())));
    assert!(link("mario-vsw").is_none());
}

fn second_refused() {
    let switch = Switch::start("s");
    ok("attach mario");
    let before = Surroundings::now();
    for line in ["run s", "run s --detach"] {
        let told = fails(line, 1);
        let pid = format!("(process {})", switch.pid());
        assert!(
            told.contains("already running") && told.contains(&pid),
            "{told}"
        );
    }
    assert_eq!(Surroundings::now(), before);
    assert_eq!(switch.port("mario-vsw")["state"], "up");
}

fn killed() {
    let switch = Switch::start("s");
    ok("attach mario --ip 10.0.0.1/24");
    switch.kill();
    assert!(link("mario-vsw").is_some(), "nobody was there to remove it");
    assert_eq!(json("list"), json!([]), "a dead switch is none");
    assert!(fails("show s", 1).contains("'s' was killed"));
    assert!(fails("show", 1).contains("'s' was killed"));

    let again = Switch::start("s --fresh");
    let log = fs::read_to_string(again.dir().join("log")).unwrap();
    assert!(log.contains("removed mario-vsw"), "{log}");
    assert!(link("mario-vsw").is_none());
    ok("attach mario --ip 10.0.0.1/24");
    assert_eq!(again.port("mario-vsw")["state"], "up");
    again.kill();
    ok("stop s");
    assert!(link("mario-vsw").is_none());
    assert!(is_empty_dir(&runtime_dir()));
}

fn orphan() {
    let dead = Switch::start("dead");
    ok("attach mario");
    dead.kill();
    let switch = Switch::start("s");
    ok("attach mario --switch s --ip 10.0.0.1/24");
    assert_eq!(switch.port("mario-vsw")["state"], "up");
    let log = fs::read_to_string(switch.dir().join("log")).unwrap();
    assert!(log.contains("removed mario-vsw"), "{log}");
}

fn namesake() {
    let switch = Switch::start("s");
    ok("attach mario");
    let elsewhere = ["--runtime-dir", "/run/elsewhere"];
    let run = |line: &str| {
        let mut arguments = elsewhere.to_vec();
        arguments.extend(super::words(line));
        let output = run_vswitch(&arguments);
        assert!(output.status.success(), "{line}: {output:?}");
    };
    run("run s --detach");
    assert_eq!(switch.port("mario-vsw")["state"], "up");
    assert!(link("mario-vsw").is_some());
    run("stop s");
    assert_eq!(switch.port("mario-vsw")["state"], "up");
}

fn left_out() {
    assert!(fails("show", 1).contains("vswitch run"));
    assert!(fails("attach mario", 1).contains("no switch is running"));
    let one = Switch::start("one");
    ok("attach mario");
    assert_eq!(json("show")["name"], "one");
    let two = Switch::start("two");
    for line in ["attach luigi", "detach mario", "fdb", "port list", "show"] {
        let told = fails(line, 1);
        assert!(told.contains("one, two"), "{told}");
    }
    ok("attach luigi --switch two");
    assert!(fails("attach mario --switch two", 1).contains("already attached to the switch 'one'"));
    let list = json("list");
    let row = |pid: i32, name: &str| json!({"name": name, "pid": pid, "ports": 1, "macs": 0});
    let without_macs = |mut entry: serde_json::Value| {
        entry["macs"] = 0.into();
        entry
    };
    let list: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .cloned()
        .map(without_macs)
        .collect();
    assert_eq!(list, [row(one.pid(), "one"), row(two.pid(), "two")]);
    one.stop();
    assert_eq!(json("show")["name"], "two");
}

fn race() {
    let start = || Background::start(vswitch(["run", "s", "--detach"])).unwrap();
    let contenders: Vec<Background> = (0..8).map(|_| start()).collect();
    let statuses: Vec<_> = contenders
        .into_iter()
        .map(|contender| contender.finish().unwrap().status.code().unwrap())
        .collect();
    assert_eq!(
        statuses.iter().filter(|code| **code == 0).count(),
        1,
        "{statuses:?}"
    );
    assert_eq!(
        statuses.iter().filter(|code| **code == 1).count(),
        7,
        "{statuses:?}"
    );
    Switch {
        name: "s".to_owned(),
    }
    .stop();
    assert!(is_empty_dir(&runtime_dir()));
}
