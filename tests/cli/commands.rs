//! What the commands print, and what they end with.

use std::collections::BTreeSet;

use libtest_mimic::Trial;
use serde_json::{Value, json};
use vswitch_netns::{Namespace, Netlink};

use super::{Switch, fails, json, namespaces, ok, words};
use crate::harness::isolated;
use crate::harness::program::{VSWITCH, run_vswitch, vswitch_ok};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_json_has_the_fields_of_the_contract", fields),
        isolated("cli_settings_of_run_are_shown", settings),
        isolated("cli_attach_does_all_that_is_asked_for", attach),
        isolated("cli_addresses_come_from_the_subnet", subnet),
        isolated("cli_long_names_are_shortened", long_names),
        isolated("cli_namespaces_are_added_listed_deleted", netns),
        isolated("cli_exec_ends_with_the_status_of_its_command", exec),
        isolated("cli_exec_all_ends_with_the_first_failure", exec_all),
        isolated("cli_output_off_a_terminal_has_no_colour", no_colour),
    ]
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

fn has(value: &Value, wanted: &[&str]) {
    for key in wanted {
        assert!(keys(value).contains(*key), "{key}: {value}");
    }
}

fn fields() {
    let switch = Switch::start("s");
    ok("attach mario");
    let show = switch.show();
    has(
        &show,
        &[
            "name", "pid", "uptime_s", "datapath", "ageing_s", "max_macs", "macs", "ports",
        ],
    );
    for key in ["pid", "uptime_s", "ageing_s", "max_macs", "macs"] {
        assert!(show[key].is_u64(), "{key}: {show}");
    }
    let port = &show["ports"][0];
    has(
        port,
        &[
            "id",
            "name",
            "namespace",
            "peer",
            "state",
            "mtu",
            "rx",
            "tx",
            "drops",
        ],
    );
    assert_eq!(port["id"], 1);
    assert_eq!(port["name"], "mario-vsw");
    assert_eq!(port["namespace"], "mario");
    assert_eq!(port["peer"], "mario-netns");
    assert_eq!(port["state"], "up");
    assert_eq!(port["mtu"], 1500);
    for direction in ["rx", "tx"] {
        assert!(port[direction]["frames"].is_u64() && port[direction]["bytes"].is_u64());
    }
    assert!(port["drops"].is_object());
    assert_eq!(json("list")[0]["ports"], 1);
    assert_eq!(json("netns list")[0]["name"], "mario");
    switch.stop();
    assert_eq!(json("list"), json!([]));
}

fn settings() {
    let switch = Switch::start("s --ageing 17 --max-macs 99 --forward-reserved --subnet fd00::/64");
    let show = switch.show();
    assert_eq!(show["ageing_s"], 17);
    assert_eq!(show["max_macs"], 99);
    assert_eq!(show["forward_reserved"], true);
    assert_eq!(show["subnet"], "fd00::/64");
    switch.stop();
    let switch = Switch::start("s");
    assert_eq!(switch.show()["ageing_s"], 300);
    assert_eq!(switch.show()["forward_reserved"], false);
}

fn attach() {
    let _switch = Switch::start("s");
    ok("netns add mario");
    let told =
        ok("attach mario --ip 10.0.0.1/24 --ip fd00::1/64 --mac 02:00:00:00:00:01 --mtu 9000");
    for part in ["mario-netns", "mario-vsw", "10.0.0.1/24", "fd00::1/64"] {
        assert!(told.contains(part), "{told}");
    }
    let inside = Namespace::open("mario").unwrap();
    let mut netlink = Netlink::open_in(&inside).unwrap();
    let link = netlink.link("mario-netns").unwrap();
    assert_eq!(link.mac, Some([2, 0, 0, 0, 0, 1]));
    assert_eq!(link.mtu_bytes, 9000);
    let addresses: BTreeSet<String> = netlink
        .addresses(Some(&link))
        .unwrap()
        .into_iter()
        .filter(|address| !address.net.to_string().starts_with("fe80"))
        .map(|address| address.net.to_string())
        .collect();
    assert_eq!(
        addresses,
        ["10.0.0.1/24", "fd00::1/64"].map(str::to_owned).into()
    );
    let outside = super::link("mario-vsw").unwrap();
    assert_eq!(outside.mtu_bytes, 9012, "there is room for tags");
    assert_eq!(outside.alias.as_deref(), Some("vswitch:s"));
    assert_eq!(json("port list")[0]["mtu"], 9000);
    let attached = json("attach luigi");
    assert_eq!(attached["created"], true);
    assert_eq!(attached["addresses"], json!([]));
}

fn subnet() {
    let _switch = Switch::start("s --subnet 10.0.0.0/29");
    let address = |line: &str| json(line)["addresses"][0].as_str().unwrap().to_owned();
    assert_eq!(address("attach a"), "10.0.0.1/29");
    assert_eq!(address("attach b --ip 10.0.0.3/29"), "10.0.0.3/29");
    assert_eq!(address("attach c"), "10.0.0.2/29");
    assert_eq!(address("attach d"), "10.0.0.4/29");
    ok("detach c");
    assert_eq!(address("attach e"), "10.0.0.2/29");
}

fn long_names() {
    let switch = Switch::start("s");
    let one = "a-rather-long-name-of-a-namespace-1";
    let two = "a-rather-long-name-of-a-namespace-2";
    let first = json(&format!("attach {one}"));
    let second = json(&format!("attach {two}"));
    assert_ne!(first["port"], second["port"]);
    for attached in [&first, &second] {
        assert!(attached["port"].as_str().unwrap().len() <= 15);
        assert!(attached["peer"].as_str().unwrap().len() <= 15);
    }
    assert_eq!(
        switch.port(first["port"].as_str().unwrap())["namespace"],
        one
    );
    ok(&format!("detach {one}"));
    let again = json(&format!("attach {one}"));
    assert_eq!(again["port"], first["port"]);
}

fn netns() {
    assert_eq!(ok("netns list"), "");
    ok("netns add mario luigi");
    assert_eq!(ok("netns list"), "luigi\nmario\n");
    assert!(fails("netns add mario", 1).contains("mario"));
    ok("netns del mario");
    assert_eq!(namespaces(), ["luigi"]);
    ok("netns del luigi");
    assert_eq!(json("netns list"), json!([]));
}

/// The words of `vswitch LINE VSWITCH MORE`: there may be spaces in the path of the program.
fn with_program<'a>(line: &'a str, more: &'a str) -> Vec<&'a str> {
    [words(line), vec![VSWITCH], words(more)].concat()
}

fn exec() {
    ok("netns add mario");
    let status = |line, more| run_vswitch(with_program(line, more)).status.code();
    assert_eq!(status("exec mario --", "--version"), Some(0));
    assert_eq!(status("exec mario", "frobnicate"), Some(2));
    assert_eq!(status("exec mario", "show nobody"), Some(1));
    assert!(fails("exec mario no-such-command", 127).contains("no-such-command"));
    assert!(fails("exec mario /", 126).contains('/'));
    let links = vswitch_ok(with_program("exec mario --", "netns list"));
    assert_eq!(links, "mario\n", "it sees the same names");
}

fn exec_all() {
    let line = with_program("exec --all --", "netns list");
    assert_eq!(vswitch_ok(&line), "", "nowhere to run it");
    ok("netns add mario luigi");
    let output = run_vswitch(&line);
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "luigi\nmario\n".repeat(2)
    );
    let headings = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(headings, "netns: luigi\nnetns: mario\n");
    let output = run_vswitch(with_program("exec --all", "frobnicate"));
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(told.matches("netns: ").count(), 2, "all are tried: {told}");
}

fn no_colour() {
    let _switch = Switch::start("s");
    ok("attach mario");
    for line in ["show", "list", "fdb", "port list"] {
        let mut command = crate::harness::program::vswitch(words(line));
        let output = command.env_remove("NO_COLOR").output().unwrap();
        assert!(!output.stdout.contains(&0x1b), "{line}");
    }
}
