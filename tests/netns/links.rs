//! Changing links.

use libtest_mimic::Trial;
use vswitch_netns::{Link, LinkChange, LinkError, Namespace, Netlink, OperState};

use super::end;
use crate::harness::{PATIENCE, isolated, wait_until};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        isolated("netns_links_are_found_by_name_and_index", found),
        isolated("netns_links_go_up_and_down", up_and_down),
        isolated("netns_links_are_renamed", renamed),
        isolated("netns_links_move_between_namespaces", moved),
        isolated("netns_links_change_mtu_mac_and_alias", changed),
        isolated("netns_impossible_changes_are_refused_whole", refused_whole),
    ]
}

fn pair(netlink: &mut Netlink) -> Link {
    netlink
        .create_veth(&end("near"), &end("far"), None)
        .unwrap()
}

fn found() {
    let mut netlink = Netlink::open().unwrap();
    let near = pair(&mut netlink);
    assert_eq!(
        netlink.link_by_index(near.index).unwrap().as_ref(),
        Some(&near)
    );
    assert_eq!(netlink.link_by_index(9999).unwrap(), None);
    let names: Vec<_> = netlink
        .links()
        .unwrap()
        .into_iter()
        .map(|link| link.name)
        .collect();
    assert_eq!(names, ["lo", "far", "near"]);
    for name in ["", "peach", "..", "sixteen-bytes-xx", &"x".repeat(300)] {
        assert_eq!(netlink.find_link(name).unwrap(), None, "{name}");
        let error = netlink.link(name).unwrap_err();
        assert!(matches!(error, LinkError::NotFound { .. }), "{error}");
        assert!(error.to_string().len() < 200, "{error}");
    }
}

fn up_and_down() {
    let mut netlink = Netlink::open().unwrap();
    let near = pair(&mut netlink);
    let far = netlink.link("far").unwrap();
    netlink.set_up(&near).unwrap();
    let now = netlink.link("near").unwrap();
    assert!(now.up && !now.lower_up);
    assert_eq!(now.state, OperState::LowerLayerDown);
    netlink.set_up(&far).unwrap();
    // The state follows the carrier a little later (linkwatch).
    assert!(wait_until(PATIENCE, || netlink.link("near").unwrap().state
        == OperState::Up));
    assert!(netlink.link("near").unwrap().lower_up);
    netlink.set_down(&near).unwrap();
    assert!(!netlink.link("near").unwrap().up);
}

fn renamed() {
    let mut netlink = Netlink::open().unwrap();
    let near = pair(&mut netlink);
    let rename = |name: &str| LinkChange::new().name(name.parse().unwrap());
    netlink.change_link(&near, &rename("bowser")).unwrap();
    assert_eq!(netlink.link("bowser").unwrap().index, near.index);
    assert!(netlink.find_link("near").unwrap().is_none());
    let error = netlink.change_link(&near, &rename("far")).unwrap_err();
    assert!(
        matches!(&error, LinkError::Exists { name, .. } if name == "far"),
        "{error}"
    );
    assert_eq!(
        netlink.link_by_index(near.index).unwrap().unwrap().name,
        "bowser"
    );
}

fn moved() {
    let mario = Namespace::create("mario").unwrap();
    let mut here = Netlink::open().unwrap();
    let mut there = Netlink::open_in(&mario).unwrap();
    let near = pair(&mut here);
    here.set_up(&near).unwrap();
    here.change_link(&near, &LinkChange::new().namespace(&mario))
        .unwrap();
    assert!(here.find_link("near").unwrap().is_none());
    let now = there.link("near").unwrap();
    assert_eq!(now.mac, near.mac);
    assert!(!now.up, "it goes down on the way");

    // Moved and renamed in one.
    let home = Namespace::current().unwrap();
    let change = LinkChange::new()
        .namespace(&home)
        .name("home".parse().unwrap());
    there.change_link(&now, &change).unwrap();
    assert_eq!(here.link("home").unwrap().mac, near.mac);

    let far = here.link("far").unwrap();
    there.create_veth(&end("far"), &end("other"), None).unwrap();
    let error = here
        .change_link(&far, &LinkChange::new().namespace(&mario))
        .unwrap_err();
    assert!(
        matches!(&error, LinkError::Exists { name, .. } if name == "far"),
        "{error}"
    );
    assert!(error.to_string().contains("namespace mario"), "{error}");
    assert!(here.find_link("far").unwrap().is_some());
}

fn changed() {
    let mut netlink = Netlink::open().unwrap();
    let near = pair(&mut netlink);
    let mac = [2, 1, 2, 3, 4, 5];
    let change = LinkChange::new()
        .mtu_bytes(9216)
        .mac(mac)
        .alias("Mario's cable")
        .arp(false)
        .up(true);
    netlink.change_link(&near, &change).unwrap();
    let now = netlink.link("near").unwrap();
    assert_eq!(
        (now.mtu_bytes, now.mac, now.up, now.arp),
        (9216, Some(mac), true, false)
    );
    assert_eq!(now.alias.as_deref(), Some("Mario's cable"));
    netlink
        .change_link(&now, &LinkChange::new().alias("").arp(true))
        .unwrap();
    let now = netlink.link("near").unwrap();
    assert_eq!(now.alias, None);
    assert!(now.arp && now.up, "what is not named stays");
}

fn refused_whole() {
    let mut netlink = Netlink::open().unwrap();
    let near = pair(&mut netlink);
    let before = netlink.links().unwrap();
    for mtu_bytes in [0, 67, 65_536] {
        let change = LinkChange::new().up(true).mtu_bytes(mtu_bytes);
        let error = netlink.change_link(&near, &change).unwrap_err();
        assert!(
            matches!(
                error,
                LinkError::Mtu {
                    min_bytes: 68,
                    max_bytes: 65_535,
                    ..
                }
            ),
            "{error}"
        );
    }
    let change = LinkChange::new().up(true).mac([1, 0, 0, 0, 0, 0]);
    let error = netlink.change_link(&near, &change).unwrap_err();
    assert!(matches!(error, LinkError::Mac { .. }), "{error}");
    let change = LinkChange::new().up(true).alias("x".repeat(300));
    let error = netlink.change_link(&near, &change).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot change the interface near: "),
        "{error}"
    );
    assert_eq!(netlink.links().unwrap(), before);

    let near = netlink.link("near").unwrap();
    netlink.delete_link(&near).unwrap();
    let error = netlink.set_up(&near).unwrap_err();
    assert!(matches!(error, LinkError::NotFound { .. }), "{error}");
}
