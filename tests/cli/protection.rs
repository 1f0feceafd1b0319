//! Ports protected from each other, as the program has it.

use std::fs;

use libtest_mimic::Trial;
use serde_json::json;
use vswitch_netns::{InterfaceName, Namespace, Netlink, VethEnd};

use super::{Switch, fails, json, ok};
use crate::harness::packet::Endpoint;
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("protection_is_set_for_all_ports_and_for_one", settings),
        isolated("protection_survives_a_kill", kept),
        isolated("protection_names_a_loop_and_the_switch_answers", loops),
    ]
}

/// A cable in this namespace, whose ends are up.
pub(super) fn cable(near: &str, far: &str) {
    let end = |name: &str| VethEnd::new(InterfaceName::new(name).unwrap());
    let mut netlink = Netlink::open().unwrap();
    netlink.create_veth(&end(near), &end(far), None).unwrap();
    for name in [near, far] {
        let link = netlink.link(name).unwrap();
        netlink.set_up(&link).unwrap();
    }
}

fn settings() {
    let switch = Switch::start("s --broadcast-limit 500 --port-max-macs 7 --move-limit off");
    let protection = &switch.show()["protection"];
    assert_eq!(protection["broadcast_limit"], 500);
    assert_eq!(protection["multicast_limit"], 200_000);
    assert_eq!(protection["port_max_macs"], 7);
    assert_eq!(protection["move_limit"], 0);
    assert_eq!(protection["loop_guard"], true);
    ok("attach mario");
    ok("attach luigi");
    let general =
        json!({"max_macs": 7, "broadcast": 500, "multicast": 200_000, "unknown": 200_000});
    assert_eq!(switch.port("mario-vsw")["limits"], general);
    assert_eq!(switch.port("mario-vsw")["blocked"], json!(null));
    // By the name of the namespace too.
    ok("port set mario --broadcast-limit 10 --unknown-limit off");
    let own = json!({"max_macs": 7, "broadcast": 10, "multicast": 200_000, "unknown": 0});
    assert_eq!(switch.port("mario-vsw")["limits"], own);
    assert_eq!(switch.port("luigi-vsw")["limits"], general);
    ok("port set mario-vsw --broadcast-limit default --max-macs 3 --unblock");
    let own = json!({"max_macs": 3, "broadcast": 500, "multicast": 200_000, "unknown": 0});
    assert_eq!(switch.port("mario-vsw")["limits"], own);

    let missing = fails("port set toad --max-macs 3", 1);
    assert!(missing.contains("toad"), "{missing}");
    fails("port set mario --max-macs many", 2);
    fails("port set mario", 2);
    fails("run t --move-limit 254", 2);
    fails("run t --loop-guard maybe", 2);
    switch.stop();
}

fn kept() {
    let switch = Switch::start("s --multicast-limit 9 --loop-guard off");
    ok("attach mario");
    ok("port set mario --max-macs 3");
    let before = switch.port("mario-vsw")["limits"].clone();
    switch.kill();
    let again = Switch::start("s --multicast-limit 8");
    let protection = &again.show()["protection"];
    assert_eq!(protection["multicast_limit"], 8, "what is given wins");
    assert_eq!(protection["loop_guard"], false);
    let after = again.port("mario-vsw")["limits"].clone();
    assert_eq!(after["max_macs"], before["max_macs"]);
    assert_eq!(after["multicast"], 8);
    again.stop();
}

fn loops() {
    let switch = Switch::start("s");
    ok("attach mario");
    cable("left", "right");
    ok("port add left");
    ok("port add right");
    let mario = Namespace::open("mario").unwrap();
    let wire = {
        let _inside = mario.enter().unwrap();
        Endpoint::open("mario-netns").unwrap()
    };
    let greeting = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1, 0x88, 0xb5], &[0; 46]].concat();
    let found = wait_until(PATIENCE, || {
        wire.send_patiently(&greeting).unwrap();
        let ports = json("port list");
        let ports = ports.as_array().unwrap();
        ports.iter().any(|port| !port["blocked"].is_null())
    });
    assert!(found, "{}", switch.show());
    let ports = json("port list");
    let ports = ports.as_array().unwrap();
    let blocked: Vec<_> = ports
        .iter()
        .filter(|port| !port["blocked"].is_null())
        .collect();
    let [port] = blocked[..] else {
        panic!("{blocked:?}");
    };
    let names = [&port["name"], &port["blocked"]["loop_with"]].map(|name| name.as_str().unwrap());
    assert!(names == ["left", "right"] || names == ["right", "left"]);
    let is_told = |line: &str, text: &str| {
        wait_until(PATIENCE, || {
            wire.send_patiently(&greeting).unwrap();
            ok(line).contains(text)
        })
    };
    assert!(is_told("show s", "outside the switch, in a loop"));
    let logged = || fs::read_to_string(switch.dir().join("log")).unwrap();
    let is_logged = wait_until(PATIENCE, || {
        logged().contains("are joined outside the switch")
    });
    assert!(is_logged, "{}", logged());
    let explain = format!(
        "explain --port {} --src 02:00:00:00:00:02 --dst ff:ff:ff:ff:ff:ff",
        names[0]
    );
    assert!(is_told(&explain, "part of a loop"));
    // While the other end is plugged in, the loop is found again at once.
    ok(&format!("port del {}", names[1]));
    ok(&format!("port del {}", names[0]));
    ok(&format!("port add {}", names[0]));
    assert_eq!(switch.port(names[0])["blocked"], json!(null));
    switch.stop();
}
