//! Veth pairs: the cables between namespaces and switch (veth(4)).

use std::os::fd::{AsFd, AsRawFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkInfo, LinkMessage,
};
use nix::errno::Errno;

use crate::change::in_namespace;
use crate::link::{Link, LinkError, MacBytes, check_mac};
use crate::name::InterfaceName;
use crate::namespace::Namespace;
use crate::netlink::{Netlink, NetlinkError};

/// The smallest MTU of a veth device in bytes (`ETH_MIN_MTU`).
pub const MIN_MTU_BYTES: u32 = 68;
/// The greatest MTU of a veth device in bytes (`ETH_MAX_MTU`).
pub const MAX_MTU_BYTES: u32 = 65_535;

/// One end of a veth pair to create.
#[derive(Clone, Debug)]
#[must_use = "an end does nothing until a pair is made with `Netlink::create_veth`"]
pub struct VethEnd {
    name: InterfaceName,
    mac: Option<MacBytes>,
    mtu_bytes: Option<u32>,
    group: Option<u32>,
}

impl VethEnd {
    /// Describes an end of this name, with a random MAC address and an MTU of 1500, down.
    pub fn new(name: InterfaceName) -> Self {
        Self {
            name,
            mac: None,
            mtu_bytes: None,
            group: None,
        }
    }

    /// Sets the MAC address.
    pub fn mac(self, mac: MacBytes) -> Self {
        Self {
            mac: Some(mac),
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

    /// Sets the interface group (`ip link show group N`). The kernel applies it before it reports
    /// the new interface, so programs that manage interfaces can recognise it from the start.
    pub fn group(self, group: u32) -> Self {
        Self {
            group: Some(group),
            ..self
        }
    }

    fn check(&self) -> Result<(), LinkError> {
        if let Some(mac) = self.mac {
            check_mac(self.name.as_str(), mac)?;
        }
        match self.mtu_bytes {
            Some(mtu_bytes) if !(MIN_MTU_BYTES..=MAX_MTU_BYTES).contains(&mtu_bytes) => {
                Err(LinkError::Mtu {
                    name: self.name.to_string(),
                    mtu_bytes,
                    min_bytes: MIN_MTU_BYTES,
                    max_bytes: MAX_MTU_BYTES,
                })
            }
            _ => Ok(()),
        }
    }

    fn message(&self) -> LinkMessage {
        let mut message = LinkMessage::default();
        message
            .attributes
            .push(LinkAttribute::IfName(self.name.to_string()));
        message
            .attributes
            .extend(self.mtu_bytes.map(LinkAttribute::Mtu));
        message
            .attributes
            .extend(self.mac.map(|mac| LinkAttribute::Address(mac.to_vec())));
        message
            .attributes
            .extend(self.group.map(LinkAttribute::Group));
        message
    }
}

impl Netlink {
    /// Creates a veth pair with one request, and returns its near end.
    ///
    /// The near end is in the socket's namespace, the far end in `far_namespace`, or in the same
    /// one if that is `None`. Both are down: the kernel refuses to set an end up while the other
    /// one does not exist yet (ENOTCONN of `veth_open`). On failure nothing is created. Deleting
    /// either end, or the namespace of either, deletes both.
    pub fn create_veth(
        &mut self,
        near: &VethEnd,
        far: &VethEnd,
        far_namespace: Option<&Namespace>,
    ) -> Result<Link, LinkError> {
        near.check()?;
        far.check()?;
        let mut peer = far.message();
        let fd = far_namespace.map(|namespace| namespace.as_fd().as_raw_fd());
        peer.attributes.extend(fd.map(LinkAttribute::NetNsFd));
        let mut message = near.message();
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]));
        self.change(
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .map_err(|error| self.explain(error, near, far, far_namespace))?;
        self.link(near.name.as_str())
    }

    fn explain(
        &mut self,
        error: NetlinkError,
        near: &VethEnd,
        far: &VethEnd,
        far_namespace: Option<&Namespace>,
    ) -> LinkError {
        let name = near.name.to_string();
        match error.errno() {
            Some(Errno::EOPNOTSUPP) => LinkError::NoDriver {
                kind: "veth".to_owned(),
                name,
            },
            // The kernel does not report which of the two names exists.
            Some(Errno::EEXIST) => match self.find_link(&name) {
                Ok(Some(_)) => LinkError::Exists {
                    name,
                    place: String::new(),
                },
                _ => LinkError::Exists {
                    name: far.name.to_string(),
                    place: far_namespace.map_or(String::new(), in_namespace),
                },
            },
            _ => LinkError::refused("create", &name, error),
        }
    }
}
