//! Transfers through tunnels whose ends know nothing of the switch: all offloads are at their
//! defaults, so super-frames come with both packets' headers.

use std::net::{Ipv4Addr, Ipv6Addr};

use libtest_mimic::Trial;
use vswitch_netns::{DuplicateDetection, Namespace, Netlink};
use vswitch_switch::port::{TapOptions, TapPort};

use super::relay::Relay;
use super::transfers::tcp;
use super::{Lab, bring_up};
use crate::harness::devices::{self, Vxlan};
use crate::harness::isolated;
use crate::harness::ports::open_port;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("ports_tcp_over_vxlan_of_a_cable_made_by_hand", || {
            over_vxlan(v4(false));
        }),
        isolated("ports_tcp_over_vxlan_with_checksums", || {
            over_vxlan(v4(true));
        }),
        isolated("ports_tcp_over_vxlan_over_ipv6", || over_vxlan(v6)),
        isolated("ports_tcp_over_vxlan_to_a_tap_device", over_vxlan_to_tap),
    ]
}

fn v4(checksum: bool) -> impl Fn(u8) -> Vxlan {
    move |remote| Vxlan {
        remote: Ipv4Addr::new(10, 0, 0, remote).into(),
        checksum,
    }
}

fn v6(remote: u8) -> Vxlan {
    Vxlan {
        remote: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, remote.into()).into(),
        checksum: true,
    }
}

/// A tunnel's end in a host, with the addresses 172.31.0.N and `fd31::N`.
fn end(host: &Namespace, number: u8, vxlan: &Vxlan) {
    host.run(|| devices::vxlan("vx0", vxlan)).unwrap().unwrap();
    let mut there = Netlink::open_in(host).unwrap();
    let link = there.link("vx0").unwrap();
    for address in [
        format!("172.31.0.{number}/24"),
        format!("fd31::{number}/64"),
    ] {
        let address = address.parse().unwrap();
        there
            .add_address(&link, address, DuplicateDetection::Skip)
            .unwrap();
    }
    there.set_up(&link).unwrap();
}

fn over_vxlan(vxlan: impl Fn(u8) -> Vxlan) {
    const BYTES: u64 = 16 << 20;
    let lab = Lab::new(1500);
    end(&lab.left, 1, &vxlan(2));
    end(&lab.right, 2, &vxlan(1));
    let relay = Relay::between(
        open_port("left-vsw").unwrap(),
        open_port("right-vsw").unwrap(),
    );
    tcp(&lab.left, &lab.right, "172.31.0.2:7000", BYTES);
    tcp(&lab.right, &lab.left, "[fd31::1]:7001", BYTES);
    let outcome = relay.end();
    assert!(
        outcome.super_frames > 100,
        "nothing was left to cut: {outcome:?}"
    );
    // What the peer's backlog had no room for is sent again; no frame was refused for what it is.
    for port in outcome.ports {
        let reasons: Vec<_> = port.drops.iter().map(|(reason, _)| reason).collect();
        assert!(
            reasons
                .iter()
                .all(|reason| matches!(reason.as_str(), "egress_full" | "rx_overflow")),
            "{outcome:?}"
        );
    }
}

/// The host itself is the tunnel's other end, behind a TAP device with offloads.
fn over_vxlan_to_tap() {
    const BYTES: u64 = 4 << 20;
    let lab = Lab::new(1500);
    let vxlan = v4(false);
    end(&lab.left, 1, &vxlan(2));
    let tap_host = Namespace::create("tap-host").unwrap();
    let tap = tap_host
        .run(|| TapPort::create(Some("tap0"), TapOptions::default()))
        .unwrap()
        .unwrap();
    bring_up(&tap_host, "tap0", 2);
    end(&tap_host, 2, &vxlan(1));
    let relay = Relay::between(open_port("left-vsw").unwrap(), tap);
    tcp(&lab.left, &tap_host, "172.31.0.2:7000", BYTES);
    tcp(&tap_host, &lab.left, "[fd31::1]:7001", BYTES);
    let outcome = relay.end();
    assert!(outcome.super_frames > 10, "{outcome:?}");
}
