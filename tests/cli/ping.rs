//! `vswitch ping`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use vswitch_netns::{Namespace, Netlink};

use super::{Switch, fails, json, ok, words};
use crate::harness::program::{run_vswitch, vswitch};
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_ping_asks_all_addresses_of_a_namespace", pair),
        isolated("cli_ping_without_an_answer_fails", silence),
        isolated("cli_ping_goes_on_until_it_is_interrupted", endless),
        isolated("cli_ping_ends_when_nobody_reads", nobody_reads),
        isolated("cli_ping_all_tells_who_reaches_whom", matrix),
        isolated("cli_ping_all_finds_those_plugged_in_by_hand", by_hand),
        isolated("cli_ping_all_makes_room_for_many", many),
        isolated("cli_ping_refuses_in_one_sentence", refusals),
    ]
}

fn lab(hosts: &[&str]) -> Switch {
    let switch = Switch::start("s");
    for (name, number) in hosts.iter().zip(1..) {
        ok(&format!(
            "attach {name} --ip 10.0.0.{number}/24 --ip fd00::{number}/64"
        ));
    }
    switch
}

/// What the command says, and its status. Run again until it is 0, where that is wanted: the first
/// requests may be lost on a machine that is busy.
fn report(line: &str, succeeds: bool) -> Value {
    let mut told = Value::Null;
    let ended = wait_until(PATIENCE, || {
        let output = run_vswitch(words(&format!("{line} --json")));
        told = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        output.status.success() == succeeds
    });
    assert!(ended, "{line}: {told}");
    told
}

fn pair() {
    let _switch = lab(&["mario", "luigi"]);
    let told = report("ping mario luigi --count 2 --interval 0.01", true);
    assert_eq!(
        (&told["from"], &told["to"]),
        (&json!("mario"), &json!("luigi"))
    );
    let addresses = told["addresses"].as_array().unwrap();
    let asked: Vec<_> = addresses
        .iter()
        .map(|a| a["address"].as_str().unwrap())
        .collect();
    assert_eq!(
        asked,
        ["10.0.0.2", "fd00::2"],
        "the link-local one is not asked"
    );
    for address in addresses {
        assert_eq!(address["sent"], 2);
        assert!(address["min_us"].as_f64().unwrap() > 0.0, "{address}");
    }
    let told = report("ping mario luigi -6 --count 1 --size 8000", true);
    assert_eq!(told["addresses"].as_array().unwrap().len(), 1);
    let told = report("ping mario 10.0.0.2 --count 1", true);
    assert_eq!(told["to"], Value::Null);
    let text = ok("ping luigi mario -4 --count 1 -W 60");
    assert!(
        text.starts_with(
            "luigi pings 10.0.0.1 with 56 bytes\n64 bytes from 10.0.0.1: icmp_seq=1 time="
        ),
        "{text}"
    );
    assert!(
        text.contains("1 sent, 1 answered, 0% lost, min/avg/max "),
        "{text}"
    );
}

fn silence() {
    let _switch = lab(&["mario", "luigi"]);
    let told = report(
        "ping mario 10.0.0.99 --count 2 --interval 0.01 --timeout 0.05",
        false,
    );
    let address = &told["addresses"][0];
    assert_eq!(
        (&address["sent"], &address["received"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(address["mean_us"], Value::Null);
    let told = report("ping mario 192.0.2.1 --count 1", false);
    assert_eq!(told["addresses"][0]["error"], "Network is unreachable");
    let output = run_vswitch(words("ping mario 192.0.2.1 --count 1"));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("1 sent, 0 answered, 100% lost"), "{text}");
}

fn endless() {
    let _switch = lab(&["mario", "luigi"]);
    let mut command = vswitch(words("ping mario luigi -4 --count 0 --interval 0.01"));
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    while !next().starts_with("64 bytes from 10.0.0.2: icmp_seq=") {}
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    while !next().contains(" answered, ") {}
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

fn nobody_reads() {
    let _switch = lab(&["mario", "luigi"]);
    for line in ["ping mario luigi --count 0 --interval 0.01", "ping --all"] {
        let mut child = vswitch(words(line))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut status = None;
        assert!(wait_until(PATIENCE, || {
            status = child.try_wait().unwrap();
            status.is_some()
        }));
        assert!(
            status.unwrap().code().is_some_and(|code| code < 2),
            "{status:?}"
        );
        let errors = child.wait_with_output().unwrap().stderr;
        assert_eq!(String::from_utf8_lossy(&errors), "");
    }
}

fn matrix() {
    let _switch = lab(&["luigi", "mario", "peach"]);
    let told = report("ping --all", true);
    assert_eq!(
        told["reached"], 12,
        "three hosts, two others each, two families"
    );
    assert_eq!(told["hosts"].as_array().unwrap().len(), 3);
    let text = ok("ping --all -4");
    let grid = "         luigi  mario  peach
  luigi  ·      4      4
  mario  4      ·      4
  peach  4      4      ·
";
    assert!(text.starts_with(grid), "{text}");

    ok("-n peach link set peach-netns down");
    let told = report("ping --all -4 --timeout 0.1", false);
    assert_eq!((&told["reached"], &told["failed"]), (&json!(2), &json!(4)));
    let pairs = told["pairs"].as_array().unwrap();
    for pair in pairs {
        let cut_off = pair["from"] == "peach" || pair["to"] == "peach";
        assert_eq!(pair["reached"], !cut_off, "{pair}");
        assert_eq!(pair["error"].is_string(), cut_off, "{pair}");
    }
    let output = run_vswitch(words("ping --all -4 --timeout 0.1"));
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("  mario  4      ·      x\n"), "{text}");
    assert!(text.contains("IPv4: 2 of 6 answered\n"), "{text}");
    ok("-n peach link set peach-netns up");
    report("ping --all --switch s -4", true);
}

fn by_hand() {
    let _switch = lab(&["mario"]);
    ok("netns add toad");
    ok("link add toad-vsw up type veth peer name toad-netns netns toad up");
    ok("-n toad addr add 10.0.0.9/24 dev toad-netns");
    ok("port add toad-vsw");
    let told = report("ping --all", true);
    let names: Vec<_> = told["hosts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|h| &h["name"])
        .collect();
    assert_eq!(names, ["mario", "toad"]);
    assert_eq!(told["reached"], 2, "toad has no IPv6 address");
}

/// So many that the window of requests is full, that stations forget each other again, and that
/// they are told of each other.
fn many() {
    let _switch = Switch::start("s --subnet 10.0.0.0/24");
    for number in 0..70 {
        ok(&format!("attach host-{number}"));
    }
    let told = report("ping --all", true);
    assert_eq!(told["reached"], 70 * 69);
    let host = Namespace::open("host-1").unwrap();
    let mut netlink = Netlink::open_in(&host).unwrap();
    let link = netlink.link("host-1-netns").unwrap();
    let known = (1..=70).filter(|number| {
        let address = format!("10.0.0.{number}").parse().unwrap();
        netlink.forget_neighbour(link.index, address).unwrap()
    });
    assert_eq!(known.count(), 0, "the room for neighbours is given back");
}

fn refusals() {
    assert!(fails("ping --all", 1).contains("no switch is running"));
    let _switch = lab(&["mario"]);
    ok("netns add toad");
    for (line, status, told) in [
        ("ping --all", 1, "no two namespaces"),
        ("ping --all --switch other", 1, "'other'"),
        ("ping mario toad", 1, "no address"),
        ("ping mario toad -6", 1, "no IPv6 address"),
        ("ping mario nobody", 1, "no network namespace nobody"),
        ("ping nobody mario", 1, "no network namespace nobody"),
        ("ping mario fd00::1 -4", 1, "other address family"),
        ("ping mario", 2, "required"),
        ("ping mario luigi --size 70000", 2, "--size"),
        ("ping mario luigi --timeout 0", 2, "seconds"),
    ] {
        let sentence = fails(line, status);
        assert!(sentence.contains(told), "{line}: {sentence}");
    }
    assert_eq!(json("list")[0]["name"], "s");
}
