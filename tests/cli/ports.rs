//! Existing interfaces as ports, and the MAC table.

use std::fs;

use libtest_mimic::Trial;
use serde_json::json;
use vswitch_netns::{DuplicateDetection, InterfaceName, Link, Namespace, Netlink, VethEnd};

use super::{Switch, fails, json, link, ok};
use crate::harness::{PATIENCE, icmp, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_port_add_plugs_in_and_port_del_restores", add_and_del),
        isolated("cli_stop_restores_interfaces", stop_restores),
        isolated("cli_ways_of_receiving_are_chosen_and_shown", ways),
        isolated("cli_many_namespaces_come_and_go_together", many),
        isolated(
            "cli_port_whose_interface_came_back_is_added_again",
            came_back,
        ),
        isolated("cli_interface_of_a_killed_switch_is_restored", killed),
        isolated("cli_mac_table_is_shown_and_changed", mac_table),
        isolated("cli_mac_table_of_many_pages_is_joined", many_pages),
    ]
}

/// A pair of `eth1` here and `eth0` in the namespace `outside`, which has 10.0.0.9.
fn cable() -> Link {
    let namespace = Namespace::create("outside").unwrap();
    let end = |name| VethEnd::new(InterfaceName::new(name).unwrap());
    let near = Netlink::open()
        .unwrap()
        .create_veth(&end("eth1"), &end("eth0"), Some(&namespace))
        .unwrap();
    let mut inner = Netlink::open_in(&namespace).unwrap();
    let far = inner.link("eth0").unwrap();
    inner.set_up(&far).unwrap();
    let address = "10.0.0.9/24".parse().unwrap();
    inner
        .add_address(&far, address, DuplicateDetection::Skip)
        .unwrap();
    super::settled(near)
}

fn ways() {
    for (way, driver) in [
        ("auto", "packet socket, mapped ring"),
        ("ring", "packet socket, mapped ring"),
        ("socket", "packet socket, recvmmsg"),
    ] {
        let switch = Switch::start(&format!("{way} --receive {way}"));
        ok("attach mario --ip 10.0.0.1/24");
        ok("attach luigi --ip 10.0.0.2/24");
        assert_eq!(switch.port("mario-vsw")["driver"], driver);
        assert!(ok(&format!("show {way}")).contains(driver));
        let mario = Namespace::open("mario").unwrap();
        let luigi = "10.0.0.2".parse().unwrap();
        let answered = mario.run(|| icmp::ping_until(luigi, None, 1400, PATIENCE));
        assert!(answered.unwrap().is_ok(), "{way}");
    }
}

/// More than get large rings, so that both sizes of ring are there.
fn many() {
    let switch = Switch::start("s --subnet 10.0.0.0/24");
    let names: Vec<_> = (0..40).map(|number| format!("host{number}")).collect();
    for name in &names {
        ok(&format!("attach {name}"));
    }
    let first = Namespace::open("host0").unwrap();
    for last_byte in [2, 32, 33, 40] {
        let other = format!("10.0.0.{last_byte}").parse().unwrap();
        let answered = first.run(|| icmp::ping_until(other, None, 56, PATIENCE));
        assert!(answered.unwrap().is_ok(), "{other}");
    }
    ok("detach host39");
    assert_eq!(switch.show()["ports"].as_array().unwrap().len(), 39);
    ok("stop s");
    for name in &names {
        assert!(link(&format!("{name}-vsw")).is_none(), "{name}");
        let inside = Namespace::open(name).unwrap();
        let mut inside = Netlink::open_in(&inside).unwrap();
        assert!(
            inside
                .find_link(&format!("{name}-netns"))
                .unwrap()
                .is_none()
        );
    }
}

fn ipv6_is_off(interface: &str) -> bool {
    let path = format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6");
    fs::read_to_string(path).is_ok_and(|text| text.trim() == "1")
}

fn add_and_del() {
    let switch = Switch::start("s");
    let before = cable();
    ok("attach mario --ip 10.0.0.1/24");
    ok("port add eth1 --switch s");
    let port = switch.port("eth1");
    assert_eq!(port["namespace"], json!(null));
    assert_eq!(port["peer"], json!(null));
    assert!(wait_until(PATIENCE, || switch.port("eth1")["state"] == "up"));
    let during = link("eth1").unwrap();
    assert!(during.up && !during.arp && ipv6_is_off("eth1"));
    let mario = Namespace::open("mario").unwrap();
    let to = "10.0.0.9".parse().unwrap();
    mario
        .run(|| icmp::ping_until(to, None, 56, PATIENCE))
        .unwrap()
        .unwrap();
    ok("port del eth1 --switch s");
    assert!(switch.port("eth1").is_null());
    assert_eq!(link("eth1").unwrap(), before);
    assert!(!ipv6_is_off("eth1"));
}

fn stop_restores() {
    let switch = Switch::start("s");
    let before = cable();
    ok("port add eth1");
    assert!(link("eth1").unwrap().up);
    switch.stop();
    assert_eq!(link("eth1").unwrap(), before);
    assert!(!ipv6_is_off("eth1"));
}

fn killed() {
    let near = cable();
    for recover in ["run other --detach", "port add eth1"] {
        let switch = Switch::start("s");
        ok("port add eth1 --switch s");
        switch.kill();
        assert!(ipv6_is_off("eth1"), "nobody was there to restore it");
        if recover.starts_with("port") {
            // A switch that was there before restores it when it takes it over.
            ok("port add eth1 --switch other");
            ok("port del eth1 --switch other");
        } else {
            ok(recover);
        }
        let now = link("eth1").unwrap();
        assert!(now.arp && !ipv6_is_off("eth1"), "{recover}: {now:?}");
        assert!(
            hears_host(&near),
            "{recover}: the host's stack hears nothing"
        );
    }
    ok("stop other");
}

/// Whether the host's stack sees what comes in by `eth1`: it answers a ping from outside.
fn hears_host(near: &Link) -> bool {
    let mut here = Netlink::open().unwrap();
    let address = "10.0.0.8/24".parse().unwrap();
    here.add_address(near, address, DuplicateDetection::Skip)
        .unwrap();
    let outside = Namespace::open("outside").unwrap();
    let to = "10.0.0.8".parse().unwrap();
    let answered = outside
        .run(|| icmp::ping_until(to, None, 56, PATIENCE))
        .unwrap();
    here.delete_address(near, address).unwrap();
    answered.is_ok()
}

fn came_back() {
    let switch = Switch::start("s");
    let near = cable();
    ok("port add eth1");
    Netlink::open().unwrap().delete_link(&near).unwrap();
    assert!(wait_until(PATIENCE, || switch.port("eth1")["state"] == "absent"));
    assert!(fails("port add eth1", 1).contains("eth1"));
    Namespace::delete("outside").unwrap();
    cable();
    ok("port add eth1");
    assert!(wait_until(PATIENCE, || switch.port("eth1")["state"] == "up"));
    ok("port del eth1");
}

fn mac_table() {
    let _switch = Switch::start("s --vlan-learning independent");
    ok("attach mario --mac 02:00:00:00:00:01 --ip 10.0.0.1/24");
    ok("attach luigi --mac 02:00:00:00:00:02 --ip 10.0.0.2/24");
    ok("fdb add 02:00:00:00:00:0a mario-vsw --vlan 7");
    ok("fdb add 02-00-00-00-00-0B luigi-vsw");
    let fixed = |mac: &str, vlan: u16, port: &str| json!({"mac": mac, "vlan": vlan, "port": port, "age_s": null, "static": true});
    let table = || json("fdb").as_array().unwrap().clone();
    let statics = || {
        let mut table = table();
        table.retain(|entry| entry["static"] == true);
        table
    };
    let a = fixed("02:00:00:00:00:0a", 7, "mario-vsw");
    let b = fixed("02:00:00:00:00:0b", 0, "luigi-vsw");
    assert_eq!(statics(), [b.clone(), a]);

    let mario = Namespace::open("mario").unwrap();
    let to = "10.0.0.2".parse().unwrap();
    mario
        .run(|| icmp::ping_until(to, None, 56, PATIENCE))
        .unwrap()
        .unwrap();
    let learnt = |mac: &str| {
        table()
            .iter()
            .any(|e| e["mac"] == mac && e["static"] == false)
    };
    assert!(learnt("02:00:00:00:00:01") && learnt("02:00:00:00:00:02"));
    assert!(json("fdb show")[0]["age_s"].is_u64());
    assert!(ok("fdb").contains("mario-vsw"));

    assert!(fails("fdb del 02:00:00:00:00:0a --vlan 8", 1).contains("02:00:00:00:00:0a"));
    ok("fdb del 02:00:00:00:00:0a");
    assert_eq!(statics(), [b]);
    ok("fdb flush");
    assert_eq!(json("show")["ports"][0]["name"], "mario-vsw");
    assert_eq!(statics().len(), 1, "static entries stay");
    // Their port takes them along.
    ok("detach luigi");
    assert!(statics().is_empty());
}

/// More than two pages of the protocol.
const STATIONS: u32 = 10_000;

fn many_pages() {
    let _switch = Switch::start("s");
    ok("attach mario");
    let namespace = Namespace::open("mario").unwrap();
    namespace
        .run(|| {
            let endpoint = crate::harness::packet::Endpoint::open("mario-netns").unwrap();
            for station in 0..STATIONS {
                let [_, a, b, c] = station.to_be_bytes();
                let mut frame = vec![0xff; 6];
                frame.extend([2, 0xaa, 0, a, b, c, 0x88, 0xb5]);
                frame.resize(60, 0);
                endpoint.send(&frame).unwrap();
                // In step with the switch, whose queue is not endless.
                if station % 256 == 255 {
                    let seen = || json("show")["macs"].as_u64().unwrap() > u64::from(station);
                    assert!(wait_until(PATIENCE, seen), "{station}");
                }
            }
        })
        .unwrap();
    let ours = |entry: &&serde_json::Value| entry["mac"].as_str().unwrap().starts_with("02:aa:");
    let all = || {
        let table = json("fdb");
        let mut macs: Vec<String> = table
            .as_array()
            .unwrap()
            .iter()
            .filter(ours)
            .map(|entry| entry["mac"].as_str().unwrap().to_owned())
            .collect();
        macs.dedup();
        macs.len()
    };
    assert!(
        wait_until(PATIENCE, || all() == STATIONS as usize),
        "{}",
        all()
    );
}
