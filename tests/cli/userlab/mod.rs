//! The lab of an ordinary user.

mod killed;
mod outside;
mod user;

use std::fs;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::metrics::scrape;
use super::{Surroundings, link, ok};
use crate::harness::program::Background;
use crate::harness::{PATIENCE, isolated, wait_until};
pub(super) use user::User;
use user::{LAB, PROGRAM, assert_traffic, mounts};

pub(super) fn tests() -> Vec<Trial> {
    let mut tests = vec![
        isolated("cli_userlab_from_beginning_to_end", beginning_to_end),
        isolated("cli_userlab_ends_with_its_last_namespace", last_namespace),
        isolated("cli_userlab_ends_with_its_last_interface", last_interface),
        isolated("cli_userlab_ends_with_a_switch_in_front", in_front),
        isolated("cli_userlab_is_not_for_the_demonstration", demonstration),
        isolated("cli_userlab_is_one_however_many_begin", many_begin),
        isolated("cli_userlab_comes_from_a_file", from_a_file),
        isolated("cli_userlab_of_a_file_serves_metrics_outside", metrics),
    ];
    tests.extend(killed::tests());
    tests.extend(outside::tests());
    tests
}

fn beginning_to_end() {
    let user = User::new("beginning");
    ok("netns add of_root");
    let (before, mounts_before) = (Surroundings::now(), mounts());
    assert!(user.fails("exec mario id").contains("netns add"));
    assert!(!user.dir().exists(), "who only looks makes nothing");

    user.ok("netns add mario");
    assert_eq!(user.names(), ["mario"], "not those of root");
    user.ok("run s --detach --subnet 10.0.0.0/24");
    user.ok("attach mario");
    user.ok("attach luigi");
    assert_eq!(user.names(), ["luigi", "mario"]);
    assert_traffic(&user, "mario", "luigi");
    let report = user.json("bench mario luigi --tests response --time 1");
    assert!(report.to_string().contains("response"), "{report}");
    // From outside, through the socket alone.
    let list = user.json("list");
    assert_eq!(list[0]["name"], "s");
    assert_eq!(list[0]["ports"], 2);
    assert_eq!(user.json("show s")["ports"][0]["namespace"], "mario");
    // A program inside finds the lab too.
    let inside = user.ok(&format!("exec mario {PROGRAM} show --json"));
    let inside: Value = serde_json::from_str(&inside).unwrap();
    assert_eq!(inside["name"], "s");
    assert_eq!(
        Surroundings::now(),
        before,
        "the host's network is as it was"
    );

    let told = user.ok("stop s");
    assert!(
        told.contains("lab ended") && told.contains("luigi, mario"),
        "{told}"
    );
    user.assert_nothing_left();
    assert_eq!(Surroundings::now(), before);
    assert_eq!(mounts(), mounts_before);
}

fn last_namespace() {
    let user = User::new("namespaces");
    user.ok("netns add a b");
    let keeper = user.keeper();
    user.ok("netns del a");
    assert_eq!(user.keeper(), keeper);
    assert_eq!(user.names(), ["b"]);
    user.ok("netns del b");
    user.assert_nothing_left();
    // What fails to begin leaves no lab either.
    fs::write(user.dir().join("s"), "in the way").unwrap();
    assert!(user.fails("run s --detach").contains("not a directory"));
    fs::remove_file(user.dir().join("s")).unwrap();
    user.assert_nothing_left();
}

/// What makes namespaces of its own needs no lab.
fn demonstration() {
    let user = User::new("demo");
    let told = user.ok("demo");
    assert!(told.contains("That was all."), "{told}");
    assert!(!user.dir().exists());
    user.assert_nothing_left();
}

/// A cable alone is something too.
fn last_interface() {
    let user = User::new("cable");
    user.ok("link add toad type veth peer name toadette");
    assert!(user.ok("link").contains("toadette"));
    assert!(link("toad").is_none(), "it is not the host's");
    user.ok("netns add mario");
    user.ok("netns del mario");
    assert!(user.ok("link").contains("toadette"));
    user.ok("link del toad");
    user.assert_nothing_left();
}

fn in_front() {
    let user = User::new("front");
    let mut running = Background::start(user.command("run s")).unwrap();
    let ready = || user.json("list") != json!([]);
    assert!(wait_until(PATIENCE, ready));
    user.ok("attach mario");
    user.ok("run t --detach");
    let keeper = user.keeper();
    running.signal(Signal::SIGTERM).unwrap();
    assert_eq!(running.wait().expect("it ends").code(), Some(0));
    // The other one goes on.
    assert_eq!(user.names(), ["mario"]);
    assert_eq!(user.keeper(), keeper);
    user.ok("attach mario");
    assert!(user.ok("stop t").contains("mario"));
    user.assert_nothing_left();
}

fn many_begin() {
    let user = User::new("many");
    let names: Vec<String> = (0..6).map(|number| format!("n{number}")).collect();
    let mut lines: Vec<String> = names
        .iter()
        .map(|name| format!("netns add {name}"))
        .collect();
    lines.extend(["run s --detach".to_owned(), "run t --detach".to_owned()]);
    let started: Vec<_> = lines
        .iter()
        .map(|line| Background::start(user.command(line)).unwrap())
        .collect();
    for one in started {
        let output = one.finish().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    assert!(user.keeper().is_some());
    assert_eq!(user.names(), names);
    user.ok("attach n0 --switch s");
    user.ok("attach n1 --switch t");
    assert_eq!(user.ok("stop s"), "", "the other one still runs");
    assert!(user.ok("stop t").contains("lab ended"));
    user.assert_nothing_left();
}

fn from_a_file() {
    let user = User::new("file");
    let before = Surroundings::now();
    let file = user.file("x.toml", LAB);
    assert!(user.ok(&format!("up {file} --dry-run")).contains("mario"));
    assert!(user.processes().is_empty(), "a dry run makes nothing");
    user.ok(&format!("up {file}"));
    assert_traffic(&user, "mario", "luigi");
    assert!(user.ok(&format!("up {file}")).contains("nothing to do"));
    assert_eq!(
        Surroundings::now(),
        before,
        "the host's network is as it was"
    );
    user.ok("down");
    user.assert_nothing_left();
    assert_eq!(Surroundings::now(), before);
}

/// Metrics are served where the command was typed, not in the network namespace of the lab.
fn metrics() {
    let user = User::new("metrics");
    let socket = user.file("t.sock", "");
    fs::remove_file(&socket).unwrap();
    let lab =
        format!("[switch.s]\nmetrics = \"127.0.0.1:0\"\n[switch.t]\nmetrics = \"unix:{socket}\"\n");
    let file = user.file("x.toml", &lab);
    user.ok(&format!("up {file}"));
    let url = user.json("show s")["metrics"].as_str().unwrap().to_owned();
    let address = url
        .trim_start_matches("http://")
        .trim_end_matches("/metrics");
    let samples = scrape(address.parse().unwrap());
    assert_eq!(samples["vswitch_ports{switch=\"s\",state=\"up\"}"], "0");
    assert!(fs::exists(&socket).unwrap());
    assert!(user.ok(&format!("up {file}")).contains("nothing to do"));
    user.ok("down");
    user.assert_nothing_left();
}
