//! IPv4 and IPv6 addresses of interfaces.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::errno::Errno;
use thiserror::Error;

use crate::answer::{attributes_of, u32_of};
use crate::link::Link;
use crate::netlink::{Netlink, NetlinkError};

/// Reports why an operation on an address failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AddressError {
    /// The interface has it already.
    #[error("the interface {interface} has the address {} already", .address.addr())]
    Exists {
        /// The interface.
        interface: String,
        /// The address.
        address: IpNet,
    },
    /// The interface does not have the address.
    #[error("the interface {interface} does not have the address {address}")]
    NotFound {
        /// The interface.
        interface: String,
        /// The address.
        address: IpNet,
    },
    /// The address cannot be assigned to an interface.
    #[error("{address} cannot be the address of an interface: {reason}")]
    Unusable {
        /// The address.
        address: IpNet,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// IPv6 is disabled on the interface.
    #[error(
        "the IPv6 address {address} cannot be added to {interface}: IPv6 is disabled there; enable \
         it (`sysctl net.ipv6.conf.{interface}.disable_ipv6=0`), or boot without ipv6.disable=1"
    )]
    Ipv6Off {
        /// The interface.
        interface: String,
        /// The address.
        address: IpNet,
    },
    /// The kernel refused.
    #[error("cannot {action} the address {address} of the interface {interface}: {source}")]
    Refused {
        /// The operation, as a verb.
        action: &'static str,
        /// The interface.
        interface: String,
        /// The address.
        address: IpNet,
        /// The error from the kernel.
        source: NetlinkError,
    },
    /// The list of addresses cannot be read.
    #[error("cannot list the addresses: {0}")]
    List(#[source] NetlinkError),
}

/// Selects whether the kernel probes for another user of an IPv6 address before it uses the address
/// (duplicate address detection, RFC 4862 5.4). IPv4 in Linux has no such step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DuplicateDetection {
    /// Use the address at once. Suits networks whose addresses all come from one source, as in a
    /// lab.
    #[default]
    Skip,
    /// Probe first: the address is tentative, and cannot be used, for one or two seconds.
    Perform,
}

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Address {
    /// The address and its prefix length.
    pub net: IpNet,
    /// The index of the interface.
    pub link_index: u32,
    /// Not usable yet: duplicate address detection is in progress.
    pub tentative: bool,
    /// Not usable: another station has the address.
    pub duplicate: bool,
    /// Added by an administrator without a lifetime, not by a router advertisement or by the
    /// kernel.
    pub permanent: bool,
    /// The scope in which the address is valid.
    pub scope: AddressScope,
}

/// The scope of an address (`RT_SCOPE_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AddressScope {
    /// Valid everywhere.
    #[default]
    Global,
    /// Valid within a site (deprecated for IPv6).
    Site,
    /// Valid on its link only, such as `fe80::/10`.
    Link,
    /// Valid in its namespace only, such as `127.0.0.1`.
    Host,
    /// Another scope number.
    Other(u8),
}

impl From<u8> for AddressScope {
    fn from(number: u8) -> Self {
        match number {
            libc::RT_SCOPE_UNIVERSE => Self::Global,
            libc::RT_SCOPE_SITE => Self::Site,
            libc::RT_SCOPE_LINK => Self::Link,
            libc::RT_SCOPE_HOST => Self::Host,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for AddressScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.write_str("global"),
            Self::Site => f.write_str("site"),
            Self::Link => f.write_str("link"),
            Self::Host => f.write_str("host"),
            Self::Other(number) => write!(f, "{number}"),
        }
    }
}

// Numbers of linux/if_addr.h.
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
/// Offset of the scope in `ifaddrmsg`.
const SCOPE_AT: usize = 3;
/// Length of `ifaddrmsg`; the attributes follow it.
const HEADER_BYTES: usize = 8;

impl Address {
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let header: &[u8; HEADER_BYTES] = payload.first_chunk()?;
        let mut flags = u32::from(header[2]);
        let (mut address, mut local) = (None, None);
        for (kind, value) in attributes_of(&payload[HEADER_BYTES..]) {
            match kind {
                IFA_ADDRESS => address = ip_of(value),
                // On a point-to-point link IFA_ADDRESS is the peer's address and IFA_LOCAL is the
                // local one.
                IFA_LOCAL => local = ip_of(value),
                IFA_FLAGS => flags = u32_of(value)?,
                _ => {}
            }
        }
        let has = |flag: u32| flags & flag != 0;
        Some(Self {
            net: IpNet::new(local.or(address)?, header[1]).ok()?,
            link_index: u32_of(&header[4..])?,
            tentative: has(libc::IFA_F_TENTATIVE),
            duplicate: has(libc::IFA_F_DADFAILED),
            permanent: has(libc::IFA_F_PERMANENT),
            scope: header[SCOPE_AT].into(),
        })
    }
}

pub(crate) fn ip_of(value: &[u8]) -> Option<IpAddr> {
    match *value {
        [a, b, c, d] => Some(IpAddr::from([a, b, c, d])),
        _ => <[u8; 16]>::try_from(value).ok().map(IpAddr::from),
    }
}

impl Netlink {
    /// Lists the addresses of an interface, or of all interfaces.
    pub fn addresses(&mut self, link: Option<&Link>) -> Result<Vec<Address>, AddressError> {
        let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let replies = self.dump(&request).map_err(AddressError::List)?;
        let addresses = replies
            .iter()
            .filter(|reply| reply.message_type == libc::RTM_NEWADDR)
            .filter_map(|reply| Address::parse(&reply.payload))
            .filter(|address| link.is_none_or(|link| link.index == address.link_index));
        Ok(addresses.collect())
    }

    /// Adds an address to an interface; the kernel also adds the route to its prefix.
    pub fn add_address(
        &mut self,
        link: &Link,
        address: IpNet,
        detection: DuplicateDetection,
    ) -> Result<(), AddressError> {
        check(address)?;
        let mut message = message(link, address);
        if address.addr().is_ipv6() && detection == DuplicateDetection::Skip {
            message
                .attributes
                .push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
        // Prefixes of 31 bits have no broadcast address (RFC 3021).
        if let IpNet::V4(v4) = address
            && v4.prefix_len() < 31
        {
            message
                .attributes
                .push(AddressAttribute::Broadcast(v4.broadcast()));
        }
        let interface = link.name.clone();
        self.change(
            RouteNetlinkMessage::NewAddress(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .map_err(|source| match source.errno() {
            Some(Errno::EEXIST) => AddressError::Exists { interface, address },
            Some(Errno::EACCES | Errno::EOPNOTSUPP) if address.addr().is_ipv6() => {
                AddressError::Ipv6Off { interface, address }
            }
            _ => AddressError::Refused {
                action: "add",
                interface,
                address,
                source,
            },
        })
    }

    /// Removes an address from an interface.
    pub fn delete_address(&mut self, link: &Link, address: IpNet) -> Result<(), AddressError> {
        let interface = link.name.clone();
        self.change(RouteNetlinkMessage::DelAddress(message(link, address)), 0)
            .map_err(|source| match source.errno() {
                Some(Errno::EADDRNOTAVAIL) => AddressError::NotFound { interface, address },
                _ => AddressError::Refused {
                    action: "delete",
                    interface,
                    address,
                    source,
                },
            })
    }
}

/// Refuses addresses that the kernel accepts but no packet could ever reach.
fn check(address: IpNet) -> Result<(), AddressError> {
    let ip = address.addr();
    let unusable = |reason| Err(AddressError::Unusable { address, reason });
    if ip.is_unspecified() {
        return unusable("it is the unspecified address");
    }
    if ip.is_multicast() {
        return unusable("it is a multicast address");
    }
    if address.prefix_len() == 0 {
        return unusable("its prefix covers every address; give a length of 1 or more");
    }
    if let IpNet::V4(v4) = address {
        if v4.addr().is_broadcast() {
            return unusable("it is the broadcast address");
        }
        if v4.prefix_len() < 31 && v4.addr() == v4.network() {
            return unusable(
                "it is the address of the network itself; choose a host address in it",
            );
        }
        if v4.prefix_len() < 31 && v4.addr() == v4.broadcast() {
            return unusable("it is the broadcast address of its network");
        }
    }
    Ok(())
}

fn message(link: &Link, address: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(address.addr());
    message.header.prefix_len = address.prefix_len();
    message.header.index = link.index;
    message
        .attributes
        .push(AddressAttribute::Local(address.addr()));
    message
        .attributes
        .push(AddressAttribute::Address(address.addr()));
    message
}

pub(crate) fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}
