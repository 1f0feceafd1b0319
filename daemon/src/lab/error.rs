//! What goes wrong with attaching and plugging.

use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_netns::{
    AddressError, LinkError, MonitorError, NameError, NamespaceError, NetlinkError, OffloadError,
    QuietError, RouteError,
};
use vswitch_switch::control::ControlError;
use vswitch_switch::frame::MacAddr;
use vswitch_switch::port::PacketError;

use super::error_data::data_of;
use super::kinds::{DeviceError, Reason};
use vswitch_control::advice;
use vswitch_control::protocol::{ErrorCode, ErrorObject};
use vswitch_control::rights::MissingRights;

/// Why the lab was not changed as asked. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A name breaks the rules.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A parameter is wrong by itself.
    #[error("{0}")]
    Value(String),
    /// The daemon may not.
    #[error(transparent)]
    Rights(#[from] MissingRights),
    /// The namespace is connected to this switch.
    #[error(
        "the namespace '{namespace}' is already attached to this switch (port '{port}'): detach it first"
    )]
    AttachedHere {
        /// The namespace.
        namespace: String,
        /// Its port.
        port: String,
    },
    /// There is none whose name is a number.
    #[error(
        "there is no network namespace '{0}': 'vswitch attach NAME --pid {0}' attaches that of the process {0}, and 'vswitch netns add {0}' makes an empty one of that name"
    )]
    Number(String),
    /// The namespace was passed, and there is another one of its name.
    #[error(
        "the name '{0}' is that of another network namespace ('vswitch netns list'): attach this one under another name"
    )]
    NameOfAnother(String),
    /// The namespace is one that this switch has no rights over.
    #[error(
        "the namespace to attach as '{0}' belongs to another user namespace, over which this switch has no rights: a switch that runs as root can attach it; one without root attaches what was started inside its lab ('vswitch exec'), and no container without root, which has a user namespace of its own"
    )]
    Foreign(String),
    /// Another namespace has the address.
    #[error(
        "the address {address} is that of the namespace '{namespace}' on this switch already: choose another one"
    )]
    AddressTaken {
        /// The address.
        address: IpAddr,
        /// Who has it.
        namespace: String,
    },
    /// A host on another port has the MAC address.
    #[error(
        "the MAC address {mac} is that of {whose} on the port '{port}' of this switch already: choose another one"
    )]
    MacTaken {
        /// The address.
        mac: MacAddr,
        /// Whose it is.
        whose: String,
        /// Its port.
        port: String,
    },
    /// IPv6 is switched off in the namespace.
    #[error(
        "the namespace '{namespace}' cannot have the address {address}, since IPv6 is switched off there: switch it on ('vswitch exec {namespace} -- sysctl -w {setting}=0'), then try again"
    )]
    Ipv6Off {
        /// The first such address.
        address: IpNet,
        /// The namespace.
        namespace: String,
        /// What switches it off.
        setting: String,
    },
    /// The namespace seems to be connected to another switch.
    #[error(
        "the namespace '{namespace}' is already attached to the switch '{switch}' (interface '{interface}' exists): detach it there first, or name this port with --port"
    )]
    AttachedElsewhere {
        /// The namespace.
        namespace: String,
        /// What the interface's alias says.
        switch: String,
        /// The interface on the switch's side.
        interface: String,
    },
    /// The name of a namespace leads to another one than the attached one.
    #[error(
        "the other end of the port '{port}' is not in the namespace that is called '{namespace}' by now: 'vswitch attach {namespace}' replaces the port by one of that namespace"
    )]
    LeadsElsewhere {
        /// The name.
        namespace: String,
        /// The port.
        port: String,
    },
    /// There is no such connection.
    #[error(
        "the namespace '{namespace}' is not attached to the switch '{switch}': 'vswitch show {switch}' lists those that are"
    )]
    NotAttached {
        /// The namespace.
        namespace: String,
        /// This switch.
        switch: String,
    },
    /// No address is left.
    #[error("no address is free in {subnet}: detach a namespace, or give an address with --ip")]
    SubnetFull {
        /// The subnet.
        subnet: String,
    },
    /// The request names a kind of port that there is not.
    #[error("there is no kind of port '{0}': see port.add in docs/control-protocol.md")]
    NoSuchKind(String),
    /// The interface is a port here.
    #[error("the interface '{0}' is already a port of this switch")]
    PortHere(String),
    /// The interface was made by a switch, as the end of a veth pair or as a TAP device.
    #[error(
        "the interface '{interface}' was made by the switch '{switch}' for a port of its own: it cannot be another port"
    )]
    CableEnd {
        /// The interface.
        interface: String,
        /// What its alias says.
        switch: String,
    },
    /// Another switch has just made the interface.
    #[error("another switch is making the interface '{0}' for a namespace of its own")]
    BeingMade(String),
    /// The name leads to the namespace of a process, by a link.
    #[error(
        "the name '{name}' is a symbolic link to {target}, which this switch may not open: a client opens it and passes its descriptor along, as 'vswitch attach' does when it runs as root"
    )]
    Symlink {
        /// The name.
        name: String,
        /// What it leads to.
        target: String,
    },
    /// The interface is used by a bridge or a bond.
    #[error(
        "the interface '{0}' is a member of a bridge or bond: take it out first ('ip link set {0} nomaster')"
    )]
    Enslaved(String),
    /// The interface cannot be a port.
    #[error(
        "the interface '{0}' is the loopback, or not Ethernet: only Ethernet interfaces can be ports"
    )]
    NotEthernet(String),
    /// There is no such port.
    #[error(
        "the switch '{switch}' has no port '{port}': 'vswitch port list --switch {switch}' lists those it has"
    )]
    NoPort {
        /// This switch.
        switch: String,
        /// The name that was given.
        port: String,
    },
    /// The port belongs to an attached namespace.
    #[error(
        "the port '{port}' connects the namespace '{namespace}': use 'vswitch detach {namespace}'"
    )]
    IsCable {
        /// The port.
        port: String,
        /// The namespace.
        namespace: String,
    },
    /// A namespace could not be made or entered.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// An interface could not be made or changed.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// An address could not be given.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The host's stack could not be kept out.
    #[error(transparent)]
    Quiet(#[from] QuietError),
    /// The links cannot be watched.
    #[error(transparent)]
    Monitor(#[from] MonitorError),
    /// The kernel cannot be spoken with.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// There is no socket for the offloads of a namespace.
    #[error(transparent)]
    Offload(#[from] OffloadError),
    /// The interface could not be opened as a port.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// The device of a port could not be opened.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// As a port it would take the machine off the network.
    #[error(
        "the machine's default route leads through '{through}' and would be lost with '{interface}' as a port: plug in another interface, or this one all the same with 'vswitch port add {interface} --force'"
    )]
    Uplink {
        /// The interface.
        interface: String,
        /// The same, or what stands on it.
        through: String,
    },
    /// The routes cannot be read.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// There is no timer for what is to be done later.
    #[error("cannot create a timer: {0}")]
    Timer(#[source] std::io::Error),
    /// The switch said no.
    #[error(transparent)]
    Control(#[from] ControlError),
}

impl LabError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Name(_) | Self::Value(_) | Self::NoSuchKind(_) => ErrorCode::InvalidParams,
            Self::Rights(_)
            | Self::Foreign(_)
            | Self::Symlink { .. }
            | Self::Packet(PacketError::NoPermission { .. })
            | Self::Device(DeviceError {
                reason: Reason::Permission,
                ..
            }) => ErrorCode::Permission,
            Self::AttachedHere { .. }
            | Self::NameOfAnother(_)
            | Self::LeadsElsewhere { .. }
            | Self::BeingMade(_)
            | Self::AddressTaken { .. }
            | Self::MacTaken { .. }
            | Self::Ipv6Off { .. }
            | Self::AttachedElsewhere { .. }
            | Self::SubnetFull { .. }
            | Self::PortHere(_)
            | Self::Uplink { .. }
            | Self::CableEnd { .. }
            | Self::Enslaved(_)
            | Self::NotEthernet(_)
            | Self::IsCable { .. }
            | Self::Namespace(NamespaceError::Exists { .. } | NamespaceError::Stale { .. })
            | Self::Link(LinkError::Exists { .. })
            | Self::Packet(
                PacketError::InUse { .. }
                | PacketError::Loopback { .. }
                | PacketError::NotEthernet { .. },
            )
            | Self::Device(DeviceError {
                reason: Reason::InUse | Reason::Unfit,
                ..
            })
            | Self::Control(ControlError::Static(_)) => ErrorCode::Conflict,
            Self::NotAttached { .. }
            | Self::Number(_)
            | Self::NoPort { .. }
            | Self::Namespace(NamespaceError::NotFound { .. })
            | Self::Link(LinkError::NotFound { .. })
            | Self::Packet(PacketError::NoSuchInterface { .. })
            | Self::Control(ControlError::NoSuchPort(_)) => ErrorCode::NotFound,
            Self::Control(ControlError::Stopped) => ErrorCode::Internal,
            Self::Namespace(_)
            | Self::Link(_)
            | Self::Address(_)
            | Self::Netlink(_)
            | Self::Offload(_)
            | Self::Quiet(_)
            | Self::Monitor(_)
            | Self::Packet(_)
            | Self::Device(_)
            | Self::Route(_)
            | Self::Timer(_)
            | Self::Control(_) => ErrorCode::System,
        }
    }
}

impl From<LabError> for ErrorObject {
    fn from(error: LabError) -> Self {
        let sentence = match &error {
            LabError::Namespace(error) => advice::sentence(error),
            LabError::Link(error) => advice::sentence(error),
            LabError::Quiet(error) => advice::sentence(error),
            error => error.to_string(),
        };
        let (kind, about) = data_of(&error);
        let kind = kind.unwrap_or(error.code().kind());
        Self::about(error.code(), kind, about, sentence)
    }
}
