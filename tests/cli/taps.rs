//! `port add --tap`: a TAP device whose other end is the switch.

use std::net::{SocketAddr, TcpListener};
use std::thread;

use libtest_mimic::Trial;
use nix::mount::{MsFlags, mount};
use serde_json::Value;
use vswitch_netns::{
    DuplicateDetection, InterfaceName, Link, LinkChange, Namespace, Netlink, VethEnd,
};
use vswitch_switch::port::{TapError, TapOptions, TapPort};

use super::{Surroundings, Switch, fails, json, link, ok};
use crate::harness::devices::may_open_tun;
use crate::harness::traffic::{Station, Traffic};
use crate::harness::{PATIENCE, icmp, isolated, transfer, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    let cannot_run = !may_open_tun() && std::env::var_os("CI").is_none();
    let tests = [
        isolated("cli_tap_makes_the_host_a_station", station),
        isolated("cli_tap_in_a_namespace_carries_tcp", moved),
        isolated("cli_tap_restart_loses_no_frame", restarted),
        isolated("cli_tap_of_a_killed_switch_is_back", killed),
        isolated("cli_tap_of_a_killed_switch_goes_with_stop", stopped),
        isolated("cli_tap_that_is_deleted_is_absent_and_taken_again", deleted),
        isolated("cli_tap_that_was_there_is_left_as_it_was", there_before),
        isolated("cli_tap_that_cannot_be_is_refused", refused),
        isolated("cli_tap_without_the_device_says_what_to_do", no_device),
    ];
    let tests = tests.into_iter();
    tests
        .map(|test| test.with_ignored_flag(cannot_run))
        .collect()
}

/// Gives an interface of this namespace, or of that, an address.
fn address(netlink: &mut Netlink, interface: &str, address: &str) {
    let link = netlink.link(interface).unwrap();
    netlink.set_up(&link).unwrap();
    let address = address.parse().unwrap();
    netlink
        .add_address(&link, address, DuplicateDetection::Skip)
        .unwrap();
}

fn address_here(interface: &str, text: &str) {
    address(&mut Netlink::open().unwrap(), interface, text);
}

fn ping_from_here(to: &str) {
    let answered = icmp::ping_until(to.parse().unwrap(), None, 56, PATIENCE);
    assert!(answered.is_ok(), "{to}: {answered:?}");
}

fn ping_from(namespace: &str, to: &str) {
    let namespace = Namespace::open(namespace).unwrap();
    namespace.run(|| ping_from_here(to)).unwrap();
}

fn is_up(switch: &Switch, port: &str) {
    let mut now = Value::Null;
    let up = wait_until(PATIENCE, || {
        now = switch.port(port);
        now["state"] == "up"
    });
    assert!(up, "{now}");
}

/// Puts the interface into a namespace `outside`, with an address there.
fn move_outside(interface: &str, text: &str) -> Namespace {
    let outside = Namespace::create("outside").unwrap();
    let link = link(interface).unwrap();
    Netlink::open()
        .unwrap()
        .change_link(&link, &LinkChange::new().namespace(&outside))
        .unwrap();
    address(&mut Netlink::open_in(&outside).unwrap(), interface, text);
    outside
}

fn station() {
    let switch = Switch::start("s");
    ok("attach mario --ip 10.0.0.1/24");
    let before = Surroundings::now().links;
    ok("port add --tap tap0 --switch s");
    let made = link("tap0").unwrap();
    assert_eq!(made.kind.as_deref(), Some("tun"));
    assert!(made.up && made.arp, "{made:?}");
    address_here("tap0", "10.0.0.9/24");
    is_up(&switch, "tap0");
    ping_from_here("10.0.0.1");
    ping_from("mario", "10.0.0.9");
    let port = switch.port("tap0");
    assert_eq!(port["driver"], "TAP device");
    assert!(port["rx"]["frames"].as_u64() > Some(0), "{port}");
    assert!(ok("show s").contains("TAP device"));
    let told = super::run_vswitch(["doctor"]).stdout;
    let told = String::from_utf8_lossy(&told);
    assert!(!told.contains("that no switch uses"), "{told}");
    // Its address is a host's: no namespace gets the same.
    let mac = made.mac.unwrap();
    let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
    let sentence = fails(&format!("attach luigi --mac {mac}"), 1);
    assert!(
        sentence.contains("that of the host on the port 'tap0'"),
        "{sentence}"
    );
    ok("port del tap0 --switch s");
    assert!(switch.port("tap0").is_null());
    assert_eq!(Surroundings::now().links, before);

    // With the switch, as well.
    ok("port add --tap tap1");
    switch.stop();
    assert!(link("tap1").is_none());
}

/// One transfer, which has to arrive as it was sent.
fn tcp(from: &Namespace, to: &Namespace, address: &str) {
    const BYTES: u64 = 8 << 20;
    let address: SocketAddr = address.parse().unwrap();
    let listener = to.run(|| TcpListener::bind(address)).unwrap().unwrap();
    let receiver = thread::spawn(move || transfer::tcp_receive(&listener).unwrap());
    let sent = from.run(|| transfer::tcp_send(address, BYTES));
    assert_eq!(receiver.join().unwrap(), sent.unwrap().unwrap());
}

fn moved() {
    let switch = Switch::start("s");
    ok("attach mario --ip 10.0.0.1/24");
    ok("port add --tap tap0");
    let outside = move_outside("tap0", "10.0.0.9/24");
    ping_from("outside", "10.0.0.1");
    let mario = Namespace::open("mario").unwrap();
    tcp(&mario, &outside, "10.0.0.9:7000");
    tcp(&outside, &mario, "10.0.0.1:7000");
    let port = switch.port("tap0");
    assert_eq!(port["state"], "up", "{port}");
    let frames = port["rx"]["frames"].as_u64().unwrap() + port["tx"]["frames"].as_u64().unwrap();
    assert!(frames < (16 << 20) / 1448, "no super-frames: {port}");
    ok("port del tap0");
    let mut inside = Netlink::open_in(&outside).unwrap();
    assert!(inside.find_link("tap0").unwrap().is_none());
}

fn restarted() {
    let _switch = Switch::start("s");
    ok("attach mario --mac 02:00:00:00:00:01 --ip 10.0.0.1/24");
    ok("port add --tap tap0");
    let mac = [2, 0, 0, 0, 0, 9];
    let tap = link("tap0").unwrap();
    let mut here = Netlink::open().unwrap();
    here.change_link(&tap, &LinkChange::new().mac(mac)).unwrap();
    let _outside = move_outside("tap0", "10.0.0.9/24");
    ping_from("outside", "10.0.0.1");
    let traffic = Traffic::begin([
        Station {
            namespace: "mario",
            interface: "mario-netns",
            mac: [2, 0, 0, 0, 0, 1],
        },
        Station {
            namespace: "outside",
            interface: "tap0",
            mac,
        },
    ]);
    for _ in 0..3 {
        traffic.goes_on();
        let told = json("restart s");
        assert_ne!(told["pid"], told["pid_before"]);
    }
    traffic.end_without_loss(|| json("show s").to_string());
    ping_from("mario", "10.0.0.9");
}

/// What the host has set on the interface survives, too.
fn killed() {
    let switch = Switch::start("s");
    ok("attach mario --ip 10.0.0.1/24");
    ok("port add --tap tap0 --max-macs 7");
    address_here("tap0", "10.0.0.9/24");
    is_up(&switch, "tap0");
    let before = link("tap0").unwrap();
    let id = switch.port("tap0")["id"].clone();
    switch.kill();
    assert_eq!(link("tap0").unwrap().mac, before.mac);
    ok("run s --detach");
    is_up(&switch, "tap0");
    let after = link("tap0").unwrap();
    assert_eq!((after.index, after.mac), (before.index, before.mac));
    let port = switch.port("tap0");
    assert_eq!(
        (&port["id"], &port["settings"]["max_macs"]),
        (&id, &7.into())
    );
    ping_from_here("10.0.0.1");

    // One that went meanwhile is made again, and is the same station.
    switch.kill();
    Netlink::open().unwrap().delete_link(&after).unwrap();
    ok("run s --detach");
    is_up(&switch, "tap0");
    assert_eq!(link("tap0").unwrap().mac, before.mac);
    address_here("tap0", "10.0.0.9/24");
    ping_from_here("10.0.0.1");
    ok("port del tap0");
    assert!(link("tap0").is_none());
}

fn stopped() {
    let switch = Switch::start("s");
    ok("port add --tap tap0");
    switch.kill();
    assert!(link("tap0").is_some());
    ok("stop s");
    assert!(link("tap0").is_none());
    // Nor does it stay where the switch begins without what it had.
    let switch = Switch::start("s");
    ok("port add --tap tap0");
    switch.kill();
    ok("run s --detach --fresh");
    assert!(link("tap0").is_none());
}

fn deleted() {
    let switch = Switch::start("s");
    ok("port add --tap tap0");
    is_up(&switch, "tap0");
    let made = link("tap0").unwrap();
    Netlink::open().unwrap().delete_link(&made).unwrap();
    assert!(wait_until(PATIENCE, || switch.port("tap0")["state"] == "absent"));
    // Another one of its name is the port's, and not the switch's to remove.
    persistent("tap0");
    is_up(&switch, "tap0");
    ok("port del tap0");
    assert!(link("tap0").is_some_and(|link| !link.up));
}

/// A persistent TAP device of which nothing holds the other end.
fn persistent(name: &str) -> Link {
    let create = || TapPort::create(Some(name), TapOptions::default());
    let mut made = None;
    // The switch may look at it in this very moment.
    assert!(wait_until(PATIENCE, || match create() {
        Ok(port) => {
            made = Some(port);
            true
        }
        Err(TapError::InUse { .. }) => false,
        Err(error) => panic!("{error}"),
    }));
    made.unwrap().persist().unwrap();
    link(name).unwrap()
}

fn there_before() {
    let before = persistent("tap0");
    let switch = Switch::start("s");
    for end in ["port del tap0", "stop s"] {
        ok("port add --tap tap0 --switch s");
        assert!(link("tap0").unwrap().up);
        ok(end);
        assert_eq!(link("tap0").unwrap(), before, "{end}");
    }
    drop(switch);
    // A switch that was killed attaches to it again, and leaves it all the same.
    let switch = Switch::start("s");
    ok("port add --tap tap0");
    switch.kill();
    ok("run s --detach");
    is_up(&switch, "tap0");
    ok("port del tap0");
    assert_eq!(link("tap0").unwrap(), before);
    ok("port add --tap tap0");
    switch.kill();
    ok("stop s");
    assert_eq!(link("tap0").unwrap(), before);
    // It is free for the next.
    drop(TapPort::create(Some("tap0"), TapOptions::default()).unwrap());
    assert!(link("tap0").is_some());
}

fn refused() {
    let _switch = Switch::start("s");
    let end = |name| VethEnd::new(InterfaceName::new(name).unwrap());
    Netlink::open()
        .unwrap()
        .create_veth(&end("eth1"), &end("eth2"), None)
        .unwrap();
    let held = TapPort::create(Some("held"), TapOptions::default()).unwrap();
    ok("port add --tap tap0");
    let _other = Switch::start("other");
    let before = Surroundings::now().links;
    for (line, status, why) in [
        ("--tap eth1 --switch s", 1, "not a TAP device"),
        ("--tap lo --switch s", 1, "not a TAP device"),
        ("--tap held --switch s", 1, "in use by another program"),
        ("--tap tap0 --switch s", 1, "already a port of this switch"),
        ("--tap tap0 --switch other", 1, "made by the switch 's'"),
        ("tap0 --switch other", 1, "made by the switch 's'"),
        ("--tap a/b --switch s", 2, "a/b"),
        ("--tap sixteen-letters. --switch s", 2, "15"),
        ("--tap tap1 eth1 --switch s", 2, "cannot be used with"),
        ("--tap tap1 --force --switch s", 2, "--force"),
        ("--switch s", 2, "--tap"),
    ] {
        let line = format!("port add {line}");
        let output = super::run_vswitch(super::words(&line));
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{line}: {told}");
        assert!(told.contains(why), "{line}: {told}");
    }
    assert_eq!(Surroundings::now().links, before);
    drop(held);
}

/// Nothing is at `/dev/net/tun`.
fn no_device() {
    let flags = MsFlags::empty();
    mount(
        Some("tmpfs"),
        "/dev/net",
        Some("tmpfs"),
        flags,
        None::<&str>,
    )
    .unwrap();
    let _switch = Switch::start("s");
    let sentence = fails("port add --tap tap0", 1);
    assert!(
        sentence.contains("/dev/net/tun is missing: load the module tun"),
        "{sentence}"
    );
    assert!(link("tap0").is_none());
}
