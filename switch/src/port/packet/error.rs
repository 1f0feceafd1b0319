//! Errors of opening a packet port.

use std::io;

/// Reports why [`PacketPort::open`](super::PacketPort::open) failed. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// The name is not a valid interface name.
    #[error(
        "'{interface}' is not an interface name: use 1 to 15 bytes without '/', ':' or white space"
    )]
    InvalidName {
        /// The name as given.
        interface: String,
    },
    /// There is no interface of this name in the thread's network namespace.
    #[error(
        "there is no interface '{interface}' in this network namespace: create it first, or check its name"
    )]
    NoSuchInterface {
        /// The interface.
        interface: String,
    },
    /// The interface is the loopback device.
    #[error(
        "interface '{interface}' is the loopback device, which has no other end: use a veth pair or a network card"
    )]
    Loopback {
        /// The interface.
        interface: String,
    },
    /// The interface carries no Ethernet frames.
    #[error(
        "interface '{interface}' is not Ethernet (hardware type {hardware_type}): only Ethernet interfaces can be ports"
    )]
    NotEthernet {
        /// The interface.
        interface: String,
        /// The `ARPHRD_*` number.
        hardware_type: u16,
    },
    /// The interface is a port already.
    #[error(
        "interface '{interface}' is already a port of {}: remove it there first", owner(*pid)
    )]
    InUse {
        /// The interface.
        interface: String,
        /// The process that uses the port, if it could be determined.
        pid: Option<i32>,
    },
    /// The process may not open packet sockets.
    #[error(
        "opening interface '{interface}' needs the capability CAP_NET_RAW: run as root, or inside a user namespace that owns the network namespace"
    )]
    NoPermission {
        /// The interface.
        interface: String,
    },
    /// The kernel was built without packet sockets.
    #[error(
        "cannot open interface '{interface}': this kernel has no packet sockets (CONFIG_PACKET): load the module af_packet or use another kernel"
    )]
    NoPacketSockets {
        /// The interface.
        interface: String,
    },
    /// The kernel lacks an option without which frames would be damaged or duplicated.
    #[error(
        "cannot open interface '{interface}': this kernel does not know {option}: use Linux 4.20 or later"
    )]
    KernelTooOld {
        /// The interface.
        interface: String,
        /// The socket option that is missing.
        option: &'static str,
    },
    /// Any other failure of a system call.
    #[error("cannot open interface '{interface}': {operation} failed: {source}")]
    Io {
        /// The interface.
        interface: String,
        /// The operation.
        operation: &'static str,
        /// The error from the kernel.
        source: io::Error,
    },
}

fn owner(pid: Option<i32>) -> String {
    match pid {
        Some(pid) if u32::try_from(pid) == Ok(std::process::id()) => "this process".to_owned(),
        Some(pid) => format!("another switch (pid {pid})"),
        None => "another switch".to_owned(),
    }
}
