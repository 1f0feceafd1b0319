//! One switch per interface.
//!
//! Every packet socket on an interface gets a copy of each frame, so that two switches on one
//! port would duplicate all traffic. Who opens a port therefore holds an abstract Unix socket
//! named after the interface's index: such names belong to the network namespace, as the index
//! does, are taken atomically, and vanish with the process however it ends.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use nix::sys::socket::{getsockopt, sockopt};
use socket2::{Domain, SockAddr, Socket, Type};

/// The claim on an interface; given up when dropped.
#[derive(Debug)]
pub(super) struct Claim {
    listener: UnixListener,
}

/// Why an interface could not be claimed.
#[derive(Debug)]
pub(super) enum Refused {
    /// Somebody else has it: this process, if that can be told.
    Taken(Option<i32>),
    /// The kernel did not let us ask.
    Io(io::Error),
}

impl Claim {
    /// Claims the interface with this index in the thread's network namespace.
    pub(super) fn new(ifindex: u32) -> Result<Self, Refused> {
        let name = format!("vswitch/port/{ifindex}");
        let bound = SocketAddr::from_abstract_name(&name)
            .and_then(|address| UnixListener::bind_addr(&address));
        match bound {
            Ok(listener) => Ok(Self { listener }),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                Err(Refused::Taken(holder_of(&name).ok().flatten()))
            }
            Err(error) => Err(Refused::Io(error)),
        }
    }
}

impl AsFd for Claim {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl From<OwnedFd> for Claim {
    /// The claim that another process has, and gives up by ending.
    fn from(descriptor: OwnedFd) -> Self {
        let socket = Socket::from(descriptor);
        // From now on the kernel names this process to those who ask.
        if let Err(error) = socket.listen(1) {
            log::debug!("others are told of the process before as the holder of a port: {error}");
        }
        Self {
            listener: OwnedFd::from(socket).into(),
        }
    }
}

/// The process that listens on the abstract name. It never accepts; the kernel answers for it
/// (`SO_PEERCRED`, unix(7)).
fn holder_of(name: &str) -> io::Result<Option<i32>> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    socket.connect(&SockAddr::unix(format!("\0{name}"))?)?;
    let pid = getsockopt(&socket, sockopt::PeerCredentials)?.pid();
    // Zero: a process that cannot be seen from this process namespace.
    Ok((pid > 0).then_some(pid))
}
