//! The neighbour table: which Ethernet address an IP address of a link has (arp(7)).

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState};
use nix::errno::Errno;

use crate::address::family;
use crate::link::MacBytes;
use crate::netlink::{Netlink, NetlinkError};

impl Netlink {
    /// Has the namespace know the Ethernet address of an IP address on the link with this index,
    /// as if it had asked on the network just now; says whether it did not know it before.
    ///
    /// For who lets very many neighbours talk at once, and would rather not have each of them ask
    /// all others who each other is. The knowledge ages like any other.
    pub fn learn_neighbour(
        &mut self,
        link_index: u32,
        address: IpAddr,
        mac: MacBytes,
    ) -> Result<bool, NetlinkError> {
        let mut message = message(link_index, address);
        message.header.state = NeighbourState::Reachable;
        message
            .attributes
            .push(NeighbourAttribute::LinkLayerAddress(mac.to_vec()));
        let request = RouteNetlinkMessage::NewNeighbour(message);
        match self.change(request, NLM_F_CREATE | NLM_F_EXCL) {
            Ok(()) => Ok(true),
            Err(error) if error.errno() == Some(Errno::EEXIST) => Ok(false),
            Err(error) => Err(error),
        }
    }

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
        let message = message(link_index, address);
        match self.change(RouteNetlinkMessage::DelNeighbour(message), 0) {
            Ok(()) => Ok(true),
            Err(error) => match error.errno() {
                Some(Errno::ENOENT | Errno::ENODEV | Errno::ENXIO) => Ok(false),
                _ => Err(error),
            },
        }
    }
}

fn message(link_index: u32, address: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family(address);
    message.header.ifindex = link_index;
    message
        .attributes
        .push(NeighbourAttribute::Destination(address.into()));
    message
}
