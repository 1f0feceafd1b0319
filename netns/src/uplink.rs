//! Which interfaces the default routes of a namespace need.
//!
//! An interface that becomes the port of a switch is lost to the stack above it. Where a default route
//! leads through it, or through a device that stands on it (a VLAN, a macvlan, the bridge or
//! bond that it is a member of), the namespace is off the network then.

use std::collections::BTreeSet;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::RouteMessage;

use crate::answer::{attributes_of, u32_of};
use crate::link::Link;
use crate::netlink::Netlink;
use crate::route::RouteError;

// Numbers of linux/rtnetlink.h.
const RTA_OIF: u16 = 4;
const RTA_MULTIPATH: u16 = 9;
/// Length of `rtmsg`, after which the attributes come.
const HEADER_BYTES: usize = 12;
/// Length of `rtnexthop`, and where it has the index of the interface.
const HOP_BYTES: usize = 8;
const HOP_INDEX_AT: usize = 4;
/// Default routes that are cut in two halves (`0.0.0.0/1`) are some too, and `2000::/3`.
const MAX_PREFIX_V4: u8 = 1;
const MAX_PREFIX_V6: u8 = 3;

impl Netlink {
    /// The interface by which a default route leads that is lost with `link`: itself, or what
    /// stands on it. Of any routing table and either address family; none if there is none.
    pub fn default_route_through(&mut self, link: &Link) -> Result<Option<Link>, RouteError> {
        let request = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        let replies = self.dump(&request).map_err(RouteError::List)?;
        let mut ways = BTreeSet::new();
        for reply in replies {
            if reply.message_type == libc::RTM_NEWROUTE {
                ways.extend(default_ways(&reply.payload).into_iter().flatten());
            }
        }
        let links = self
            .links()
            .map_err(|_| RouteError::List(crate::NetlinkError::Unsteady))?;
        Ok(standing_on(link, &links)
            .into_iter()
            .find(|upper| ways.contains(&upper.index))
            .cloned())
    }
}

/// The interfaces of a route, if it is a default one.
fn default_ways(payload: &[u8]) -> Option<Vec<u32>> {
    let header: &[u8; HEADER_BYTES] = payload.first_chunk()?;
    let (family, prefix, kind) = (i32::from(header[0]), header[1], header[7]);
    let longest = match family {
        libc::AF_INET => MAX_PREFIX_V4,
        libc::AF_INET6 => MAX_PREFIX_V6,
        _ => return None,
    };
    if prefix > longest || kind != libc::RTN_UNICAST {
        return None;
    }
    let mut ways = Vec::new();
    for (kind, value) in attributes_of(&payload[HEADER_BYTES..]) {
        match kind {
            RTA_OIF => ways.extend(u32_of(value)),
            RTA_MULTIPATH => ways.extend(hops(value)),
            _ => {}
        }
    }
    Some(ways)
}

/// The interfaces of a route with several next hops.
fn hops(mut bytes: &[u8]) -> Vec<u32> {
    let mut ways = Vec::new();
    while let Some(hop) = bytes.first_chunk::<HOP_BYTES>() {
        ways.extend(u32_of(&hop[HOP_INDEX_AT..]));
        let length = usize::from(u16::from_ne_bytes([hop[0], hop[1]]));
        // Aligned to four bytes (RTNH_ALIGN). A length of less than its own header would never end.
        let next = length.max(HOP_BYTES).next_multiple_of(4);
        bytes = bytes.get(next..).unwrap_or_default();
    }
    ways
}

/// The interface itself, and all that carries its traffic to the stack.
fn standing_on<'a>(link: &Link, links: &'a [Link]) -> Vec<&'a Link> {
    let mut found: Vec<&Link> = links.iter().filter(|l| l.index == link.index).collect();
    let mut next = 0;
    while let Some(lower) = found.get(next).copied() {
        next += 1;
        // The peer of a veth is on the other side of a cable, not on top of it.
        let stands = |upper: &&Link| {
            let is_above = upper.peer_index == Some(lower.index)
                && upper.peer_namespace_id.is_none()
                && upper.kind.as_deref() != Some("veth");
            is_above || lower.master == Some(upper.index)
        };
        for upper in links.iter().filter(stands) {
            if !found.iter().any(|known| known.index == upper.index) {
                found.push(upper);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, kind: &str, lower: Option<u32>, master: Option<u32>) -> Link {
        Link {
            index,
            kind: Some(kind.to_owned()),
            peer_index: lower,
            master,
            ..Link::default()
        }
    }

    #[test]
    fn what_stands_on_an_interface_is_found() {
        let links = [
            link(1, "dummy", None, Some(3)),
            link(2, "veth", Some(9), None),
            link(3, "bond", None, None),
            link(4, "vlan", Some(3), Some(5)),
            link(5, "bridge", None, None),
            link(9, "veth", Some(2), None),
        ];
        let above = |n: usize| -> Vec<u32> {
            let found = standing_on(&links[n], &links);
            found.iter().map(|link| link.index).collect()
        };
        assert_eq!(above(0), [1, 3, 4, 5]);
        assert_eq!(above(1), [2]);
        assert_eq!(above(4), [5]);
    }

    #[test]
    fn several_next_hops_are_read_to_the_end() {
        let hop = |length: u16, index: u32| {
            let mut hop = length.to_ne_bytes().to_vec();
            hop.extend([0, 0]);
            hop.extend(index.to_ne_bytes());
            hop.resize(usize::from(length).max(8), 0);
            hop
        };
        assert_eq!(hops(&[hop(16, 7), hop(8, 8)].concat()), [7, 8]);
        // Of nonsense it makes what it can, and ends.
        assert_eq!(hops(&hop(0, 7)), [7]);
        assert!(hops(&[1, 2, 3]).is_empty());
    }
}
