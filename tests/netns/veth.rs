//! Veth pairs.

use libtest_mimic::Trial;
use vswitch_netns::{DuplicateDetection, Namespace, Netlink};

use super::end;
use crate::harness::{PATIENCE, icmp, isolated};

pub(super) fn tests() -> Vec<Trial> {
    vec![isolated(
        "netns_veth_pair_carries_pings_between_namespaces",
        carries_pings,
    )]
}

fn carries_pings() {
    let mario = Namespace::create("mario").unwrap();
    let mut here = Netlink::open().unwrap();
    let mut there = Netlink::open_in(&mario).unwrap();
    let near = here
        .create_veth(&end("mario-vsw"), &end("mario-netns"), Some(&mario))
        .unwrap();
    let far = there.link("mario-netns").unwrap();
    assert_eq!(near.peer_index, Some(far.index));
    here.set_up(&near).unwrap();
    there.set_up(&far).unwrap();
    let skip = DuplicateDetection::Skip;
    here.add_address(&near, "10.0.0.1/24".parse().unwrap(), skip)
        .unwrap();
    there
        .add_address(&far, "10.0.0.2/24".parse().unwrap(), skip)
        .unwrap();
    here.add_address(&near, "fd00::1/64".parse().unwrap(), skip)
        .unwrap();
    there
        .add_address(&far, "fd00::2/64".parse().unwrap(), skip)
        .unwrap();
    icmp::ping("10.0.0.2".parse().unwrap(), None, 56, PATIENCE).unwrap();
    icmp::ping_until("fd00::2".parse().unwrap(), None, 8000, PATIENCE).unwrap();
}
