//! `vswitch doctor` on real namespaces: it finds what is there, and changes nothing.

use std::fs;

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use vswitch_netns::{InterfaceName, LinkChange, Namespace, Netlink, VethEnd};

use super::{Surroundings, Switch, ok, sys, words};
use crate::harness::program::{Background, run_vswitch, vswitch};
use crate::harness::{PATIENCE, isolated, wait_until};

/// A capability that every lab needs (capabilities(7)).
const NET_ADMIN: libc::c_ulong = 12;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_doctor_changes_nothing", changes_nothing),
        isolated("cli_doctor_tells_of_leftovers", leftovers),
        isolated("cli_doctor_finds_switches_without_a_directory", ghosts),
        isolated("cli_doctor_tells_of_ports_that_differ", ports),
        isolated("cli_doctor_without_rights_tells_the_remedy", without_rights),
        isolated(
            "cli_doctor_names_a_useless_runtime_directory",
            runtime_directory,
        ),
    ]
}

/// What the doctor says. There may be a problem with the machine that the tests run on, which is not
/// theirs.
fn examined() -> Value {
    let output = run_vswitch(["doctor", "--json"]);
    assert!(output.stderr.is_empty(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let problems = report["summary"]["problem"].as_u64().unwrap();
    let status = i32::from(problems > 0);
    assert_eq!(output.status.code(), Some(status), "{report:#}");
    report
}

/// The findings of a check.
fn found<'a>(report: &'a Value, area: &str, check: &str) -> Vec<&'a Value> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["area"] == area && finding["check"] == check)
        .collect()
}

fn changes_nothing() {
    let _switch = Switch::start("s");
    ok("attach mario");
    let before = Surroundings::now();
    let report = examined();
    for check in [
        "named namespaces",
        "veth pairs",
        "packet sockets",
        "mapped rings",
        "ingress classifier",
    ] {
        let findings = found(&report, "kernel", check);
        assert_eq!(findings.len(), 1, "{check}: {report:#}");
        // The tests of the switch need all of it.
        assert_eq!(findings[0]["grade"], "ok", "{findings:#?}");
    }
    assert_eq!(found(&report, "leftovers", "leftovers")[0]["grade"], "ok");
    let text = ok("doctor");
    assert!(
        text.contains("rights") && text.contains("switches"),
        "{text}"
    );
    assert_eq!(Surroundings::now(), before);
}

fn leftovers() {
    let switch = Switch::start("s");
    ok("attach mario");
    let mut netlink = Netlink::open().unwrap();
    let end = |name| VethEnd::new(InterfaceName::new(name).unwrap());
    netlink
        .create_veth(&end("toad"), &end("peer"), None)
        .unwrap();
    ok("port add toad");
    fs::write("/run/netns/bowser", "").unwrap();
    let report = examined();
    assert!(
        found(&report, "leftovers", "cables").is_empty(),
        "{report:#}"
    );
    assert!(
        found(&report, "leftovers", "interfaces").is_empty(),
        "{report:#}"
    );
    let stale = found(&report, "leftovers", "namespaces");
    assert!(stale[0]["found"].as_str().unwrap().contains("bowser"));

    switch.kill();
    // Its sockets are closed a little later.
    let mut report = Value::Null;
    let all_told = wait_until(PATIENCE, || {
        report = examined();
        let checks = ["switches", "cables", "interfaces"];
        checks
            .iter()
            .all(|check| !found(&report, "leftovers", check).is_empty())
    });
    assert!(all_told, "{report:#}");
    for (check, name) in [
        ("switches", "s"),
        ("cables", "mario-vsw"),
        ("interfaces", "toad"),
    ] {
        let finding = found(&report, "leftovers", check)[0];
        assert_eq!(finding["grade"], "warning", "{finding:#}");
        assert!(
            finding["found"].as_str().unwrap().contains(name),
            "{finding:#}"
        );
        let remedy = finding["remedy"].as_str().unwrap();
        assert!(remedy.contains("vswitch run"), "{remedy}");
    }

    // The remedies help.
    let _again = Switch::start("s");
    ok("netns del bowser");
    let report = examined();
    assert_eq!(
        found(&report, "leftovers", "leftovers")[0]["grade"],
        "ok",
        "{report:#}"
    );
}

/// By accident, say: what it forwards goes on, and it is found all the same.
fn ghosts() {
    let switch = Switch::start("s --subnet 10.0.0.0/24");
    ok("attach mario");
    ok("attach luigi");
    let pid = switch.pid();
    assert!(found(&examined(), "leftovers", "processes").is_empty());
    fs::remove_dir_all(switch.dir()).unwrap();
    let told = |report: &Value| {
        let finding = found(report, "leftovers", "processes")[0].clone();
        let found = finding["found"].as_str().unwrap().to_owned();
        let remedy = finding["remedy"].as_str().unwrap().to_owned();
        assert!(
            found.contains(&format!("process {pid} is the switch 's'")),
            "{found}"
        );
        assert!(remedy.contains(&format!("kill -INT {pid}")), "{remedy}");
    };
    told(&examined());
    ok("ping mario luigi --count 1");
    // Nor is it taken for another one that has its name by now.
    let _again = Switch::start("s");
    told(&examined());
    // The remedy helps.
    kill(Pid::from_raw(pid), Signal::SIGINT).unwrap();
    let gone = || found(&examined(), "leftovers", "processes").is_empty();
    assert!(wait_until(PATIENCE, gone));
    assert!(super::link("mario-vsw").is_none());
}

fn ports() {
    let _switch = Switch::start("s");
    ok("attach mario --mtu 9000");
    let report = examined();
    assert_eq!(
        found(&report, "ports", "ports")[0]["grade"],
        "ok",
        "{report:#}"
    );
    ok("attach luigi");
    let inside = Namespace::open("luigi").unwrap();
    let mut netlink = Netlink::open_in(&inside).unwrap();
    let link = netlink.link("luigi-netns").unwrap();
    let change = LinkChange::new().mtu_bytes(1400);
    netlink.change_link(&link, &change).unwrap();

    let report = examined();
    let mtu = found(&report, "ports", "MTU")[0]["found"].as_str().unwrap();
    assert!(mtu.contains("9000 (mario-vsw)"), "{mtu}");
    let ends = found(&report, "ports", "MTU of cables")[0]["found"]
        .as_str()
        .unwrap();
    assert!(ends.contains("luigi-vsw 1500 and inside 1400"), "{ends}");
}

fn without_rights() {
    let mut command = vswitch(words("doctor --json"));
    sys::drop_capability(&mut command, NET_ADMIN);
    let output = Background::start(command).unwrap().finish().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let finding = found(&report, "rights", "capabilities")[0];
    assert_ne!(finding["grade"], "ok", "{finding:#}");
    let told = finding["found"].as_str().unwrap();
    assert!(told.contains("CAP_NET_ADMIN"), "{told}");
    assert!(finding["remedy"].is_string(), "{finding:#}");
}

fn runtime_directory() {
    fs::write("/run/file", "").unwrap();
    let output = run_vswitch(["doctor", "--json", "--runtime-dir", "/run/file"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let finding = found(&report, "directories", "runtime directory")[0];
    assert_eq!(finding["grade"], "problem");
    assert!(finding["found"].as_str().unwrap().contains("/run/file"));
}
