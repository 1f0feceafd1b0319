//! Changing a link: everything that is asked for, in one request.

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

/// What to change of a link. What is not named stays as it is.
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

/// Whence an interface takes its IPv6 link-local address (`addrgenmode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkLocal {
    /// It makes none.
    None,
    /// From its MAC address (RFC 4291, appendix A): the kernel's default.
    Eui64,
}

impl<'a> LinkChange<'a> {
    /// Nothing, yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Switches it on or off.
    pub fn up(self, up: bool) -> Self {
        Self {
            up: Some(up),
            ..self
        }
    }

    /// Has it resolve neighbours, or not.
    pub fn arp(self, arp: bool) -> Self {
        Self {
            arp: Some(arp),
            ..self
        }
    }

    /// Renames it.
    pub fn name(self, name: InterfaceName) -> Self {
        Self {
            name: Some(name),
            ..self
        }
    }

    /// Sets its MTU in bytes.
    pub fn mtu_bytes(self, mtu_bytes: u32) -> Self {
        Self {
            mtu_bytes: Some(mtu_bytes),
            ..self
        }
    }

    /// Sets its Ethernet address.
    pub fn mac(self, mac: MacBytes) -> Self {
        Self {
            mac: Some(mac),
            ..self
        }
    }

    /// Gives it a remark; an empty one removes it. The kernel keeps up to 255 bytes.
    pub fn alias(self, alias: impl Into<String>) -> Self {
        Self {
            alias: Some(alias.into()),
            ..self
        }
    }

    /// Says whence its IPv6 link-local address comes, from when it next goes up.
    pub fn link_local(self, link_local: LinkLocal) -> Self {
        Self {
            link_local: Some(link_local),
            ..self
        }
    }

    /// Moves it into a namespace. It goes down and loses its addresses.
    pub fn namespace(self, namespace: &'a Namespace) -> Self {
        Self {
            namespace: Some(namespace),
            ..self
        }
    }

    /// Plugs it into a bridge, or unplugs it (`None`). If it moves into another namespace at the
    /// same time, the bridge is one of that namespace.
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

    /// Finds what the kernel would refuse half-way, after it has changed other things.
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
    /// What can be known to be impossible (an MTU, a MAC address) is refused before anything is
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
                    place: namespace.map_or(String::new(), place),
                },
                (Some(Errno::EBUSY), Some(_), _) if link.up => LinkError::Busy {
                    name: link.name.clone(),
                },
                _ => LinkError::refused("change", &link.name, error),
            },
        )
    }

    /// Switches an interface on.
    pub fn set_up(&mut self, link: &Link) -> Result<(), LinkError> {
        self.change_link(link, &LinkChange::new().up(true))
    }

    /// Switches an interface off.
    pub fn set_down(&mut self, link: &Link) -> Result<(), LinkError> {
        self.change_link(link, &LinkChange::new().up(false))
    }
}

/// " in the network namespace NAME", for the end of a sentence.
pub(crate) fn place(namespace: &Namespace) -> String {
    match namespace.name() {
        Some(name) => format!(" in the network namespace {name}"),
        None => " in the other network namespace".to_owned(),
    }
}
