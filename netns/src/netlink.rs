//! Requests to the kernel over rtnetlink (rtnetlink(7), RFC 3549), and its answers.
//!
//! Requests are built with typed messages. Answers are taken apart attribute by attribute, only
//! those that are wanted: one odd attribute of one odd device must not make a whole list fail.

use std::fmt::Display;
use std::io;
use std::iter;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::{
    NLA_HEADER_SIZE, NLA_TYPE_MASK, NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP,
    NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NLMSG_OVERRUN,
    NetlinkBuffer, NetlinkMessage,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;
use thiserror::Error;

use crate::namespace::{Namespace, NamespaceError};
use crate::rights::{errno_of, remedy};
use crate::sys;

/// How often a dump is begun anew because what it lists changed meanwhile.
const MAX_DUMPS: usize = 64;
/// The kernel fills a reader's buffer of up to 32 KiB with each part of a dump.
const BUFFER_BYTES: usize = 1 << 16;
/// Attribute of an extended acknowledgement that holds the text (linux/netlink.h).
const NLMSGERR_ATTR_MSG: u16 = 1;

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

/// One message of an answer, without its netlink header.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) message_type: u16,
    pub(crate) payload: Vec<u8>,
}

impl Netlink {
    /// Opens a socket in the calling thread's namespace.
    pub fn open() -> Result<Self, NetlinkError> {
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(|e| NetlinkError::socket(&e))?;
        let prepare = |socket: &mut Socket| {
            socket.bind_auto()?;
            socket.connect(&SocketAddr::new(0, 0))?;
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

    /// The namespace in which the socket was opened.
    pub fn namespace(&self) -> Result<Namespace, NamespaceError> {
        let fd = sys::namespace_of(self.as_fd())
            .map_err(|error| NamespaceError::io("find the namespace of a socket", &error))?;
        Namespace::from_fd(fd)
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
                Err(NetlinkError::Unsteady) => {}
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

/// What has come of an answer so far.
#[derive(Default)]
struct Answer {
    replies: Vec<Reply>,
    complete: bool,
    /// The list changed while it was read.
    interrupted: bool,
    refusal: Option<NetlinkError>,
}

impl Answer {
    /// Takes in a datagram: some messages, one after the other.
    fn take(&mut self, datagram: &[u8], sequence: u32) -> Result<(), NetlinkError> {
        for message in Messages(datagram) {
            let message = message?;
            // An answer to an earlier request, given up before it was complete.
            if message.sequence_number() != sequence {
                continue;
            }
            self.interrupted |= message.flags() & NLM_F_DUMP_INTR != 0;
            match message.message_type() {
                NLMSG_NOOP => {}
                NLMSG_OVERRUN => return Err(NetlinkError::malformed(&"data was lost")),
                NLMSG_ERROR | NLMSG_DONE => {
                    self.complete = true;
                    self.refusal = refusal(&message);
                }
                message_type => {
                    let payload = message.payload().to_vec();
                    self.replies.push(Reply {
                        message_type,
                        payload,
                    });
                }
            }
        }
        Ok(())
    }

    fn outcome(self) -> Result<Vec<Reply>, NetlinkError> {
        match self.refusal {
            Some(refusal) => Err(refusal),
            None if self.interrupted => Err(NetlinkError::Unsteady),
            None => Ok(self.replies),
        }
    }
}

/// The messages of a datagram, each checked to be whole.
pub(crate) struct Messages<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Result<NetlinkBuffer<&'a [u8]>, NetlinkError>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.0;
        if bytes.is_empty() {
            return None;
        }
        match NetlinkBuffer::new_checked(bytes) {
            Ok(message) => {
                // Messages begin at multiples of four (netlink(7)).
                let length = (message.length() as usize).next_multiple_of(4);
                self.0 = bytes.get(length..).unwrap_or_default();
                Some(Ok(message))
            }
            Err(error) => {
                self.0 = &[];
                Some(Err(NetlinkError::malformed(&error)))
            }
        }
    }
}

/// The error in an acknowledgement or at a dump's end; `None` if it says that all went well.
fn refusal(message: &NetlinkBuffer<&[u8]>) -> Option<NetlinkError> {
    let payload = message.payload();
    let code = payload
        .first_chunk()
        .map_or(0, |bytes| i32::from_ne_bytes(*bytes));
    if code == 0 {
        return None;
    }
    let errno = Errno::from_raw(code.wrapping_neg());
    let message = extended_ack(message).unwrap_or_default();
    Some(NetlinkError::Refused { errno, message })
}

/// The kernel's own words in an acknowledgement (`NLMSGERR_ATTR_MSG`).
fn extended_ack(message: &NetlinkBuffer<&[u8]>) -> Option<String> {
    if message.flags() & NLM_F_ACK_TLVS == 0 {
        return None;
    }
    let payload = message.payload();
    let attributes = if message.message_type() == NLMSG_DONE {
        payload.get(4..)?
    } else {
        // After the code comes the request's header, and all of the request unless capped.
        let length: [u8; 4] = payload.get(4..8)?.try_into().ok()?;
        let capped = message.flags() & NLM_F_CAPPED != 0;
        let request = if capped {
            16
        } else {
            u32::from_ne_bytes(length) as usize
        };
        payload.get(4 + request.next_multiple_of(4)..)?
    };
    attributes_of(attributes)
        .find(|(kind, _)| *kind == NLMSGERR_ATTR_MSG)
        .map(|(_, value)| text_of(value))
}

/// The attributes in `bytes`, up to the first that is not whole (struct `nlattr`).
pub(crate) fn attributes_of(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    iter::from_fn(move || {
        let [l0, l1, k0, k1] = *bytes.first_chunk()?;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let kind = u16::from_ne_bytes([k0, k1]) & NLA_TYPE_MASK;
        let value = bytes.get(NLA_HEADER_SIZE..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// A text attribute, which ends at its first zero.
pub(crate) fn text_of(value: &[u8]) -> String {
    let end = value
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

/// A number attribute; `None` if it is too short.
pub(crate) fn u32_of(value: &[u8]) -> Option<u32> {
    value.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}
