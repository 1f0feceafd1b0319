//! Veth pairs.

use libtest_mimic::Trial;
use vswitch_netns::{DuplicateDetection, LinkError, Namespace, Netlink, veth};

use super::end;
use crate::harness::{PATIENCE, icmp, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated(
            "netns_veth_pair_carries_pings_between_namespaces",
            carries_pings,
        ),
        isolated("netns_veth_pair_is_as_it_was_asked_for", as_asked),
        isolated("netns_veth_names_in_use_are_refused", names_in_use),
        isolated(
            "netns_veth_mtu_and_mac_out_of_bounds_are_refused",
            out_of_bounds,
        ),
        isolated("netns_veth_ends_go_together", go_together),
    ]
}

fn carries_pings() {
    let mario = Namespace::create("mario").unwrap();
    let mut here = Netlink::open().unwrap();
    let mut there = Netlink::open_in(&mario).unwrap();
    let near = here
        .create_veth(&end("mario-vsw"), &end("mario-netns"), Some(&mario))
        .unwrap();
    let far = there.link("mario-netns").unwrap();
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
    icmp::ping_until("10.0.0.2".parse().unwrap(), None, 56, PATIENCE).unwrap();
    icmp::ping_until("fd00::2".parse().unwrap(), None, 8000, PATIENCE).unwrap();
}

fn as_asked() {
    let mario = Namespace::create("mario").unwrap();
    let mut here = Netlink::open().unwrap();
    let mut there = Netlink::open_in(&mario).unwrap();
    let (near_mac, far_mac) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let near = end("near").mac(near_mac).mtu_bytes(9000);
    let far = end("far").mac(far_mac).mtu_bytes(veth::MIN_MTU_BYTES);
    let near = here.create_veth(&near, &far, Some(&mario)).unwrap();
    let far = there.link("far").unwrap();
    assert_eq!(near.kind.as_deref(), Some("veth"));
    assert_eq!((near.mac, near.mtu_bytes), (Some(near_mac), 9000));
    assert_eq!(
        (far.mac, far.mtu_bytes),
        (Some(far_mac), veth::MIN_MTU_BYTES)
    );
    assert_eq!(
        (near.min_mtu_bytes, near.max_mtu_bytes),
        (veth::MIN_MTU_BYTES, veth::MAX_MTU_BYTES)
    );
    assert_eq!(
        (near.peer_index, far.peer_index),
        (Some(far.index), Some(near.index))
    );
    assert!(
        near.peer_namespace_id.is_some(),
        "the other end is in another namespace"
    );
    assert_eq!(here.namespace_id(&mario).unwrap(), near.peer_namespace_id);
    let unrelated = Namespace::create_unnamed().unwrap();
    assert_eq!(here.namespace_id(&unrelated).unwrap(), None);
    assert!(near.is_ethernet() && !near.up && !far.up);
    assert!(here.find_link("far").unwrap().is_none());

    // Both in one namespace.
    let left = here.create_veth(&end("left"), &end("right"), None).unwrap();
    let right = here.link("right").unwrap();
    assert_eq!(left.peer_index, Some(right.index));
    assert_eq!(left.peer_namespace_id, None);
}

fn names_in_use() {
    let mario = Namespace::create("mario").unwrap();
    let mut here = Netlink::open().unwrap();
    here.create_veth(&end("near"), &end("far"), Some(&mario))
        .unwrap();
    let mut refused = |near, far| {
        let error = here
            .create_veth(&end(near), &end(far), Some(&mario))
            .unwrap_err();
        assert_eq!(here.links().unwrap().len(), 2, "something was made");
        assert!(matches!(error, LinkError::Exists { .. }), "{error:?}");
        error.to_string()
    };
    let text = refused("near", "other");
    assert!(text.contains("an interface near exists already;"), "{text}");
    let text = refused("other", "far");
    assert!(
        text.contains("an interface far exists already in the network namespace mario"),
        "{text}"
    );
}

fn out_of_bounds() {
    let mut here = Netlink::open().unwrap();
    for mtu_bytes in [0, 67, 65_536, u32::MAX] {
        for (a, b) in [
            (end("a").mtu_bytes(mtu_bytes), end("b")),
            (end("b"), end("a").mtu_bytes(mtu_bytes)),
        ] {
            let error = here.create_veth(&a, &b, None).unwrap_err();
            let text = error.to_string();
            assert!(matches!(error, LinkError::Mtu { .. }), "{text}");
            assert!(
                text.contains(&mtu_bytes.to_string()) && text.contains("from 68 to 65535"),
                "{text}"
            );
        }
    }
    for mac in [[0; 6], [0xff; 6], [1, 0, 0x5e, 0, 0, 1]] {
        let error = here
            .create_veth(&end("a").mac(mac), &end("b"), None)
            .unwrap_err();
        assert!(matches!(error, LinkError::Mac { .. }), "{error}");
    }
    assert_eq!(here.links().unwrap().len(), 1, "something was made");
}

fn go_together() {
    let mario = Namespace::create("mario").unwrap();
    let mut here = Netlink::open().unwrap();
    let mut there = Netlink::open_in(&mario).unwrap();
    here.create_veth(&end("near"), &end("far"), Some(&mario))
        .unwrap();
    let far = there.link("far").unwrap();
    there.delete_link(&far).unwrap();
    assert!(here.find_link("near").unwrap().is_none());

    let near = here
        .create_veth(&end("near"), &end("far"), Some(&mario))
        .unwrap();
    here.delete_link(&near).unwrap();
    assert!(there.find_link("far").unwrap().is_none());
    let error = here.delete_link(&near).unwrap_err();
    assert!(matches!(error, LinkError::NotFound { .. }), "{error}");

    // With the namespace of either end both go, a little later.
    here.create_veth(&end("near"), &end("far"), Some(&mario))
        .unwrap();
    drop((there, mario));
    Namespace::delete("mario").unwrap();
    assert!(wait_until(PATIENCE, || here
        .find_link("near")
        .unwrap()
        .is_none()));
}
