//! Keeping the host's stack out of the switch-side end of a cable.

use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::IpNet;
use libtest_mimic::Trial;
use vswitch_netns::{DuplicateDetection, Link, LinkChange, Namespace, Netlink};

use super::end;
use crate::harness::packet::Endpoint;
use crate::harness::{A_WHILE, PATIENCE, icmp, isolated};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("netns_quiet_keeps_the_hosts_stack_out", keeps_out),
        isolated("netns_quiet_says_nothing_by_itself", says_nothing),
        isolated("netns_unquiet_gives_an_interface_back", gives_back),
    ]
}

/// A cable from the test's namespace, whose end here is quiet, to one called mario.
struct Cable {
    here: Netlink,
    there: Netlink,
    mario: Namespace,
    near: Link,
    far: Link,
}

fn cable() -> Cable {
    let mario = Namespace::create("mario").unwrap();
    let mut here = Netlink::open().unwrap();
    let mut there = Netlink::open_in(&mario).unwrap();
    let near = here
        .create_veth(&end("near"), &end("far"), Some(&mario))
        .unwrap();
    let far = there.link("far").unwrap();
    Cable {
        here,
        there,
        mario,
        near,
        far,
    }
}

fn arp_request(source: [u8; 6], sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let mut frame = [[0xff; 6], source].concat();
    frame.extend([0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1]);
    frame.extend(source);
    frame.extend(sender.octets());
    frame.extend([0; 6]);
    frame.extend(target.octets());
    frame.resize(60, 0);
    frame
}

/// A whole IPv4 packet without payload, to the Ethernet address `to`.
fn ipv4_packet(to: [u8; 6], source: [u8; 6], target: Ipv4Addr) -> Vec<u8> {
    let mut header = vec![0x45, 0, 0, 20, 0, 0, 0, 0, 64, 253, 0, 0, 192, 0, 2, 9];
    header.extend(target.octets());
    let sum = icmp::checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut frame = [to, source].concat();
    frame.extend([0x08, 0]);
    frame.extend(header);
    frame.resize(60, 0);
    frame
}

/// How many IPv4 packets the stack has received (`InReceives` in `/proc/net/snmp`).
fn packets_received() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
    let values = text
        .lines()
        .filter(|line| line.starts_with("Ip:"))
        .nth(1)
        .unwrap();
    values.split_whitespace().nth(3).unwrap().parse().unwrap()
}

fn keeps_out() {
    let mut cable = cable();
    let quiet = cable.here.quiet(&cable.near).unwrap();
    assert!(quiet.takes_all());
    cable.here.set_up(&cable.near).unwrap();
    cable.there.set_up(&cable.far).unwrap();
    // The host would answer for any of its addresses, on any interface.
    let host = Ipv4Addr::new(192, 0, 2, 1);
    let lo = cable.here.link("lo").unwrap();
    let address = IpNet::new(host.into(), 32).unwrap();
    cable
        .here
        .add_address(&lo, address, DuplicateDetection::Skip)
        .unwrap();
    let taps = ["near"; 2].map(|name| Endpoint::open(name).unwrap());
    let mario = cable.mario.run(|| Endpoint::open("far").unwrap()).unwrap();
    let source = cable.far.mac.unwrap();
    let sent = [
        arp_request(source, Ipv4Addr::new(192, 0, 2, 9), host),
        ipv4_packet(cable.near.mac.unwrap(), source, host),
    ];
    let from_mario = |frame: &[u8]| frame.get(6..12) == Some(&source[..]);
    let received_before = packets_received();
    for _ in 0..100 {
        for frame in &sent {
            mario.send(frame).unwrap();
        }
    }
    for tap in &taps {
        for n in 0..200 {
            let frame = tap.receive_where(PATIENCE, from_mario);
            let frame = frame.unwrap_or_else(|| panic!("frame {n} is missing"));
            assert_eq!(frame.bytes, sent[n % 2]);
        }
    }
    let answers = mario.collect(A_WHILE, |frame| !from_mario(frame));
    assert_eq!(answers, [], "the host has answered");
    let received = packets_received();
    assert_eq!(
        received, received_before,
        "the host's stack has seen packets"
    );
    let neighbours = fs::read_to_string("/proc/thread-self/net/arp").unwrap();
    let lines = neighbours.lines().count();
    assert_eq!(lines, 1, "the host has learnt a neighbour: {neighbours}");
}

fn says_nothing() {
    let mut cable = cable();
    // Nor does mario, so that whatever comes is the host's.
    let _mario = cable.there.quiet(&cable.far).unwrap();
    let tap = cable.mario.run(|| Endpoint::open("far")).unwrap();
    cable.there.set_up(&cable.far).unwrap();
    let tap = tap.unwrap();
    let _near = cable.here.quiet(&cable.near).unwrap();
    cable.here.set_up(&cable.near).unwrap();
    // An interface that is not quiet speaks within this time: see `gives_back`.
    let frames = tap.collect(Duration::from_millis(2500), |_| true);
    assert_eq!(frames, [], "the host has spoken");
    let addresses = cable.here.addresses(Some(&cable.near)).unwrap();
    assert_eq!(addresses, []);
}

fn gives_back() {
    let mut cable = cable();
    let address = "2001:db8::7/64".parse().unwrap();
    cable.here.set_up(&cable.near).unwrap();
    cable
        .here
        .add_address(&cable.near, address, DuplicateDetection::Skip)
        .unwrap();
    let before = cable.here.link("near").unwrap();
    let quiet = cable.here.quiet(&before).unwrap();
    assert!(!cable.here.link("near").unwrap().arp);
    assert_eq!(cable.here.addresses(Some(&before)).unwrap(), []);
    // The settings go by name, and the name may change.
    let renamed = LinkChange::new().name("renamed".parse().unwrap());
    cable.here.change_link(&before, &renamed).unwrap();
    cable.here.unquiet(&quiet).unwrap();

    let after = cable.here.link("renamed").unwrap();
    assert!(after.arp);
    let addresses = cable.here.addresses(Some(&after)).unwrap();
    assert!(addresses.iter().any(|a| a.net == address), "{addresses:?}");
    let setting = |name| fs::read_to_string(format!("/proc/sys/net/ipv6/conf/renamed/{name}"));
    assert_eq!(setting("disable_ipv6").unwrap().trim(), "0");
    assert_eq!(setting("addr_gen_mode").unwrap().trim(), "0");
    hears_again(&mut cable);
}

/// Whether the host's stack, at `2001:db8::7`, takes part in the network.
fn hears_again(cable: &mut Cable) {
    let tap = cable.mario.run(|| Endpoint::open("far").unwrap()).unwrap();
    cable.there.set_up(&cable.far).unwrap();
    assert!(
        tap.receive(PATIENCE).is_some(),
        "the host's stack is still silent"
    );
    let far = &cable.far;
    cable
        .there
        .add_address(
            far,
            "2001:db8::8/64".parse().unwrap(),
            DuplicateDetection::Skip,
        )
        .unwrap();
    let target = "2001:db8::7".parse().unwrap();
    cable
        .mario
        .run(|| icmp::ping_until(target, None, 56, PATIENCE))
        .unwrap()
        .unwrap();
}
