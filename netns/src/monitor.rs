//! News of links: a socket that says what came, changed and went.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;
use thiserror::Error;

use crate::answer::{Messages, u32_of};
use crate::link::{Link, LinkError};
use crate::namespace::{Namespace, NamespaceError};
use crate::netlink::{Netlink, NetlinkError, retried};

/// Room for the events of some thousand links.
const RECEIVE_BUFFER_BYTES: libc::c_int = 4 << 20;
/// The greatest event there is fits several times.
const EVENT_BYTES: usize = 1 << 16;
/// Where `ifinfomsg` and `ifaddrmsg` have the index of the interface.
const INDEX_AT: usize = 4;
/// How many queued datagrams are thrown away at most after an overrun; more cannot be queued.
const MAX_DISCARDED: usize = 1 << 20;

/// Something that happened to a link.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkEvent {
    /// It is new, or something of it has changed; this is how it is now.
    Changed(Link),
    /// It was deleted, or moved to another namespace.
    Removed {
        /// Its index, which another may take over.
        index: u32,
        /// Its name.
        name: String,
    },
    /// The IP addresses of an interface, or whether it has IPv6, may have changed. Only told by
    /// [`LinkMonitor::open_with_addresses`].
    Addresses {
        /// The index of the interface.
        index: u32,
    },
    /// There was more news than the socket could hold, and some is lost: read the whole list with
    /// [`LinkMonitor::links`]. Older news has been thrown away: what comes after this event is not
    /// older than it.
    Resynchronise,
}

/// Why the news cannot be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MonitorError {
    /// The socket failed.
    #[error("cannot watch the interfaces: {0}")]
    Netlink(#[from] NetlinkError),
    /// The namespace in which to watch cannot be entered.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// The list of interfaces cannot be read.
    #[error(transparent)]
    Links(#[from] LinkError),
}

/// A socket, never blocking, on which the kernel tells about the links of one namespace.
///
/// Give its descriptor to a poller; when it is readable, call [`LinkMonitor::next_event`] until
/// there is none.
#[derive(Debug)]
pub struct LinkMonitor {
    socket: Socket,
    requests: Netlink,
    buffer: Vec<u8>,
    waiting: VecDeque<LinkEvent>,
}

impl AsFd for LinkMonitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for LinkMonitor {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl LinkMonitor {
    /// Begins to watch the calling thread's namespace.
    pub fn open() -> Result<Self, MonitorError> {
        Self::open_for(&[libc::RTNLGRP_LINK])
    }

    /// The same, and also what the IP stack has to do with the links: their addresses.
    pub fn open_with_addresses() -> Result<Self, MonitorError> {
        Self::open_for(&[
            libc::RTNLGRP_LINK,
            libc::RTNLGRP_IPV4_IFADDR,
            libc::RTNLGRP_IPV6_IFADDR,
            libc::RTNLGRP_IPV6_IFINFO,
        ])
    }

    fn open_for(groups: &[u32]) -> Result<Self, MonitorError> {
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(|e| NetlinkError::socket(&e))?;
        let prepare = |socket: &mut Socket| {
            socket.bind(&SocketAddr::new(0, 0))?;
            socket.set_non_blocking(true)?;
            socket.set_rx_buf_sz(RECEIVE_BUFFER_BYTES)?;
            groups
                .iter()
                .try_for_each(|group| socket.add_membership(*group))
        };
        prepare(&mut socket).map_err(|error| NetlinkError::socket(&error))?;
        Ok(Self {
            socket,
            requests: Netlink::open()?,
            buffer: Vec::with_capacity(EVENT_BYTES),
            waiting: VecDeque::new(),
        })
    }

    /// Begins to watch a namespace.
    pub fn open_in(namespace: &Namespace) -> Result<Self, MonitorError> {
        let _inside = namespace.enter()?;
        Self::open()
    }

    /// The next event, or none if nothing more has happened.
    pub fn next_event(&mut self) -> Result<Option<LinkEvent>, MonitorError> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Ok(Some(event));
            }
            match self.receive() {
                Ok(true) => self.take()?,
                Ok(false) => return Ok(None),
                Err(error) if overrun(&error) => {
                    self.discard()?;
                    return Ok(Some(LinkEvent::Resynchronise));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// All links as they are now.
    ///
    /// News that is still waiting may be older than this list. It does no harm: a link that has
    /// gone meanwhile is reported as removed by later news.
    pub fn links(&mut self) -> Result<Vec<Link>, MonitorError> {
        Ok(self.requests.links()?)
    }

    /// Reads a datagram of the kernel into the buffer; false if there is none.
    fn receive(&mut self) -> Result<bool, NetlinkError> {
        loop {
            self.buffer.clear();
            let receive = || match self.socket.recv_from(&mut self.buffer, 0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                other => other.map(|(_, sender)| Some(sender)),
            };
            match retried(receive)? {
                None => return Ok(false),
                Some(sender) if sender.port_number() == 0 => return Ok(true),
                // Anybody may send to this socket; only the kernel is listened to.
                Some(_) => {}
            }
        }
    }

    fn take(&mut self) -> Result<(), NetlinkError> {
        for message in Messages(&self.buffer) {
            let message = message?;
            self.waiting
                .extend(event_of(message.message_type(), message.payload()));
        }
        Ok(())
    }

    /// Throws away what is queued from before an overrun.
    ///
    /// Were it kept it would be delivered after the resynchronisation, and bring back links
    /// whose removal is among what was lost.
    fn discard(&mut self) -> Result<(), NetlinkError> {
        for _ in 0..MAX_DISCARDED {
            match self.receive() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if overrun(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What a message tells, if it is about a link.
pub(crate) fn event_of(message_type: u16, payload: &[u8]) -> Option<LinkEvent> {
    if matches!(message_type, libc::RTM_NEWADDR | libc::RTM_DELADDR) {
        // struct ifaddrmsg, with the index where ifinfomsg has it too.
        let index = u32_of(payload.get(INDEX_AT..)?)?;
        return Some(LinkEvent::Addresses { index });
    }
    // The news of a bridge about its ports comes the same way, as another family: a port that
    // leaves its bridge is not deleted.
    let family = i32::from(*payload.first()?);
    if family == libc::AF_INET6 && message_type == libc::RTM_NEWLINK {
        let index = u32_of(payload.get(INDEX_AT..)?)?;
        return Some(LinkEvent::Addresses { index });
    }
    if family != libc::AF_UNSPEC {
        return None;
    }
    let link = Link::parse(payload)?;
    match message_type {
        libc::RTM_NEWLINK => Some(LinkEvent::Changed(link)),
        libc::RTM_DELLINK => {
            let Link { index, name, .. } = link;
            Some(LinkEvent::Removed { index, name })
        }
        _ => None,
    }
}

fn overrun(error: &NetlinkError) -> bool {
    error.errno() == Some(Errno::ENOBUFS)
}
