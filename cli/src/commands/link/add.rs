//! `vswitch link add`.

use vswitch_netns::{LinkChange, Namespace, NamespaceName, Netlink, VethEnd};

use crate::args::{Inside, NewEnd, NewLink};
use crate::place::Place;
use vswitch_control::rights::{self, Capability};

pub(super) fn run(inside: &Inside, new: &NewLink) -> anyhow::Result<()> {
    rights::require("create a network interface", &[Capability::NetAdmin])?;
    // An end is made where its own words say, or else where the command acts.
    let at = |end: &NewEnd| end.namespace.clone().or_else(|| inside.namespace.clone());
    match new {
        NewLink::Bridge(end) => {
            let mut netlink = Place::open(at(end).as_ref())?.netlink;
            let bridge = netlink.create_bridge(&end.name)?;
            let settings = LinkChange::new().up(end.up);
            let settings = match end.mtu_bytes {
                Some(mtu_bytes) => settings.mtu_bytes(mtu_bytes),
                None => settings,
            };
            let settings = match end.mac {
                Some(mac) => settings.mac(mac.0),
                None => settings,
            };
            let outcome = netlink.change_link(&bridge, &settings);
            undo(outcome, &mut netlink, &bridge)
        }
        NewLink::Veth(near, far) => {
            let mut near_netlink = Place::open(at(near).as_ref())?.netlink;
            let far_namespace = namespace(at(far).as_ref())?;
            let link =
                near_netlink.create_veth(&veth_end(near), &veth_end(far), Some(&far_namespace))?;
            let mut switch_on = || {
                if near.up {
                    near_netlink.set_up(&link)?;
                }
                if far.up {
                    let mut far_netlink = Netlink::open_in(&far_namespace)?;
                    let link = far_netlink.link(far.name.as_str())?;
                    far_netlink.set_up(&link)?;
                }
                anyhow::Ok(())
            };
            let outcome = switch_on();
            undo(outcome, &mut near_netlink, &link)
        }
    }
}

fn namespace(name: Option<&NamespaceName>) -> anyhow::Result<Namespace> {
    Ok(match name {
        Some(name) => {
            let namespace = Namespace::open(name.as_str())?;
            rights::require("enter a network namespace", rights::NAMESPACE)?;
            namespace
        }
        None => Namespace::current()?,
    })
}

fn veth_end(end: &NewEnd) -> VethEnd {
    let mut made = VethEnd::new(end.name.clone());
    if let Some(mac) = end.mac {
        made = made.mac(mac.0);
    }
    if let Some(mtu_bytes) = end.mtu_bytes {
        made = made.mtu_bytes(mtu_bytes);
    }
    made
}

/// Removes what was made where not all of it went well.
fn undo<E: Into<anyhow::Error>>(
    outcome: Result<(), E>,
    netlink: &mut Netlink,
    link: &vswitch_netns::Link,
) -> anyhow::Result<()> {
    outcome.map_err(|error| {
        let _ = netlink.delete_link(link);
        error.into()
    })
}
