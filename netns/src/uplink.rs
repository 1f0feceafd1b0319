//! Finds the interfaces that the default routes of a namespace need.
//!
//! An interface that becomes a port of a switch is no longer usable by the IP stack. If a default
//! route uses it, or uses an upper device of it (a VLAN, a macvlan, the bridge or bond of which it
//! is a member), the namespace loses its network access.

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
/// Length of `rtmsg`; the attributes follow it.
const HEADER_BYTES: usize = 12;
/// Length of `rtnexthop`, and the offset of its interface index.
const HOP_BYTES: usize = 8;
const HOP_INDEX_AT: usize = 4;
/// Default routes split into two halves (`0.0.0.0/1`) count too, as does `2000::/3`.
const MAX_PREFIX_V4: u8 = 1;
const MAX_PREFIX_V6: u8 = 3;

impl Netlink {
    /// Returns the interface of a default route that would be lost with `link`: `link` itself or an
    /// upper device. Covers all routing tables and both address families; `None` if there is none.
    pub fn default_route_through(&mut self, link: &Link) -> Result<Option<Link>, RouteError> {
        let request = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        let replies = self.dump(&request).map_err(RouteError::List)?;
        let mut ways = BTreeSet::new();
        for reply in replies {
            if reply.message_type == libc::RTM_NEWROUTE {
                ways.extend(
                    default_route_interfaces(&reply.payload)
                        .into_iter()
                        .flatten(),
                );
            }
        }
        let links = self
            .links()
            .map_err(|_| RouteError::List(crate::NetlinkError::Unsteady))?;
        Ok(with_upper_devices(link, &links)
            .into_iter()
            .find(|upper| ways.contains(&upper.index))
            .cloned())
    }
}

/// Returns the interfaces of a route, if it is a default route.
fn default_route_interfaces(payload: &[u8]) -> Option<Vec<u32>> {
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
            RTA_MULTIPATH => ways.extend(next_hop_interfaces(value)),
            _ => {}
        }
    }
    Some(ways)
}

/// Returns the interfaces of a route with several next hops.
fn next_hop_interfaces(mut bytes: &[u8]) -> Vec<u32> {
    let mut ways = Vec::new();
    while let Some(hop) = bytes.first_chunk::<HOP_BYTES>() {
        ways.extend(u32_of(&hop[HOP_INDEX_AT..]));
        let length = usize::from(u16::from_ne_bytes([hop[0], hop[1]]));
        // Entries are aligned to four bytes (RTNH_ALIGN). A length below its own header would loop
        // forever.
        let next = length.max(HOP_BYTES).next_multiple_of(4);
        bytes = bytes.get(next..).unwrap_or_default();
    }
    ways
}

/// Returns the interface itself and all its upper devices.
fn with_upper_devices<'a>(link: &Link, links: &'a [Link]) -> Vec<&'a Link> {
    let mut found: Vec<&Link> = links.iter().filter(|l| l.index == link.index).collect();
    let mut next = 0;
    while let Some(lower) = found.get(next).copied() {
        next += 1;
        // The peer of a veth is the other end of a cable, not an upper device.
        let is_upper = |upper: &&Link| {
            let is_above = upper.peer_index == Some(lower.index)
                && upper.peer_namespace_id.is_none()
                && upper.kind.as_deref() != Some("veth");
            is_above || lower.master == Some(upper.index)
        };
        for upper in links.iter().filter(is_upper) {
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
    fn upper_devices_of_an_interface_are_found() {
        let links = [
            link(1, "dummy", None, Some(3)),
            link(2, "veth", Some(9), None),
            link(3, "bond", None, None),
            link(4, "vlan", Some(3), Some(5)),
            link(5, "bridge", None, None),
            link(9, "veth", Some(2), None),
        ];
        let above = |n: usize| -> Vec<u32> {
            let found = with_upper_devices(&links[n], &links);
            found.iter().map(|link| link.index).collect()
        };
        assert_eq!(above(0), [1, 3, 4, 5]);
        assert_eq!(above(1), [2]);
        assert_eq!(above(4), [5]);
    }

    #[test]
    fn all_next_hops_are_decoded() {
        let hop = |length: u16, index: u32| {
            let mut hop = length.to_ne_bytes().to_vec();
            hop.extend([0, 0]);
            hop.extend(index.to_ne_bytes());
            hop.resize(usize::from(length).max(8), 0);
            hop
        };
        assert_eq!(
            next_hop_interfaces(&[hop(16, 7), hop(8, 8)].concat()),
            [7, 8]
        );
        // Malformed input gives some result, and the loop ends.
        assert_eq!(next_hop_interfaces(&hop(0, 7)), [7]);
        assert!(next_hop_interfaces(&[1, 2, 3]).is_empty());
    }
}
