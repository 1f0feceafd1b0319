//! `vswitch link set`.

use vswitch_netns::{InterfaceName, LinkChange, Namespace, NamespaceName, Netlink};

use crate::args::{Inside, Master, Settings};
use crate::place::Place;
use vswitch_control::rights;

pub(super) fn run(
    inside: &Inside,
    name: &InterfaceName,
    settings: &Settings,
) -> anyhow::Result<()> {
    let mut place = Place::open_to("change a network interface", inside.namespace.as_ref())?;
    let link = place.link(name)?;
    let target = settings.namespace.as_ref().map(target).transpose()?;
    let mut change = LinkChange::new();
    if let Some(up) = settings.up {
        change = change.up(up);
    }
    if let Some(arp) = settings.arp {
        change = change.arp(arp);
    }
    if let Some(new) = &settings.name {
        change = change.name(new.clone());
    }
    if let Some(mtu_bytes) = settings.mtu_bytes {
        change = change.mtu_bytes(mtu_bytes);
    }
    if let Some(mac) = settings.mac {
        change = change.mac(mac.0);
    }
    if let Some(alias) = &settings.alias {
        change = change.alias(alias.clone());
    }
    if let Some(target) = &target {
        change = change.namespace(target);
    }
    match &settings.master {
        Some(Master::Bridge(bridge)) => {
            // It is looked for where the interface will be.
            let bridge = match &target {
                Some(target) => Netlink::open_in(target)?.link(bridge.as_str())?,
                None => place.link(bridge)?,
            };
            change = change.bridge(Some(&bridge));
        }
        Some(Master::Nothing) => change = change.bridge(None),
        None => {}
    }
    place.netlink.change_link(&link, &change)?;
    if settings.mac.is_some() && target.is_none() {
        place.announce(&link, |_| true);
    }
    Ok(())
}

/// The namespace of this name, or else that of the process with this number.
fn target(name: &NamespaceName) -> anyhow::Result<Namespace> {
    rights::require("move an interface into a namespace", rights::NAMESPACE)?;
    match name.as_str().parse() {
        Ok(pid) if !Namespace::exists(name.as_str()) => Ok(Namespace::of_process(pid)?),
        _ => Ok(Namespace::open(name.as_str())?),
    }
}
