//! The kernel's Ethernet bridges and their ports.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage};
use nix::errno::Errno;

use crate::link::{Link, LinkError};
use crate::name::InterfaceName;
use crate::netlink::Netlink;

impl Netlink {
    /// Creates a bridge in the socket's namespace, down and without ports, as `ip link add NAME
    /// type bridge` does: with learning, without spanning tree.
    pub fn create_bridge(&mut self, name: &InterfaceName) -> Result<Link, LinkError> {
        let mut message = LinkMessage::default();
        message.attributes = vec![
            LinkAttribute::IfName(name.to_string()),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]),
        ];
        self.change(
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .map_err(|error| match error.errno() {
            Some(Errno::EOPNOTSUPP) => LinkError::NoDriver {
                kind: "bridge".to_owned(),
                name: name.to_string(),
            },
            Some(Errno::EEXIST) => LinkError::Exists {
                name: name.to_string(),
                place: String::new(),
            },
            _ => LinkError::refused("create", name.as_str(), error),
        })?;
        self.link(name.as_str())
    }

    /// Makes an interface a port of a bridge in the same namespace, or removes it from its bridge
    /// (`None`).
    pub fn set_bridge(&mut self, port: &Link, bridge: Option<&Link>) -> Result<(), LinkError> {
        let mut message = LinkMessage::default();
        message.header.index = port.index;
        let controller = bridge.map_or(0, |bridge| bridge.index);
        message
            .attributes
            .push(LinkAttribute::Controller(controller));
        self.change(RouteNetlinkMessage::SetLink(message), 0)
            .map_err(|error| LinkError::refused("plug in", &port.name, error))
    }
}
