//! Changes several settings of a link with one request.

use std::os::fd::{AsFd, AsRawFd};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, LinkAttribute, LinkFlags, LinkMessage,
};
use nix::errno::Errno;

use crate::link::{Link, LinkError, MacBytes, check_mac};
use crate::name::InterfaceName;
use crate::namespace::Namespace;
use crate::netlink::Netlink;

/// The settings of a link to change. Settings that are not given stay as they are.
#[derive(Clone, Debug, Default)]
#[must_use = "a change does nothing until it is applied with `Netlink::change_link`"]
pub struct LinkChange<'a> {
    up: Option<bool>,
    arp: Option<bool>,
    name: Option<InterfaceName>,
    mtu_bytes: Option<u32>,
    mac: Option<MacBytes>,
    alias: Option<String>,
    link_local: Option<LinkLocal>,
    namespace: Option<&'a Namespace>,
    bridge: Option<u32>,
}

/// How an interface generates its IPv6 link-local address (`addrgenmode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkLocal {
    /// It does not generate one.
    None,
    /// From its MAC address (RFC 4291, appendix A): the kernel's default.
    Eui64,
}

impl<'a> LinkChange<'a> {
    /// Creates an empty change.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the interface up or down.
    pub fn up(self, up: bool) -> Self {
        Self {
            up: Some(up),
            ..self
        }
    }

    /// Enables or disables ARP.
    pub fn arp(self, arp: bool) -> Self {
        Self {
            arp: Some(arp),
            ..self
        }
    }

    /// Renames the interface.
    pub fn name(self, name: InterfaceName) -> Self {
        Self {
            name: Some(name),
            ..self
        }
    }

    /// Sets the MTU in bytes.
    pub fn mtu_bytes(self, mtu_bytes: u32) -> Self {
        Self {
            mtu_bytes: Some(mtu_bytes),
            ..self
        }
    }

    /// Sets the MAC address.
    pub fn mac(self, mac: MacBytes) -> Self {
        Self {
            mac: Some(mac),
            ..self
        }
    }

    /// Sets the alias; an empty one removes it. The kernel stores up to 255 bytes.
    pub fn alias(self, alias: impl Into<String>) -> Self {
        Self {
            alias: Some(alias.into()),
            ..self
        }
    }

    /// Sets how the IPv6 link-local address is generated when the interface next goes up.
    pub fn link_local(self, link_local: LinkLocal) -> Self {
        Self {
            link_local: Some(link_local),
            ..self
        }
    }

    /// Moves the interface into a namespace. It goes down and loses its addresses.
    pub fn namespace(self, namespace: &'a Namespace) -> Self {
        Self {
            namespace: Some(namespace),
            ..self
        }
    }

    /// Makes the interface a port of a bridge, or removes it from its bridge (`None`). If the
    /// interface moves into another namespace in the same request, the bridge is one of that
    /// namespace.
    pub fn bridge(self, bridge: Option<&Link>) -> Self {
        Self {
            bridge: Some(bridge.map_or(0, |bridge| bridge.index)),
            ..self
        }
    }

    fn message(&self, link: &Link) -> LinkMessage {
        let mut message = LinkMessage::default();
        message.header.index = link.index;
        let mut set_flag = |flag: LinkFlags, value: Option<bool>| {
            if let Some(value) = value {
                message.header.change_mask |= flag;
                message.header.flags.set(flag, value);
            }
        };
        set_flag(LinkFlags::Up, self.up);
        set_flag(LinkFlags::Noarp, self.arp.map(|arp| !arp));
        let name = self.name.as_ref().map(ToString::to_string);
        let gen_mode = self.link_local.map(|link_local| match link_local {
            LinkLocal::None => In6AddrGenMode::None,
            LinkLocal::Eui64 => In6AddrGenMode::Eui64,
        });
        let inet6 = |mode| vec![AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(mode)])];
        let fd = self
            .namespace
            .map(|namespace| namespace.as_fd().as_raw_fd());
        message.attributes.extend(name.map(LinkAttribute::IfName));
        message
            .attributes
            .extend(self.mtu_bytes.map(LinkAttribute::Mtu));
        message
            .attributes
            .extend(self.mac.map(|mac| LinkAttribute::Address(mac.to_vec())));
        message
            .attributes
            .extend(self.alias.clone().map(LinkAttribute::IfAlias));
        message
            .attributes
            .extend(gen_mode.map(|mode| LinkAttribute::AfSpecUnspec(inet6(mode))));
        message.attributes.extend(fd.map(LinkAttribute::NetNsFd));
        message
            .attributes
            .extend(self.bridge.map(LinkAttribute::Controller));
        message
    }

    /// Refuses what the kernel would refuse only after it has applied other settings of the
    /// request.
    fn check(&self, link: &Link) -> Result<(), LinkError> {
        if let Some(mac) = self.mac {
            check_mac(&link.name, mac)?;
        }
        match self.mtu_bytes {
            Some(mtu_bytes) => check_mtu(link, mtu_bytes),
            None => Ok(()),
        }
    }
}

fn check_mtu(link: &Link, mtu_bytes: u32) -> Result<(), LinkError> {
    let max_bytes = match link.max_mtu_bytes {
        0 => u32::MAX,
        max => max,
    };
    if (link.min_mtu_bytes..=max_bytes).contains(&mtu_bytes) {
        return Ok(());
    }
    Err(LinkError::Mtu {
        name: link.name.clone(),
        mtu_bytes,
        min_bytes: link.min_mtu_bytes,
        max_bytes,
    })
}

impl Netlink {
    /// Applies a change to an interface of the socket's namespace.
    ///
    /// Values that are known to be invalid (an MTU, a MAC address) are refused before anything is
    /// changed.
    pub fn change_link(&mut self, link: &Link, change: &LinkChange<'_>) -> Result<(), LinkError> {
        change.check(link)?;
        let message = change.message(link);
        let outcome = Netlink::change(self, RouteNetlinkMessage::SetLink(message), 0);
        outcome.map_err(
            |error| match (error.errno(), &change.name, change.namespace) {
                (Some(Errno::EEXIST), new_name, namespace) => LinkError::Exists {
                    name: new_name
                        .as_ref()
                        .map_or(link.name.clone(), ToString::to_string),
                    place: namespace.map_or(String::new(), in_namespace),
                },
                (Some(Errno::EBUSY), Some(_), _) if link.up => LinkError::Busy {
                    name: link.name.clone(),
                },
                _ => LinkError::refused("change", &link.name, error),
            },
        )
    }

    /// Sets an interface up.
    pub fn set_up(&mut self, link: &Link) -> Result<(), LinkError> {
        self.change_link(link, &LinkChange::new().up(true))
    }

    /// Sets an interface down.
    pub fn set_down(&mut self, link: &Link) -> Result<(), LinkError> {
        self.change_link(link, &LinkChange::new().up(false))
    }
}

/// Formats " in the network namespace NAME", for the end of a sentence.
pub(crate) fn in_namespace(namespace: &Namespace) -> String {
    match namespace.name() {
        Some(name) => format!(" in the network namespace {name}"),
        None => " in the other network namespace".to_owned(),
    }
}
