//! The neighbour table: which Ethernet address an IP address of a link has (arp(7)).

use std::net::IpAddr;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourMessage};
use nix::errno::Errno;

use crate::address::family;
use crate::netlink::{Netlink, NetlinkError};

impl Netlink {
    /// Forgets what is known of an address on the link with this index, so that it is asked for
    /// anew when it is next needed; says whether something was known.
    ///
    /// All namespaces of a machine share the room for such entries
    /// (`net.ipv4.neigh.default.gc_thresh3`): who talks to very many neighbours for a moment
    /// should make room again.
    pub fn forget_neighbour(
        &mut self,
        link_index: u32,
        address: IpAddr,
    ) -> Result<bool, NetlinkError> {
        let mut message = NeighbourMessage::default();
        message.header.family = family(address);
        message.header.ifindex = link_index;
        message
            .attributes
            .push(NeighbourAttribute::Destination(address.into()));
        match self.change(RouteNetlinkMessage::DelNeighbour(message), 0) {
            Ok(()) => Ok(true),
            Err(error) => match error.errno() {
                Some(Errno::ENOENT | Errno::ENODEV | Errno::ENXIO) => Ok(false),
                _ => Err(error),
            },
        }
    }
}
