//! A lab whose file is edited.

use std::fs;

use libtest_mimic::Trial;
use serde_json::json;
use vswitch_netns::{Namespace, Netlink};

use super::{LabFile, ends, nothing_is_left, reaches};
use crate::cli::abuse::Peer;
use crate::cli::{Surroundings, json};
use crate::harness::isolated;
use crate::harness::program::runtime_dir;

const LAB: &str = r#"
[switch.left]
subnet = "10.0.1.0/24"

[switch.right]

[host.mario]
switch = "left"

[host.luigi]
switch = "left"

[host.peach]
switch = "right"
ip = "10.0.2.1/24"
sysctl = { "net.ipv4.tcp_ecn" = 1 }
"#;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli::labs::an_edit_changes_only_the_difference", difference),
        isolated("cli::labs::addresses_change_while_plugged_in", readdress),
        isolated(
            "cli::labs::addresses_of_a_change_that_was_cut_off_go",
            cut_off,
        ),
        isolated("cli::labs::settings_change_while_a_switch_runs", settings),
        isolated("cli::labs::a_setting_is_given_back", sysctl),
        isolated("cli::labs::a_dry_run_and_a_diff_do_nothing", dry),
    ]
}

/// What would change if something were made anew.
fn identity(switch: &str, port: &str) -> (i64, i64) {
    let shown = json(&format!("show {switch}"));
    let ports = shown["ports"].as_array().unwrap();
    let found = ports.iter().find(|found| found["name"] == port).unwrap();
    let index = Netlink::open().unwrap().link(port).unwrap().index;
    (
        shown["pid"].as_i64().unwrap(),
        found["id"].as_i64().unwrap() << 32 | i64::from(index),
    )
}

fn difference() {
    let before = Surroundings::now();
    let lab = LabFile::new(LAB);
    lab.up();
    let (mario, peach) = (
        identity("left", "mario-vsw"),
        identity("right", "peach-vsw"),
    );
    lab.edit(
        "[host.luigi]\nswitch = \"left\"",
        "[host.yoshi]\nswitch = \"left\"\nmtu = 1400",
    );
    let told = lab.up();
    assert!(
        told.contains("- host luigi\n") && told.contains("+ host yoshi\n"),
        "{told}"
    );
    assert!(!told.contains("mario") && !told.contains("peach"), "{told}");
    assert_eq!(identity("left", "mario-vsw"), mario);
    assert_eq!(identity("right", "peach-vsw"), peach);
    reaches("yoshi", "10.0.1.1");
    assert!(!Namespace::exists("luigi"));
    // A switch and its host go, another switch stays.
    let text = fs::read_to_string(&lab.0).unwrap();
    let (kept, _) = text.split_once("[host.peach]").unwrap();
    fs::write(&lab.0, kept.replace("[switch.right]", "")).unwrap();
    lab.up();
    assert_eq!(identity("left", "mario-vsw"), mario);
    ends("show right", 1);
    lab.down();
    nothing_is_left(&before);
}

fn readdress() {
    let lab = LabFile::new(LAB);
    lab.up();
    let peach = identity("right", "peach-vsw");
    lab.edit(
        "ip = \"10.0.2.1/24\"",
        "ip = [\"10.0.2.9/24\", \"fd00::9/64\"]",
    );
    lab.up();
    assert_eq!(identity("right", "peach-vsw"), peach);
    let shown = json("port list --switch right");
    assert_eq!(shown[0]["addresses"][0], "10.0.2.9/24", "{shown}");
    let inside = Namespace::open("peach").unwrap();
    let addresses = Netlink::open_in(&inside).unwrap().addresses(None).unwrap();
    let has = |text: &str| addresses.iter().any(|found| found.net.to_string() == text);
    assert!(
        has("10.0.2.9/24") && has("fd00::9/64") && !has("10.0.2.1/24"),
        "{addresses:?}"
    );
    assert!(lab.up().starts_with("nothing to do"));
    lab.down();
}

/// The addresses of the host `peach` that this lab has given it.
fn addresses() -> Vec<String> {
    let inside = Namespace::open("peach").unwrap();
    let all = Netlink::open_in(&inside).unwrap().addresses(None).unwrap();
    let mut all: Vec<_> = all.iter().map(|found| found.net.to_string()).collect();
    all.retain(|address| address.starts_with("10.") || address.starts_with("fd"));
    all.sort();
    all
}

fn cut_off() {
    const TWO: &str = "[\"10.0.2.1/24\", \"10.0.2.8/24\"]";
    let lab = LabFile::new(&LAB.replace("\"10.0.2.1/24\"", TWO));
    lab.up();
    // `up` was killed when it had written down what it was about to do.
    lab.edit(TWO, "\"10.0.2.1/24\"");
    lab.up();
    let journal = runtime_dir().join(".labs/lab/journal");
    let text = fs::read_to_string(&journal).unwrap();
    let mut lines = text.lines();
    let change = lines.find(|line| line.contains("changing")).unwrap();
    lab.edit("ip = \"10.0.2.1/24\"", &format!("ip = {TWO}"));
    lab.up();
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, format!("{text}{change}\n")).unwrap();
    lab.edit(TWO, "\"10.0.2.1/24\"");
    ends("diff /run/lab.toml", 1);
    lab.up();
    assert_eq!(addresses(), ["10.0.2.1/24"]);
    // The switch has added one, and the lab was killed before it could write down more.
    let mut peer = Peer::connect(&runtime_dir().join("right/control.sock"));
    let both = json!({"port": "peach-vsw", "addresses": ["10.0.2.1/24", "10.0.2.9/24"]});
    let reply = peer.call("readdress", &both);
    assert!(reply["error"].is_null(), "{reply}");
    assert_eq!(addresses(), ["10.0.2.1/24", "10.0.2.9/24"]);
    ends("diff /run/lab.toml", 1);
    lab.up();
    assert_eq!(addresses(), ["10.0.2.1/24"]);
    lab.down();
}

fn settings() {
    let lab = LabFile::new(LAB);
    lab.up();
    let mario = identity("left", "mario-vsw");
    lab.edit(
        "[switch.left]",
        "[switch.left]\nageing = 7\nmax_macs = 99\nforward_reserved = true\nvlan_learning = \"independent\"",
    );
    let told = lab.up();
    assert!(
        told.contains("ageing 300") && told.contains("ageing 7"),
        "{told}"
    );
    assert_eq!(identity("left", "mario-vsw"), mario);
    let shown = json("show left");
    assert_eq!(
        (&shown["ageing_s"], &shown["max_macs"]),
        (&7.into(), &99.into())
    );
    assert_eq!(shown["forward_reserved"], true);
    assert_eq!(shown["vlan_learning"], "independent");
    // What cannot be changed is refused, and said what to do.
    lab.edit("ageing = 7", "receive = \"socket\"");
    let (_, errors) = ends("up /run/lab.toml", 1);
    assert!(
        errors.contains("lab.toml:3:11: ") && errors.contains("vswitch stop left"),
        "{errors}"
    );
    ends("stop left", 0);
    lab.up();
    assert_eq!(json("show left")["receive"], "socket");
    reaches("mario", "10.0.1.2");
    lab.down();
}

fn sysctl() {
    let ecn = || {
        let read = || fs::read_to_string("/proc/sys/net/ipv4/tcp_ecn").unwrap();
        Namespace::open("peach").unwrap().run(read).unwrap()
    };
    let lab = LabFile::new(&LAB.replace("sysctl = { \"net.ipv4.tcp_ecn\" = 1 }", ""));
    lab.up();
    let former = ecn();
    lab.edit(
        "10.0.2.1/24\"",
        "10.0.2.1/24\"\nsysctl = { \"net.ipv4.tcp_ecn\" = 1 }",
    );
    lab.up();
    assert_eq!(ecn(), "1\n");
    lab.edit("\"net.ipv4.tcp_ecn\" = 1", "\"net.ipv4.tcp_ecn\" = 0");
    lab.up();
    assert_eq!(ecn(), "0\n");
    lab.edit("sysctl = { \"net.ipv4.tcp_ecn\" = 0 }", "");
    lab.up();
    assert_eq!(ecn(), former);
    lab.down();
}

fn dry() {
    let before = Surroundings::now();
    let lab = LabFile::new(LAB);
    let (told, _) = ends("up --dry-run /run/lab.toml", 0);
    assert!(told.contains("+ host mario\n"), "{told}");
    ends("diff /run/lab.toml", 1);
    nothing_is_left(&before);
    lab.up();
    let up = Surroundings::now();
    let (told, _) = ends("diff /run/lab.toml", 0);
    assert!(told.is_empty(), "{told}");
    lab.edit("[host.luigi]\nswitch = \"left\"", "");
    let (told, _) = ends("diff /run/lab.toml", 1);
    assert!(told.contains("- host luigi\n"), "{told}");
    let changes = crate::cli::json("up --dry-run /run/lab.toml");
    assert!(
        changes["changes"]
            .as_array()
            .unwrap()
            .iter()
            .all(|change| change["change"] == "remove")
    );
    assert_eq!(Surroundings::now(), up);
    ends("diff /run/nowhere.toml", 2);
    ends("diff --nonsense", 2);
    lab.down();
}
