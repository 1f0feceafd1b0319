//! The kernel's bridges.

use libtest_mimic::Trial;
use vswitch_netns::{InterfaceName, LinkError, Netlink};

use super::end;
use crate::harness::isolated;

pub(super) fn tests() -> Vec<Trial> {
    vec![isolated("netns_bridge_takes_and_releases_ports", ports)]
}

fn ports() {
    let mut here = Netlink::open().unwrap();
    let name = InterfaceName::new("br0").unwrap();
    let bridge = match here.create_bridge(&name) {
        // A kernel without bridges has nothing to be tested.
        Err(LinkError::NoDriver { kind, .. }) => return assert_eq!(kind, "bridge"),
        other => other.unwrap(),
    };
    assert_eq!(bridge.kind.as_deref(), Some("bridge"));
    let again = here.create_bridge(&name).unwrap_err();
    assert!(matches!(again, LinkError::Exists { .. }), "{again}");

    let port = here.create_veth(&end("near"), &end("far"), None).unwrap();
    here.set_bridge(&port, Some(&bridge)).unwrap();
    assert_eq!(here.link("near").unwrap().master, Some(bridge.index));
    let lo = here.link("lo").unwrap();
    let refused = here.set_bridge(&lo, Some(&bridge)).unwrap_err();
    assert!(refused.to_string().contains("plug in"), "{refused}");
    here.set_bridge(&port, None).unwrap();
    assert_eq!(here.link("near").unwrap().master, None);
}
