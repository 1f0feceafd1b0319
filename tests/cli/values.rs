//! Addresses that are ambiguous, taken, or not to be had.

use std::fs;

use libtest_mimic::Trial;
use serde_json::json;
use vswitch_netns::{Namespace, Netlink};

use super::abuse::Peer;
use super::{Surroundings, Switch, fails, json, ok};
use crate::harness::{devices, isolated};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated(
            "values_with_leading_zeros_are_ambiguous_everywhere",
            ambiguous,
        ),
        isolated("values_mac_of_another_port_is_refused", same_mac),
        isolated("values_ipv6_where_it_is_off_changes_nothing", ipv6_off),
        isolated(
            "values_ipv6_where_it_is_off_is_told_before_a_lab_changes",
            ipv6_off_in_a_lab,
        ),
        isolated(
            "values_addresses_of_another_namespace_of_the_name_stay",
            of_another,
        ),
        isolated(
            "values_said_twice_on_the_control_socket_are_refused",
            said_twice,
        ),
    ]
}

fn ambiguous() {
    let switch = Switch::start("s");
    ok("attach mario --ip 10.0.0.1/24");
    let before = Surroundings::now();
    for (line, status) in [
        ("attach luigi --ip 010.0.0.7/24", 2),
        ("attach luigi --ip 10.0.0.7/024", 2),
        ("attach luigi --ip ::ffff:10.0.0.07/120", 2),
        ("run t --detach --subnet 010.0.0.0/24", 2),
        ("run t --detach --metrics 127.0.0.01:9464", 2),
        ("addr add 010.0.0.7/24 dev mario-netns -n mario", 2),
        ("addr del 10.0.0.01 dev mario-netns -n mario", 2),
        ("route add 010.1.0.0/16 via 10.0.0.254 -n mario", 2),
        ("route add 10.1.0.0/16 via 010.0.0.254 -n mario", 2),
        ("ping mario 010.0.0.1", 2),
    ] {
        let told = fails(line, status);
        assert!(told.contains("ambiguous"), "{line}: {told}");
    }
    for host in [
        "ip = \"010.0.0.7/24\"",
        "ip = \"10.0.0.7/24\"\ngateway = \"10.0.0.0254\"",
        "ip = \"10.0.0.7/24\"\nroutes = { \"010.1.0.0/16\" = \"10.0.0.1\" }",
    ] {
        let text = format!("[switch.x]\n[host.peach]\nswitch = \"x\"\n{host}\n");
        fs::write("/run/lab.toml", text).unwrap();
        let told = fails("up /run/lab.toml", 1);
        assert!(told.contains("ambiguous"), "{host}: {told}");
    }
    let mut peer = Peer::connect(&switch.socket());
    for (method, params) in [
        (
            "attach",
            json!({"namespace": "luigi", "addresses": ["010.0.0.7/24"]}),
        ),
        (
            "readdress",
            json!({"port": "mario-vsw", "addresses": ["010.0.0.7/24"]}),
        ),
        ("set", json!({"subnet": "010.0.0.0/24"})),
    ] {
        let reply = peer.call(method, &params);
        assert_eq!(reply["error"]["code"], -32602, "{reply}");
        let told = reply["error"]["message"].as_str().unwrap();
        assert!(told.contains("ambiguous"), "{told}");
    }
    assert_eq!(Surroundings::now(), before);
}

fn same_mac() {
    const MAC: &str = "02:00:00:00:00:01";
    let switch = Switch::start("s");
    ok(&format!("attach mario --mac {MAC}"));
    let before = Surroundings::now();
    let told = fails(&format!("attach luigi --mac {MAC}"), 1);
    assert!(told.contains("mario") && told.contains(MAC), "{told}");
    let told = fails(&format!("attach mario --port second --mac {MAC}"), 1);
    assert!(told.contains("mario-vsw"), "{told}");
    assert_eq!(Surroundings::now(), before);
    // Also one that the host has given itself.
    let inside = Namespace::open("mario").unwrap();
    let netlink = &mut Netlink::open_in(&inside).unwrap();
    let link = netlink.link("mario-netns").unwrap();
    let other = vswitch_netns::LinkChange::new().mac([2, 0, 0, 0, 0, 7]);
    netlink.change_link(&link, &other).unwrap();
    fails("attach luigi --mac 02:00:00:00:00:07", 1);
    ok(&format!("attach luigi --mac {MAC}"));
    ok("detach luigi");
    // Neither one that is bound to another port; to its own is right.
    ok("fdb add 02:00:00:00:00:09 mario-vsw");
    let told = fails("attach luigi --mac 02:00:00:00:00:09", 1);
    assert!(
        told.contains("mario-vsw") && told.contains("fdb del"),
        "{told}"
    );
    ok("fdb del 02:00:00:00:00:09");
    ok("attach luigi --mac 02:00:00:00:00:09");
    // On another switch it is another matter, and where the port is gone too.
    let other = Switch::start("t");
    ok("attach peach --switch t --mac 02:00:00:00:00:09");
    other.stop();
    ok("netns del luigi");
    assert!(crate::harness::wait_until(crate::harness::PATIENCE, || {
        switch.port("luigi-vsw")["state"] == "absent"
    }));
    ok("attach toad --switch s --mac 02:00:00:00:00:09");
}

/// Switches IPv6 off for what is made in a namespace from now on, or also for what is there.
fn switch_ipv6_off(host: &str, whose: &str) {
    let off = format!("/proc/sys/net/ipv6/conf/{whose}/disable_ipv6");
    let inside = Namespace::open(host).unwrap();
    inside.run(|| fs::write(off, "1").unwrap()).unwrap();
}

fn ipv6_off() {
    let switch = Switch::start("s");
    ok("netns add mario");
    switch_ipv6_off("mario", "default");
    let before = Surroundings::now();
    let told = fails("attach mario --ip 10.0.0.1/24 --ip fd00::1/64", 1);
    assert!(
        told.contains("fd00::1/64") && told.contains("net.ipv6.conf.default.disable_ipv6=0"),
        "{told}"
    );
    assert_eq!(Surroundings::now(), before);
    assert_eq!(json("port list --switch s"), json!([]));
    ok("attach mario --ip 10.0.0.1/24");

    let mut peer = Peer::connect(&switch.socket());
    let wanted = json!({"port": "mario-vsw", "addresses": ["10.0.0.2/24", "fd00::1/64"]});
    let reply = peer.call("readdress", &wanted);
    let told = reply["error"]["message"].as_str().unwrap();
    assert!(
        told.contains("net/ipv6/conf/mario-netns/disable_ipv6=0"),
        "{told}"
    );
    let addresses = || switch.port("mario-vsw")["addresses"].clone();
    assert_eq!(addresses(), json!(["10.0.0.1/24"]));
    let inside = Namespace::open("mario").unwrap();
    let has = |text: &str| {
        let all = Netlink::open_in(&inside).unwrap().addresses(None).unwrap();
        all.iter().any(|found| found.net.to_string() == text)
    };
    assert!(has("10.0.0.1/24") && !has("10.0.0.2/24"));
    // As it was told.
    let on = "/proc/sys/net/ipv6/conf/mario-netns/disable_ipv6";
    inside.run(|| fs::write(on, "0").unwrap()).unwrap();
    let reply = peer.call("readdress", &wanted);
    assert!(reply["error"].is_null(), "{reply}");
    assert!(has("10.0.0.2/24") && has("fd00::1/64"));
}

fn ipv6_off_in_a_lab() {
    let text = "[switch.x]\n[host.peach]\nswitch = \"x\"\nip = [\"10.0.0.1/24\"]\nmtu = 1500\n";
    fs::write("/run/lab.toml", text).unwrap();
    ok("up /run/lab.toml");
    let before = Surroundings::now();
    let told = json("show x")["ports"].clone();
    switch_ipv6_off("peach", "all");
    // By other addresses on the same cable, and on one that would be made anew.
    for mtu in [1500, 1400] {
        let wanted = text
            .replace("[\"10.0.0.1/24\"]", "[\"10.0.0.2/24\", \"fd00::1/64\"]")
            .replace("1500", &mtu.to_string());
        fs::write("/run/lab.toml", wanted).unwrap();
        let said = fails("up /run/lab.toml", 1);
        assert!(said.contains("IPv6 is switched off"), "{said}");
        assert_eq!(Surroundings::now(), before);
        let now = json("show x")["ports"].clone();
        assert_eq!(now[0]["addresses"], told[0]["addresses"]);
        assert_eq!(now[0]["id"], told[0]["id"]);
    }
    ok("down /run/lab.toml");
}

/// The name leads to another namespace by now, which has an interface of that name for its own use.
fn of_another() {
    let switch = Switch::start("s");
    ok("attach mario --ip 10.0.0.1/24");
    let kept = Namespace::open("mario").unwrap();
    ok("netns del mario");
    ok("netns add mario");
    let theirs = Namespace::open("mario").unwrap();
    theirs
        .run(|| devices::bridge("mario-netns").unwrap())
        .unwrap();
    let mut peer = Peer::connect(&switch.socket());
    let wanted = json!({"port": "mario-vsw", "addresses": ["10.0.0.2/24"]});
    let reply = peer.call("readdress", &wanted);
    let told = reply["error"]["message"].as_str().unwrap();
    assert!(told.contains("'vswitch attach mario' replaces"), "{told}");
    let has = |inside: &Namespace, text: &str| {
        let all = Netlink::open_in(inside).unwrap().addresses(None).unwrap();
        all.iter().any(|found| found.net.to_string() == text)
    };
    assert!(!has(&theirs, "10.0.0.2/24") && has(&kept, "10.0.0.1/24"));
    assert_eq!(
        switch.port("mario-vsw")["addresses"],
        json!(["10.0.0.1/24"])
    );
}

fn said_twice() {
    let switch = Switch::start("s");
    let mut peer = Peer::connect(&switch.socket());
    for line in [
        r#"{"jsonrpc":"2.0","id":1,"method":"show","method":"stop"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"show","params":{},"params":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"attach","params":{"namespace":"a","namespace":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"attach","params":{"namespace":"a","x":{"y":1,"y":2}}}"#,
        r#"[{"jsonrpc":"2.0","id":1,"method":"stop"},{"jsonrpc":"2.0","id":2,"id":3,"method":"show"}]"#,
    ] {
        peer.send(&format!("{line}\n"));
        let reply = peer.receive();
        assert_eq!(reply["error"]["code"], -32600, "{line}: {reply}");
        assert!(reply["id"].is_null(), "{reply}");
        let told = reply["error"]["message"].as_str().unwrap();
        assert!(told.contains("is there twice"), "{told}");
    }
    assert!(Namespace::list().unwrap().is_empty(), "nothing was done");
    assert_eq!(switch.show()["name"], "s");
    switch.stop();
}
