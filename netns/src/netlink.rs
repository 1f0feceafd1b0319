//! Requests to the kernel over rtnetlink (rtnetlink(7), RFC 3549), and its answers.
//!
//! Requests are built with typed messages. Answers are taken apart attribute by attribute, only
//! those that are wanted: one odd attribute of one odd device must not make a whole list fail.

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

/// How often a dump is begun anew because what it lists changed meanwhile.
const MAX_DUMPS: usize = 64;
/// The kernel fills a reader's buffer of up to 32 KiB with each part of a dump.
const BUFFER_BYTES: usize = 1 << 16;

/// Why a request has failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetlinkError {
    /// The kernel refused, perhaps with a text of its own.
    #[error("{errno}{}{}", said(.message), remedy(*.errno, "CAP_NET_ADMIN"))]
    Refused {
        /// The error number.
        errno: Errno,
        /// The kernel's explanation; empty if it gave none.
        message: String,
    },
    /// The socket failed.
    #[error("the netlink socket: {errno}{}", remedy(*.errno, "CAP_NET_ADMIN"))]
    Socket {
        /// The error number.
        errno: Errno,
    },
    /// The answer makes no sense.
    #[error("the kernel's answer cannot be understood: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// What was to be listed kept changing.
    #[error("the list kept changing while it was read; try again")]
    Unsteady,
    /// The namespace in which the socket was to be opened cannot be entered.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
}

impl NetlinkError {
    /// The error number with which the kernel refused the request, if it did.
    #[must_use]
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Refused { errno, .. } | Self::Socket { errno } => Some(*errno),
            _ => None,
        }
    }

    /// Whether a list may well be had by asking for it once more: it changed while it was read, or
    /// the kernel broke off (EINTR ends a dump on some kernels, with no flag set).
    fn is_passing(&self) -> bool {
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

fn said(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

/// A request socket. It stays in the namespace in which it was opened, whoever uses it.
///
/// The operations are methods of this type, defined where their subjects are: links in
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
            // Keeps others from filling its queue. A process that may not connect any more does
            // without: what does not come from the kernel is passed over.
            let _ = socket.connect(&SocketAddr::new(0, 0));
            // Errors then come without a copy of the request, and with a text.
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

    /// Opens a socket in a namespace, without leaving the caller's for longer than that takes.
    pub fn open_in(namespace: &Namespace) -> Result<Self, NetlinkError> {
        let _inside = namespace.enter()?;
        Self::open()
    }

    /// Takes over a socket that somebody else has opened with [`Netlink::open_in`], as a helper that
    /// may enter namespaces. It stays in the namespace where it was opened, and acts there with
    /// the rights that both have.
    ///
    /// # Errors
    /// [`NetlinkError::Socket`] where it is no such socket.
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

    /// The socket alone, to be handed to somebody else.
    #[must_use]
    pub fn into_descriptor(self) -> OwnedFd {
        sys::descriptor_of(self.socket)
    }

    /// The namespace in which the socket was opened.
    pub fn namespace(&self) -> Result<Namespace, NamespaceError> {
        let fd = sys::namespace_of(self.as_fd())
            .map_err(|error| NamespaceError::io("find the namespace of a socket", &error))?;
        Namespace::from_fd(fd)
    }

    /// The number of the namespace in which the socket was opened. Unlike an inode number it is
    /// never given to another one. None where the kernel does not tell (before Linux 5.14).
    #[must_use]
    pub fn namespace_cookie(&self) -> Option<u64> {
        sys::cookie_of(self.as_fd()).ok()
    }

    /// Sends a request that changes something, and waits for its acknowledgement.
    pub(crate) fn change(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(), NetlinkError> {
        self.exchange(message, NLM_F_ACK | flags).map(drop)
    }

    /// Sends a request for one thing, and gives the answer.
    pub(crate) fn get(&mut self, message: RouteNetlinkMessage) -> Result<Vec<Reply>, NetlinkError> {
        self.exchange(message, NLM_F_ACK)
    }

    /// Sends a request for a list, and gives the whole of it, as it was at one time.
    pub(crate) fn dump(
        &mut self,
        message: &RouteNetlinkMessage,
    ) -> Result<Vec<Reply>, NetlinkError> {
        for _ in 0..MAX_DUMPS {
            match self.exchange(message.clone(), NLM_F_DUMP) {
                Err(error) if error.is_passing() => {}
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

    /// Reads the next datagram of the kernel into the buffer.
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
            // Only the kernel has port 0; anybody may send to this socket.
            if sender.port_number() == 0 {
                return Ok(());
            }
        }
    }
}

/// Repeats a call that a signal interrupted.
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
    fn a_list_that_broke_off_is_asked_for_again() {
        let refused = |errno| NetlinkError::Refused {
            errno,
            message: String::new(),
        };
        assert!(NetlinkError::Unsteady.is_passing());
        assert!(refused(Errno::EINTR).is_passing());
        assert!(!refused(Errno::EPERM).is_passing());
    }
}
