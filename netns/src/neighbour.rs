//! The neighbour table: MAC addresses of IP addresses on a link (arp(7)).

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState};
use nix::errno::Errno;

use crate::address::{family, ip_of};
use crate::answer::{attributes_of, u32_of};
use crate::link::MacBytes;
use crate::netlink::{Netlink, NetlinkError};

/// An entry of a namespace's neighbour table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Neighbour {
    /// The IP address.
    pub address: IpAddr,
    /// The index of the link.
    pub link_index: u32,
    /// The MAC address; `None` while it is being resolved, or if it was not found.
    pub mac: Option<MacBytes>,
}

/// Length of `ndmsg`; the attributes follow it.
const HEADER_BYTES: usize = 12;
// Numbers of linux/neighbour.h.
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;

impl Neighbour {
    fn parse(payload: &[u8]) -> Option<Self> {
        let header: &[u8; HEADER_BYTES] = payload.first_chunk()?;
        let (mut address, mut mac) = (None, None);
        for (kind, value) in attributes_of(&payload[HEADER_BYTES..]) {
            match kind {
                NDA_DST => address = ip_of(value),
                NDA_LLADDR => mac = value.try_into().ok(),
                _ => {}
            }
        }
        Some(Self {
            address: address?,
            link_index: u32_of(&header[4..])?,
            mac,
        })
    }
}

impl Netlink {
    /// Lists the neighbours on all links.
    pub fn neighbours(&mut self) -> Result<Vec<Neighbour>, NetlinkError> {
        let request = RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default());
        let replies = self.dump(&request)?;
        let neighbours = replies
            .iter()
            .filter(|reply| reply.message_type == libc::RTM_NEWNEIGH)
            .filter_map(|reply| Neighbour::parse(&reply.payload));
        Ok(neighbours.collect())
    }

    /// Adds an entry for an IP address on the link with this index, as if the namespace had just
    /// resolved it. Returns whether it was not in the table before.
    ///
    /// For callers that let very many neighbours exchange traffic at once and want to avoid ARP
    /// between each two of them. The entry ages like any other.
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

    /// Deletes the entry of an address on the link with this index, so that it is resolved again
    /// when it is next needed. Returns whether there was an entry.
    ///
    /// All namespaces of a machine share the limit on such entries
    /// (`net.ipv4.neigh.default.gc_thresh3`), so a caller that used very many neighbours for a
    /// short time should delete their entries.
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
