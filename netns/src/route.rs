//! Routes of the main routing table.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use nix::errno::Errno;
use thiserror::Error;

use crate::address::{family, ip_of};
use crate::answer::{attributes_of, u32_of};
use crate::link::Link;
use crate::netlink::{Netlink, NetlinkError};

/// Reports why an operation on a route failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RouteError {
    /// The route exists already.
    #[error("there is a route {route} already; delete it first, or give another metric")]
    Exists {
        /// The route.
        route: Box<Route>,
    },
    /// The route does not exist.
    #[error("there is no route {route}")]
    NotFound {
        /// The route.
        route: Box<Route>,
    },
    /// The route's gateway is not reachable.
    #[error(
        "the route {route} leads nowhere: its gateway is on no network of this namespace, or the \
         interface is down"
    )]
    Unreachable {
        /// The route.
        route: Box<Route>,
    },
    /// Destination and gateway are of different address families.
    #[error("the route {route} mixes IPv4 and IPv6")]
    Mixed {
        /// The route.
        route: Box<Route>,
    },
    /// The kernel refused.
    #[error("cannot {action} the route {route}: {source}")]
    Refused {
        /// The operation, as a verb.
        action: &'static str,
        /// The route.
        route: Box<Route>,
        /// The error from the kernel.
        source: NetlinkError,
    },
    /// The list of routes cannot be read.
    #[error("cannot list the routes: {0}")]
    List(#[source] NetlinkError),
}

/// A route of the main table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// The destination network.
    pub destination: IpNet,
    /// The router; `None` if the destination is on the link itself.
    pub gateway: Option<IpAddr>,
    /// The index of the interface; for a route with a gateway the kernel determines it.
    pub link_index: Option<u32>,
    /// The metric; the lowest wins. `None` selects the kernel's default, 0 for IPv4 and 1024 for
    /// IPv6.
    pub metric: Option<u32>,
    /// The source address of packets that this namespace sends without one. The kernel sets it for
    /// the networks of IPv4 addresses.
    pub source: Option<IpAddr>,
}

/// A route as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouteEntry {
    /// The route.
    pub route: Route,
    /// What added the route.
    pub origin: RouteOrigin,
    /// Whether its interface has no carrier, so that packets cannot be sent over it now.
    pub link_down: bool,
}

/// What added a route (`RTPROT_*`, linux/rtnetlink.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteOrigin {
    /// An ICMP redirect.
    Redirect,
    /// The kernel, together with an address.
    Kernel,
    /// An administrator, with `ip route add`.
    Boot,
    /// An administrator, with this library.
    Static,
    /// An IPv6 router's advertisement.
    RouterAdvertisement,
    /// A program of this protocol number, such as a routing daemon or a DHCP client.
    Other(u8),
}

impl From<u8> for RouteOrigin {
    fn from(number: u8) -> Self {
        match number {
            libc::RTPROT_REDIRECT => Self::Redirect,
            libc::RTPROT_KERNEL => Self::Kernel,
            libc::RTPROT_BOOT => Self::Boot,
            libc::RTPROT_STATIC => Self::Static,
            RTPROT_RA => Self::RouterAdvertisement,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for RouteOrigin {
    /// Prints the keyword that ip-route(8) uses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redirect => f.write_str("redirect"),
            Self::Kernel => f.write_str("kernel"),
            Self::Boot => f.write_str("boot"),
            Self::Static => f.write_str("static"),
            Self::RouterAdvertisement => f.write_str("ra"),
            Self::Other(number) => write!(f, "{number}"),
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "to {}", self.destination)?;
        match (self.gateway, self.link_index) {
            (Some(gateway), _) => write!(f, " via {gateway}"),
            (None, Some(index)) => write!(f, " by interface {index}"),
            (None, None) => Ok(()),
        }
    }
}

// Numbers of linux/rtnetlink.h.
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_TABLE: u16 = 15;
const RTPROT_RA: u8 = 9;
/// Offset of the origin in `rtmsg`.
const ORIGIN_AT: usize = 5;
/// Offset of the flags in `rtmsg`.
const FLAGS_AT: usize = 8;
const RTNH_F_LINKDOWN: u32 = 16;
/// Offset of the route type in `rtmsg`.
const TYPE_AT: usize = 7;
/// Length of `rtmsg`; the attributes follow it.
const HEADER_BYTES: usize = 12;

impl Route {
    /// Describes a route to a network without a gateway or interface, which is enough to delete
    /// one.
    #[must_use]
    pub fn to(destination: IpNet) -> Self {
        Self {
            destination,
            gateway: None,
            link_index: None,
            metric: None,
            source: None,
        }
    }

    /// Describes a route to a network through a router.
    #[must_use]
    pub fn via(destination: IpNet, gateway: IpAddr) -> Self {
        Self {
            gateway: Some(gateway),
            ..Self::to(destination)
        }
    }

    /// Describes the default route of the router's address family.
    #[must_use]
    pub fn default_via(gateway: IpAddr) -> Self {
        Self::via(default_destination(gateway), gateway)
    }

    /// Describes a route to a network that is on a link itself.
    #[must_use]
    pub fn on_link(destination: IpNet, link: &Link) -> Self {
        Self::to(destination).through(link)
    }

    /// Adds the interface, which a link-local gateway needs.
    #[must_use]
    pub fn through(self, link: &Link) -> Self {
        Self {
            link_index: Some(link.index),
            ..self
        }
    }

    /// Adds a metric.
    #[must_use]
    pub fn metric(self, metric: u32) -> Self {
        Self {
            metric: Some(metric),
            ..self
        }
    }

    /// Adds a source address for the namespace's own packets.
    #[must_use]
    pub fn source(self, source: IpAddr) -> Self {
        Self {
            source: Some(source),
            ..self
        }
    }

    /// Parses a route message; `None` if it is not a plain route of the main table.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let header: &[u8; HEADER_BYTES] = payload.first_chunk()?;
        let mut table = u32::from(header[4]);
        let mut destination = match i32::from(header[0]) {
            libc::AF_INET => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            libc::AF_INET6 => IpAddr::from(Ipv6Addr::UNSPECIFIED),
            _ => return None,
        };
        let (mut gateway, mut link_index, mut metric, mut source) = (None, None, None, None);
        for (kind, value) in attributes_of(&payload[HEADER_BYTES..]) {
            match kind {
                RTA_DST => destination = ip_of(value)?,
                RTA_GATEWAY => gateway = ip_of(value),
                RTA_OIF => link_index = u32_of(value),
                RTA_PRIORITY => metric = u32_of(value),
                RTA_PREFSRC => source = ip_of(value),
                RTA_TABLE => table = u32_of(value)?,
                _ => {}
            }
        }
        let plain =
            table == u32::from(RouteHeader::RT_TABLE_MAIN) && header[TYPE_AT] == libc::RTN_UNICAST;
        let destination = IpNet::new(destination, header[1]).ok()?;
        plain.then_some(Self {
            destination,
            gateway,
            link_index,
            metric,
            source,
        })
    }

    fn message(&self) -> RouteMessage {
        let mut message = RouteMessage::default();
        let header = &mut message.header;
        header.address_family = family(self.destination.addr());
        header.destination_prefix_length = self.destination.prefix_len();
        header.table = RouteHeader::RT_TABLE_MAIN;
        let network = RouteAddress::from(self.destination.network());
        message
            .attributes
            .push(RouteAttribute::Destination(network));
        let gateway = self
            .gateway
            .map(|gateway| RouteAttribute::Gateway(gateway.into()));
        message.attributes.extend(gateway);
        message
            .attributes
            .extend(self.link_index.map(RouteAttribute::Oif));
        message
            .attributes
            .extend(self.metric.map(RouteAttribute::Priority));
        let source = self
            .source
            .map(|source| RouteAttribute::PrefSource(source.into()));
        message.attributes.extend(source);
        message
    }

    fn check(&self) -> Result<(), RouteError> {
        let is_v4 = self.destination.addr().is_ipv4();
        let fits = |address: &IpAddr| address.is_ipv4() == is_v4;
        if self.gateway.iter().chain(&self.source).all(fits) {
            return Ok(());
        }
        Err(RouteError::Mixed {
            route: Box::new(self.clone()),
        })
    }
}

impl RouteEntry {
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        Some(Self {
            route: Route::parse(payload)?,
            origin: (*payload.get(ORIGIN_AT)?).into(),
            link_down: u32_of(payload.get(FLAGS_AT..)?)? & RTNH_F_LINKDOWN != 0,
        })
    }
}

/// Returns `0.0.0.0/0` or `::/0`, depending on the address family.
fn default_destination(address: IpAddr) -> IpNet {
    match address {
        IpAddr::V4(_) => IpNet::V4(ipnet::Ipv4Net::default()),
        IpAddr::V6(_) => IpNet::V6(ipnet::Ipv6Net::default()),
    }
}

impl Netlink {
    /// Lists the routes of the main table, of both address families.
    pub fn routes(&mut self) -> Result<Vec<Route>, RouteError> {
        let entries = self.route_entries()?.into_iter();
        Ok(entries.map(|entry| entry.route).collect())
    }

    /// Lists the routes of the main table, of both address families, with their origins.
    pub fn route_entries(&mut self) -> Result<Vec<RouteEntry>, RouteError> {
        let request = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        let replies = self.dump(&request).map_err(RouteError::List)?;
        let routes = replies
            .iter()
            .filter(|reply| reply.message_type == libc::RTM_NEWROUTE)
            .filter_map(|reply| RouteEntry::parse(&reply.payload));
        Ok(routes.collect())
    }

    /// Reports whether packets to this address are delivered to the namespace itself.
    ///
    /// An IPv6 address is not local at once after it was added: a worker of the kernel adds its
    /// route some milliseconds later, even without duplicate address detection
    /// (`addrconf_dad_start` in net/ipv6/addrconf.c).
    pub fn leads_here(&mut self, destination: IpAddr) -> Result<bool, NetlinkError> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(destination);
        message.header.destination_prefix_length = IpNet::from(destination).prefix_len();
        message
            .attributes
            .push(RouteAttribute::Destination(destination.into()));
        match self.get(RouteNetlinkMessage::GetRoute(message)) {
            Ok(replies) => Ok(replies.iter().any(|reply| {
                reply.message_type == libc::RTM_NEWROUTE
                    && reply.payload.get(TYPE_AT) == Some(&libc::RTN_LOCAL)
            })),
            Err(error) => match error.errno() {
                Some(Errno::ENETUNREACH | Errno::EHOSTUNREACH) => Ok(false),
                _ => Err(error),
            },
        }
    }

    /// Adds a route.
    pub fn add_route(&mut self, route: &Route) -> Result<(), RouteError> {
        self.make_route("add", route, NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Adds a route, replacing one to the same destination with the same metric.
    pub fn replace_route(&mut self, route: &Route) -> Result<(), RouteError> {
        self.make_route("replace", route, NLM_F_CREATE | NLM_F_REPLACE)
    }

    fn make_route(
        &mut self,
        action: &'static str,
        route: &Route,
        flags: u16,
    ) -> Result<(), RouteError> {
        route.check()?;
        let mut message = route.message();
        message.header.protocol = RouteProtocol::Static;
        message.header.kind = RouteType::Unicast;
        message.header.scope = match route.gateway {
            Some(_) => RouteScope::Universe,
            None => RouteScope::Link,
        };
        self.change(RouteNetlinkMessage::NewRoute(message), flags)
            .map_err(|source| failed(action, route, source))
    }

    /// Deletes a route.
    pub fn delete_route(&mut self, route: &Route) -> Result<(), RouteError> {
        route.check()?;
        let mut message = route.message();
        message.header.scope = RouteScope::NoWhere;
        self.change(RouteNetlinkMessage::DelRoute(message), 0)
            .map_err(|source| failed("delete", route, source))
    }
}

fn failed(action: &'static str, route: &Route, source: NetlinkError) -> RouteError {
    let route = Box::new(route.clone());
    match source.errno() {
        Some(Errno::EEXIST) => RouteError::Exists { route },
        Some(Errno::ESRCH) => RouteError::NotFound { route },
        Some(Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::ENETDOWN) => {
            RouteError::Unreachable { route }
        }
        _ => RouteError::Refused {
            action,
            route,
            source,
        },
    }
}
