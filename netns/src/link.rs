//! Network interfaces: listing and deleting them.

use netlink_packet_core::DefaultNla;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage};
use nix::errno::Errno;
use thiserror::Error;

use crate::answer::{Reply, attributes_of, text_of, u32_of};
use crate::name::{NameError, shown};
use crate::netlink::{Netlink, NetlinkError};

/// Six octets of an Ethernet address, in the order of the wire.
pub type MacBytes = [u8; 6];

/// Reports why an operation on an interface failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The name is not valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There is no interface of this name.
    #[error("there is no interface {name} in this network namespace")]
    NotFound {
        /// The name, fit to be printed.
        name: String,
    },
    /// An interface of this name exists already.
    #[error("an interface {name} exists already{}; delete it or choose another name", .place)]
    Exists {
        /// The name.
        name: String,
        /// The namespace: empty, or " in the network namespace …".
        place: String,
    },
    /// The device does not support this MTU.
    #[error(
        "the interface {name} cannot have an MTU of {mtu_bytes} bytes; choose one from {min_bytes} to {max_bytes}"
    )]
    Mtu {
        /// The interface.
        name: String,
        /// The requested MTU.
        mtu_bytes: u32,
        /// The smallest MTU that the device supports.
        min_bytes: u32,
        /// The greatest MTU that the device supports.
        max_bytes: u32,
    },
    /// An interface cannot have this MAC address.
    #[error(
        "the interface {name} cannot have the MAC address {}; choose one that is neither multicast \
         nor all zeroes", mac_text(*.mac)
    )]
    Mac {
        /// The interface.
        name: String,
        /// What was asked for.
        mac: MacBytes,
    },
    /// The kernel has no driver for such devices.
    #[error(
        "cannot create the {kind} device {name}: this kernel has none; load it (`modprobe {kind}`) or use a kernel that has it"
    )]
    NoDriver {
        /// The kind of device.
        kind: String,
        /// The interface.
        name: String,
    },
    /// The interface cannot be deleted: it is hardware, or belongs to its namespace.
    #[error("the interface {name} cannot be deleted: only virtual interfaces can")]
    Permanent {
        /// The interface.
        name: String,
    },
    /// The kernel does not rename an interface that is in use.
    #[error("the interface {name} cannot be renamed while it is up; set it down first")]
    Busy {
        /// The interface.
        name: String,
    },
    /// The kernel refused.
    #[error("cannot {action} the interface {name}: {source}")]
    Refused {
        /// The operation, as a verb.
        action: &'static str,
        /// The interface.
        name: String,
        /// The error from the kernel.
        source: NetlinkError,
    },
    /// The list of interfaces cannot be read.
    #[error("cannot list the interfaces: {0}")]
    List(#[source] NetlinkError),
}

impl LinkError {
    pub(crate) fn refused(action: &'static str, name: &str, source: NetlinkError) -> Self {
        match source.errno() {
            // The interface was removed after it had been looked up.
            Some(Errno::ENODEV) => Self::NotFound { name: shown(name) },
            _ => Self::Refused {
                action,
                name: name.to_owned(),
                source,
            },
        }
    }
}

fn mac_text(mac: MacBytes) -> String {
    let [a, b, c, d, e, f] = mac;
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

/// Refuses a MAC address that no station can have (IEEE 802-2014 8.2).
pub(crate) fn check_mac(name: &str, mac: MacBytes) -> Result<(), LinkError> {
    if mac[0] & 1 == 1 || mac == [0; 6] {
        return Err(LinkError::Mac {
            name: name.to_owned(),
            mac,
        });
    }
    Ok(())
}

/// The operational state of an interface (RFC 2863, `ifOperStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OperState {
    /// The driver does not report a state; treat it as up if there is a carrier.
    #[default]
    Unknown,
    /// A component is missing.
    NotPresent,
    /// Down.
    Down,
    /// The lower device is down, such as the other end of a veth pair.
    LowerLayerDown,
    /// In a test mode.
    Testing,
    /// Waiting for an external event, such as authentication.
    Dormant,
    /// Up.
    Up,
}

impl From<u8> for OperState {
    fn from(value: u8) -> Self {
        match value {
            1 => Self::NotPresent,
            2 => Self::Down,
            3 => Self::LowerLayerDown,
            4 => Self::Testing,
            5 => Self::Dormant,
            6 => Self::Up,
            _ => Self::Unknown,
        }
    }
}

/// A network interface, as it was when the kernel was queried.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
#[allow(
    clippy::struct_excessive_bools,
    reason = "flags of the kernel's, each by itself"
)]
pub struct Link {
    /// The index in its namespace. The kernel may reuse it after the interface is removed.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// The kind of virtual device: `veth`, `bridge`, `tun`; `None` for `lo` and hardware.
    pub kind: Option<String>,
    /// The MTU: the greatest payload of a frame, in bytes.
    pub mtu_bytes: u32,
    /// The smallest MTU that the device supports; 0 where the kernel does not report it.
    pub min_mtu_bytes: u32,
    /// The greatest MTU that the device supports; 0 where the kernel does not report it or has no
    /// limit.
    pub max_mtu_bytes: u32,
    /// The MAC address, if the link-layer address has six octets.
    pub mac: Option<MacBytes>,
    /// The hardware type (`ARPHRD_*`): 1 for Ethernet.
    pub hardware_type: u16,
    /// Whether the interface is administratively up (`IFF_UP`).
    pub up: bool,
    /// Whether it has a carrier (`IFF_LOWER_UP`).
    pub lower_up: bool,
    /// Whether the interface resolves neighbours (`IFF_NOARP` is not set).
    pub arp: bool,
    /// Whether it is a loopback interface.
    pub loopback: bool,
    /// Whether it forwards IPv6 packets and so acts as a router for its neighbours.
    pub ipv6_forwarding: bool,
    /// The operational state.
    pub state: OperState,
    /// The index of the other end of a veth pair, or of the lower device.
    pub peer_index: Option<u32>,
    /// The number, in this namespace, of the namespace of that other device; `None` if it is this
    /// one.
    pub peer_namespace_id: Option<i32>,
    /// The index of the bridge or bond of which it is a member.
    pub master: Option<u32>,
    /// The interface group (`IFLA_GROUP`); 0 by default.
    pub group: u32,
    /// The alias that an administrator has set.
    pub alias: Option<String>,
}

// Numbers of linux/if_link.h and linux/if.h.
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_GROUP: u16 = 27;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_TARGET_NETNSID: u16 = 46;
const IFLA_MIN_MTU: u16 = 50;
const IFLA_MAX_MTU: u16 = 51;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INET6_CONF: u16 = 2;
/// Length of `ifinfomsg`; the attributes follow it.
const HEADER_BYTES: usize = 16;

impl Link {
    /// Parses a link message: `ifinfomsg` and the attributes that this library uses.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let header: &[u8; HEADER_BYTES] = payload.first_chunk()?;
        let flags = u32_of(&header[8..])?.cast_signed();
        let has = |flag: i32| flags & flag != 0;
        let mut link = Self {
            hardware_type: u16::from_ne_bytes([header[2], header[3]]),
            index: u32_of(&header[4..])?,
            up: has(libc::IFF_UP),
            lower_up: has(libc::IFF_LOWER_UP),
            arp: !has(libc::IFF_NOARP),
            loopback: has(libc::IFF_LOOPBACK),
            ..Self::default()
        };
        for (kind, value) in attributes_of(&payload[HEADER_BYTES..]) {
            link.take_attribute(kind, value);
        }
        Some(link)
    }

    fn take_attribute(&mut self, kind: u16, value: &[u8]) {
        match kind {
            IFLA_IFNAME => self.name = text_of(value),
            IFLA_MTU => self.mtu_bytes = u32_of(value).unwrap_or_default(),
            IFLA_MIN_MTU => self.min_mtu_bytes = u32_of(value).unwrap_or_default(),
            IFLA_MAX_MTU => self.max_mtu_bytes = u32_of(value).unwrap_or_default(),
            IFLA_ADDRESS => self.mac = value.try_into().ok(),
            IFLA_LINK => self.peer_index = u32_of(value),
            IFLA_LINK_NETNSID => self.peer_namespace_id = u32_of(value).map(u32::cast_signed),
            IFLA_MASTER => self.master = u32_of(value),
            IFLA_GROUP => self.group = u32_of(value).unwrap_or_default(),
            IFLA_IFALIAS => self.alias = Some(text_of(value)),
            IFLA_OPERSTATE => {
                self.state = value.first().copied().unwrap_or_default().into();
            }
            IFLA_AF_SPEC => self.ipv6_forwarding = forwards_ipv6(value).unwrap_or_default(),
            IFLA_LINKINFO => {
                self.kind = attributes_of(value)
                    .find(|(kind, _)| *kind == IFLA_INFO_KIND)
                    .map(|(_, value)| text_of(value));
            }
            _ => {}
        }
    }

    /// Reports whether it is an Ethernet device, which can be a port of a switch.
    #[must_use]
    pub fn is_ethernet(&self) -> bool {
        self.hardware_type == libc::ARPHRD_ETHER && !self.loopback
    }
}

/// Reads the first IPv6 setting that comes with a link (`DEVCONF_FORWARDING` of linux/ipv6.h).
fn forwards_ipv6(families: &[u8]) -> Option<bool> {
    let value = |attributes, wanted: u16| {
        attributes_of(attributes).find_map(|(kind, value)| (kind == wanted).then_some(value))
    };
    let inet6 = value(families, u16::try_from(libc::AF_INET6).ok()?)?;
    let settings = value(inet6, IFLA_INET6_CONF)?;
    Some(u32_of(settings.first_chunk::<4>()?)? != 0)
}

impl Netlink {
    /// Lists all interfaces of the socket's namespace, by index.
    pub fn links(&mut self) -> Result<Vec<Link>, LinkError> {
        let request = RouteNetlinkMessage::GetLink(query());
        let replies = self.dump(&request).map_err(LinkError::List)?;
        let mut links: Vec<_> = replies.iter().filter_map(Reply::link).collect();
        links.sort_unstable_by_key(|link| link.index);
        Ok(links)
    }

    /// Looks up an interface by name; a missing one is an error.
    pub fn link(&mut self, name: &str) -> Result<Link, LinkError> {
        self.find_link(name)?
            .ok_or_else(|| LinkError::NotFound { name: shown(name) })
    }

    /// Looks up an interface by name; `None` if it is missing.
    pub fn find_link(&mut self, name: &str) -> Result<Option<Link>, LinkError> {
        // The kernel would refuse a longer name with ERANGE and an empty one with EINVAL.
        if name.is_empty() || name.len() > crate::name::MAX_INTERFACE_NAME_BYTES {
            return Ok(None);
        }
        let mut message = query();
        message
            .attributes
            .push(LinkAttribute::IfName(name.to_owned()));
        self.find(message, name)
    }

    /// Looks up an interface by index; `None` if it is missing.
    pub fn link_by_index(&mut self, index: u32) -> Result<Option<Link>, LinkError> {
        let mut message = query();
        message.header.index = index;
        self.find(message, &index.to_string())
    }

    /// Looks up the other end of a veth pair in its current namespace. The kernel answers for that
    /// namespace if the socket has `CAP_NET_ADMIN` over it. Returns `None` if the other end is
    /// gone.
    pub fn peer_of(&mut self, link: &Link) -> Result<Option<Link>, LinkError> {
        let Some(index) = link.peer_index.filter(|index| *index > 0) else {
            return Ok(None);
        };
        let mut message = query();
        message.header.index = index;
        if let Some(namespace) = link.peer_namespace_id {
            let value = namespace.to_ne_bytes().to_vec();
            let target = DefaultNla::new(IFLA_TARGET_NETNSID, value);
            message.attributes.push(LinkAttribute::Other(target));
        }
        self.find(message, &link.name)
    }

    fn find(&mut self, message: LinkMessage, name: &str) -> Result<Option<Link>, LinkError> {
        match self.get(RouteNetlinkMessage::GetLink(message)) {
            Ok(replies) => Ok(replies.iter().find_map(Reply::link)),
            Err(error) if error.errno() == Some(Errno::ENODEV) => Ok(None),
            Err(error) => Err(LinkError::refused("look up", name, error)),
        }
    }

    /// Deletes a virtual interface; for a veth pair, both ends.
    pub fn delete_link(&mut self, link: &Link) -> Result<(), LinkError> {
        let mut message = LinkMessage::default();
        message.header.index = link.index;
        self.change(RouteNetlinkMessage::DelLink(message), 0)
            .map_err(|error| match error.errno() {
                Some(Errno::EOPNOTSUPP) => LinkError::Permanent {
                    name: link.name.clone(),
                },
                _ => LinkError::refused("delete", &link.name, error),
            })
    }
}

/// Builds a query without the statistics, which would be most of the reply.
fn query() -> LinkMessage {
    let mut message = LinkMessage::default();
    message
        .attributes
        .push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    message
}

impl Reply {
    fn link(&self) -> Option<Link> {
        (self.message_type == libc::RTM_NEWLINK)
            .then(|| Link::parse(&self.payload))
            .flatten()
    }
}
