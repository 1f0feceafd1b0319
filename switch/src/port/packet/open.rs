//! Opens a packet socket so that it never receives frames of another interface, or frames without
//! an offload header.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use super::claim::{Claim, Refused};
use super::error::PacketError;
use super::prepare::{self, Failure, Sockets};
use super::sys::{self, Protocol};
use crate::port::sys::{self as interface, RequestName};

/// An open socket with the properties of its interface.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) sockets: Sockets,
    pub(super) claim: Claim,
    pub(super) ifindex: u32,
    pub(super) mtu: usize,
}

/// Opens `interface` of the thread's network namespace, in which the sockets must be as well.
pub(super) fn open(
    interface: &str,
    sockets: Result<Sockets, Failure>,
) -> Result<Opened, PacketError> {
    let context = Context { interface };
    let name = RequestName::new(interface).ok_or_else(|| PacketError::InvalidName {
        interface: interface.to_owned(),
    })?;
    let sockets = sockets.map_err(|failure| context.failure(failure))?;
    let Sockets { socket, sender, .. } = &sockets;
    let ifindex = interface::index_of(socket.as_fd(), name)
        .map_err(|error| context.look_up("looking it up", error))?;
    context.check_kind(socket.as_fd(), name)?;
    let claim = Claim::new(ifindex).map_err(|refused| context.claim(refused))?;

    sys::join_promiscuous(socket.as_fd(), ifindex)
        .map_err(|error| context.look_up("PACKET_ADD_MEMBERSHIP", error))?;
    for (socket, protocol) in [(sender, Protocol::None), (socket, Protocol::All)] {
        sys::bind(socket, ifindex, protocol).map_err(|error| context.look_up("bind", error))?;
    }

    // Meanwhile the name may belong to another interface, or the index to another device.
    let still = interface::index_of(socket.as_fd(), name)
        .map_err(|error| context.look_up("looking it up", error))?;
    for socket in [socket, sender] {
        let bound = sys::bound_to(socket).map_err(|error| context.look_up("getsockname", error))?;
        if still != ifindex || bound != Some(ifindex) {
            return Err(context.no_such_interface());
        }
    }
    let mtu = interface::mtu(socket.as_fd(), name)
        .map_err(|error| context.look_up("asking for its MTU", error))?;
    Ok(Opened {
        sockets,
        claim,
        ifindex,
        mtu,
    })
}

/// The interface that errors name.
#[derive(Clone, Copy)]
struct Context<'a> {
    interface: &'a str,
}

impl Context<'_> {
    fn check_kind(self, socket: BorrowedFd<'_>, name: RequestName) -> Result<(), PacketError> {
        let interface = self.interface.to_owned();
        match interface::hardware_type(socket, name) {
            Ok(libc::ARPHRD_ETHER) => Ok(()),
            Ok(libc::ARPHRD_LOOPBACK) => Err(PacketError::Loopback { interface }),
            Ok(hardware_type) => Err(PacketError::NotEthernet {
                interface,
                hardware_type,
            }),
            Err(error) => Err(self.look_up("asking for its type", error)),
        }
    }

    /// Maps an error that occurred before an interface was involved.
    fn failure(self, Failure { operation, error }: Failure) -> PacketError {
        match error.raw_os_error() {
            Some(libc::ENOPROTOOPT) => PacketError::KernelTooOld {
                interface: self.interface.to_owned(),
                option: operation,
            },
            _ if operation == prepare::SOCKET => self.socket(error),
            _ => self.io(operation, error),
        }
    }

    fn socket(self, error: io::Error) -> PacketError {
        let interface = self.interface.to_owned();
        match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => PacketError::NoPermission { interface },
            Some(libc::EAFNOSUPPORT) => PacketError::NoPacketSockets { interface },
            _ => self.io("opening a packet socket", error),
        }
    }

    fn claim(self, refused: Refused) -> PacketError {
        match refused {
            Refused::Taken(pid) => PacketError::InUse {
                interface: self.interface.to_owned(),
                pid,
            },
            Refused::Io(error) => self.io("claiming it", error),
        }
    }

    fn look_up(self, operation: &'static str, error: io::Error) -> PacketError {
        match error.raw_os_error() {
            Some(libc::ENODEV | libc::ENXIO) => self.no_such_interface(),
            _ => self.io(operation, error),
        }
    }

    fn no_such_interface(self) -> PacketError {
        PacketError::NoSuchInterface {
            interface: self.interface.to_owned(),
        }
    }

    fn io(self, operation: &'static str, source: io::Error) -> PacketError {
        PacketError::Io {
            interface: self.interface.to_owned(),
            operation,
            source,
        }
    }
}
