//! Sends requests to the kernel over rtnetlink (rtnetlink(7), RFC 3549) and receives the replies.
//!
//! Requests are built with typed messages. Of the replies only the needed attributes are parsed,
//! one by one, so that an unknown attribute of one device does not make a whole list fail.

use std::fmt::Display;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;
use thiserror::Error;

use crate::answer::{Answer, Reply};
use crate::namespace::{Namespace, NamespaceError};
use crate::rights::{errno_of, remedy};
use crate::sys;

/// How often a dump is restarted because the list changed while the kernel dumped it.
const MAX_DUMPS: usize = 64;
/// The kernel fills a reader's buffer of up to 32 KiB with each part of a dump.
const BUFFER_BYTES: usize = 1 << 16;

/// Reports why a request failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetlinkError {
    /// The kernel refused the request, perhaps with an explanation.
    #[error("{errno}{}{}", explanation(.message), remedy(*.errno, "CAP_NET_ADMIN"))]
    Refused {
        /// The error number.
        errno: Errno,
        /// The kernel's explanation; empty if it gave none.
        message: String,
    },
    /// The socket failed.
    #[error("the netlink socket failed: {errno}{}", remedy(*.errno, "CAP_NET_ADMIN"))]
    Socket {
        /// The error number.
        errno: Errno,
    },
    /// The reply cannot be parsed.
    #[error("the kernel's reply cannot be parsed: {reason}")]
    Malformed {
        /// The reason.
        reason: String,
    },
    /// The list changed during every attempt to read it.
    #[error("the list kept changing while it was read; try again")]
    Unsteady,
    /// The namespace of the socket cannot be entered.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
}

impl NetlinkError {
    /// Returns the error number with which the kernel refused the request, if it did.
    #[must_use]
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Refused { errno, .. } | Self::Socket { errno } => Some(*errno),
            _ => None,
        }
    }

    /// Reports whether reading the list again may succeed: it changed while it was read, or the
    /// kernel ended the dump early (on some kernels with EINTR and no flag set).
    fn is_transient(&self) -> bool {
        matches!(self, Self::Unsteady) || matches!(self.errno(), Some(Errno::EINTR | Errno::EAGAIN))
    }

    pub(crate) fn malformed(reason: &dyn Display) -> Self {
        Self::Malformed {
            reason: reason.to_string(),
        }
    }

    pub(crate) fn socket(error: &io::Error) -> Self {
        Self::Socket {
            errno: errno_of(error),
        }
    }
}

fn explanation(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

/// A socket for requests. It acts in the namespace in which it was opened, whichever thread uses
/// it.
///
/// The operations are methods of this type, each defined in the module of its subject: links in
/// [`crate::link`], veth pairs in [`crate::veth`], addresses in [`crate::address`], and so on.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Netlink {
    /// Opens a socket in the calling thread's namespace.
    pub fn open() -> Result<Self, NetlinkError> {
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(|e| NetlinkError::socket(&e))?;
        let prepare = |socket: &mut Socket| {
            socket.bind_auto()?;
            // Keeps other processes from filling its queue. A sandboxed process may not be allowed
            // to connect; it relies on the check that ignores datagrams which are not from the
            // kernel.
            let _ = socket.connect(&SocketAddr::new(0, 0));
            // Error replies then come without a copy of the request, and with a text.
            socket.set_cap_ack(true)?;
            socket.set_ext_ack(true)
        };
        prepare(&mut socket).map_err(|error| NetlinkError::socket(&error))?;
        Ok(Self {
            socket,
            sequence: 0,
            buffer: Vec::with_capacity(BUFFER_BYTES),
        })
    }

    /// Opens a socket in a namespace; the calling thread is inside that namespace only meanwhile.
    pub fn open_in(namespace: &Namespace) -> Result<Self, NetlinkError> {
        let _inside = namespace.enter()?;
        Self::open()
    }

    /// Takes over a socket that another process opened with [`Netlink::open_in`], such as a helper
    /// that may enter namespaces. It acts in the namespace where it was opened, with the rights
    /// that both processes have.
    ///
    /// # Errors
    /// [`NetlinkError::Socket`] if the descriptor is not an rtnetlink socket.
    pub fn from_descriptor(fd: OwnedFd) -> Result<Self, NetlinkError> {
        let is_fitting = sys::is_route_netlink(fd.as_fd()).map_err(|e| NetlinkError::socket(&e))?;
        if !is_fitting {
            return Err(NetlinkError::Socket {
                errno: Errno::EPROTONOSUPPORT,
            });
        }
        Ok(Self {
            socket: sys::netlink_socket(fd),
            sequence: 0,
            buffer: Vec::with_capacity(BUFFER_BYTES),
        })
    }

    /// Returns the socket, to hand it to another process.
    #[must_use]
    pub fn into_descriptor(self) -> OwnedFd {
        sys::descriptor_of(self.socket)
    }

    /// Returns the namespace in which the socket was opened.
    pub fn namespace(&self) -> Result<Namespace, NamespaceError> {
        let fd = sys::namespace_of(self.as_fd())
            .map_err(|error| NamespaceError::io("find the namespace of a socket", &error))?;
        Namespace::from_fd(fd)
    }

    /// Returns the cookie of the namespace in which the socket was opened. Unlike an inode number,
    /// it is never reused. `None` if the kernel does not report it (before Linux 5.14).
    #[must_use]
    pub fn namespace_cookie(&self) -> Option<u64> {
        sys::cookie_of(self.as_fd()).ok()
    }

    /// Sends a request that changes something, and waits for the acknowledgement.
    pub(crate) fn change(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(), NetlinkError> {
        self.exchange(message, NLM_F_ACK | flags).map(drop)
    }

    /// Sends a request for one object, and returns the reply.
    pub(crate) fn get(&mut self, message: RouteNetlinkMessage) -> Result<Vec<Reply>, NetlinkError> {
        self.exchange(message, NLM_F_ACK)
    }

    /// Sends a request for a list, and returns a consistent list.
    pub(crate) fn dump(
        &mut self,
        message: &RouteNetlinkMessage,
    ) -> Result<Vec<Reply>, NetlinkError> {
        for _ in 0..MAX_DUMPS {
            match self.exchange(message.clone(), NLM_F_DUMP) {
                Err(error) if error.is_transient() => {}
                other => return other,
            }
        }
        Err(NetlinkError::Unsteady)
    }

    fn exchange(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Vec<Reply>, NetlinkError> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut message = NetlinkMessage::from(message);
        message.header.flags = NLM_F_REQUEST | flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        retried(|| self.socket.send(&bytes, 0))?;

        let mut answer = Answer::default();
        while !answer.complete {
            self.receive()?;
            answer.take(&self.buffer, self.sequence)?;
        }
        answer.outcome()
    }

    /// Reads the next datagram from the kernel into the buffer.
    fn receive(&mut self) -> Result<(), NetlinkError> {
        loop {
            self.buffer.clear();
            let (length, sender) =
                retried(|| self.socket.recv_from(&mut self.buffer, libc::MSG_TRUNC))?;
            if length > self.buffer.len() {
                return Err(NetlinkError::malformed(&format!(
                    "a message of {length} bytes"
                )));
            }
            // Only the kernel has port 0; any process may send to this socket.
            if sender.port_number() == 0 {
                return Ok(());
            }
        }
    }
}

/// Repeats a system call that a signal interrupted.
pub(crate) fn retried<T>(mut call: impl FnMut() -> io::Result<T>) -> Result<T, NetlinkError> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map_err(|error| NetlinkError::socket(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_that_ended_early_is_requested_again() {
        let refused = |errno| NetlinkError::Refused {
            errno,
            message: String::new(),
        };
        assert!(NetlinkError::Unsteady.is_transient());
        assert!(refused(Errno::EINTR).is_transient());
        assert!(!refused(Errno::EPERM).is_transient());
    }
}
