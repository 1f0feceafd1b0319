//! Programs that manage all interfaces of a machine, and take a port for one of theirs.

use std::fs;
use std::path::PathBuf;

use libtest_mimic::Trial;
use vswitch_netns::{DuplicateDetection, InterfaceName, Link, LinkChange, Netlink, VethEnd};

use super::{Switch, json, link, ok};
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("cli_meddling_is_put_right", put_right),
        isolated("cli_meddling_without_end_is_told", without_end),
        isolated("cli_meddling_leaves_owners_their_addresses", owned),
        isolated("cli_ends_of_cables_are_marked", marked),
    ]
}

fn disable_ipv6(interface: &str) -> PathBuf {
    PathBuf::from(format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6"))
}

/// Whether the host's stack is out of an interface: IPv6, ARP, and addresses.
fn is_quiet(here: &mut Netlink, interface: &str) -> bool {
    let link = here.link(interface).unwrap();
    let ipv6 = fs::read_to_string(disable_ipv6(interface)).unwrap();
    let addresses = here.addresses(Some(&link)).unwrap();
    !link.arp && ipv6.trim() == "1" && addresses.is_empty()
}

fn add(here: &mut Netlink, link: &Link, address: &str) {
    let address = address.parse().unwrap();
    here.add_address(link, address, DuplicateDetection::Skip)
        .unwrap();
}

/// What a manager does, one thing after the other.
fn put_right() {
    let switch = Switch::start("s");
    ok("attach mario --ip 10.0.0.1/24");
    let mut here = Netlink::open().unwrap();
    let end = here.link("mario-vsw").unwrap();
    assert!(is_quiet(&mut here, "mario-vsw"));

    add(&mut here, &end, "10.0.0.99/24");
    assert!(wait_until(PATIENCE, || is_quiet(&mut here, "mario-vsw")));
    fs::write(disable_ipv6("mario-vsw"), "0").unwrap();
    assert!(wait_until(PATIENCE, || is_quiet(&mut here, "mario-vsw")));
    here.change_link(&end, &LinkChange::new().arp(true))
        .unwrap();
    assert!(wait_until(PATIENCE, || is_quiet(&mut here, "mario-vsw")));
    let log = fs::read_to_string(switch.dir().join("log")).unwrap();
    for what in ["without the address 10.0.0.99/24", "IPv6 off", "ARP off"] {
        assert!(log.contains(what), "{what}: {log}");
    }
    // Nothing to worry about: it is as it was.
    assert_eq!(switch.port("mario-vsw")["warnings"], serde_json::json!([]));
    // To pull a cable out is everybody's right.
    here.set_down(&end).unwrap();
    assert!(wait_until(PATIENCE, || {
        switch.port("mario-vsw")["state"] == "down"
    }));
    here.set_up(&end).unwrap();
    assert!(wait_until(PATIENCE, || {
        switch.port("mario-vsw")["state"] == "up"
    }));
    assert!(is_quiet(&mut here, "mario-vsw"));

    // While no switch looks, too.
    switch.kill();
    add(&mut here, &end, "10.0.0.99/24");
    ok("run s --detach");
    assert!(wait_until(PATIENCE, || is_quiet(&mut here, "mario-vsw")));
    fs::write(disable_ipv6("mario-vsw"), "0").unwrap();
    assert!(wait_until(PATIENCE, || is_quiet(&mut here, "mario-vsw")));
}

/// One that insists has its way for a while, and `show` says so.
fn without_end() {
    let switch = Switch::start("s");
    ok("attach mario");
    let mut here = Netlink::open().unwrap();
    let end = here.link("mario-vsw").unwrap();
    let warning = |switch: &Switch| {
        let warnings = &switch.port("mario-vsw")["warnings"];
        warnings[0].as_str().map(str::to_owned)
    };
    let told = wait_until(PATIENCE, || {
        let address = "10.0.0.99/24".parse().unwrap();
        // It is there already, where it was not put right yet.
        let _ = here.add_address(&end, address, DuplicateDetection::Skip);
        warning(&switch).is_some()
    });
    assert!(told);
    let warning = warning(&switch).unwrap();
    assert!(
        warning.contains("keeps changing mario-vsw") && warning.contains("10.0.0.99/24"),
        "{warning}"
    );
    assert!(ok("show s").contains("keeps changing mario-vsw"));
}

/// The addresses of an interface that was there before are left, and all else is put right.
fn owned() {
    let _switch = Switch::start("s");
    let mut here = Netlink::open().unwrap();
    let named = |name| VethEnd::new(InterfaceName::new(name).unwrap());
    let eth1 = here
        .create_veth(&named("eth1"), &named("far"), None)
        .unwrap();
    ok("port add eth1");
    add(&mut here, &eth1, "192.0.2.1/24");
    let is_off = || fs::read_to_string(disable_ipv6("eth1")).unwrap().trim() == "1";
    // Without a carrier nothing is sent, and the kernel tells of it only once there is one.
    fs::write(disable_ipv6("eth1"), "0").unwrap();
    let far = here.link("far").unwrap();
    here.set_up(&far).unwrap();
    assert!(wait_until(PATIENCE, is_off));
    assert!(wait_until(PATIENCE, || {
        here.link("eth1").unwrap().lower_up
    }));
    fs::write(disable_ipv6("eth1"), "0").unwrap();
    assert!(wait_until(PATIENCE, is_off));
    assert_eq!(here.addresses(Some(&eth1)).unwrap().len(), 1);
    ok("port del eth1");
    assert!(!is_off() && link("eth1").unwrap().arp);
}

/// By a group, which rules for udev go by, whatever the end is called.
fn marked() {
    let _switch = Switch::start("s");
    ok("attach mario --port uplink");
    ok("attach a-namespace-with-a-long-name");
    let ports = json("port list");
    for port in ports.as_array().unwrap() {
        let name = port["name"].as_str().unwrap();
        // The test's /sys is that of another namespace: the kernel tells by netlink alone.
        assert_eq!(link(name).unwrap().group, 0x7673, "{name}");
        assert!(name == "uplink" || name.ends_with("-vsw"), "{name}");
    }
    assert_eq!(ports.as_array().unwrap().len(), 2);
}
