//! Reports links that are added, changed or removed in a namespace.

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

/// Room for the events of several thousand links.
const RECEIVE_BUFFER_BYTES: libc::c_int = 4 << 20;
/// Several times the size of the greatest event.
const EVENT_BYTES: usize = 1 << 16;
/// Offset of the interface index in `ifinfomsg` and `ifaddrmsg`.
const INDEX_AT: usize = 4;
/// The most datagrams to discard after an overrun; the receive buffer cannot hold more.
const MAX_DISCARDED: usize = 1 << 20;

/// An event of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkEvent {
    /// The link is new or has changed; this is its present state.
    Changed(Link),
    /// The link was deleted, or moved to another namespace.
    Removed {
        /// The index, which the kernel may reuse.
        index: u32,
        /// The name.
        name: String,
    },
    /// The IP addresses of an interface, or whether it has IPv6, may have changed. Only reported by
    /// [`LinkMonitor::open_with_addresses`].
    Addresses {
        /// The index of the interface.
        index: u32,
    },
    /// The socket overran and events were lost: read the whole list with [`LinkMonitor::links`].
    /// Events from before the overrun were discarded, so later events are not older than this one.
    Resynchronise,
}

/// Reports why links cannot be monitored.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MonitorError {
    /// The socket failed.
    #[error("cannot watch the interfaces: {0}")]
    Netlink(#[from] NetlinkError),
    /// The namespace cannot be entered.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// The list of interfaces cannot be read.
    #[error(transparent)]
    Links(#[from] LinkError),
}

/// A non-blocking socket on which the kernel reports the links of one namespace.
///
/// Give its descriptor to a poller. When it is readable, call [`LinkMonitor::next_event`] until it
/// returns `None`.
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
    /// Monitors the calling thread's namespace.
    pub fn open() -> Result<Self, MonitorError> {
        Self::open_for(&[libc::RTNLGRP_LINK])
    }

    /// Monitors the calling thread's namespace, including the IP addresses of its links.
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

    /// Monitors a namespace.
    pub fn open_in(namespace: &Namespace) -> Result<Self, MonitorError> {
        let _inside = namespace.enter()?;
        Self::open()
    }

    /// Returns the next event, or `None` if none is waiting.
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

    /// Lists all links as they are now.
    ///
    /// Events that are still waiting may be older than this list. They do no harm: if a link has
    /// been removed meanwhile, a later event reports the removal.
    pub fn links(&mut self) -> Result<Vec<Link>, MonitorError> {
        Ok(self.requests.links()?)
    }

    /// Reads one datagram from the kernel into the buffer; false if none is waiting.
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
                // Any process may send to this socket; datagrams that are not from the kernel are
                // ignored.
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

    /// Discards the datagrams that were queued before an overrun.
    ///
    /// If they were kept, they would be delivered after the resynchronisation and bring back links
    /// whose removal is among the lost events.
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

/// Decodes a message, if it is about a link.
pub(crate) fn event_of(message_type: u16, payload: &[u8]) -> Option<LinkEvent> {
    if matches!(message_type, libc::RTM_NEWADDR | libc::RTM_DELADDR) {
        // struct ifaddrmsg has the index at the same offset as ifinfomsg.
        let index = u32_of(payload.get(INDEX_AT..)?)?;
        return Some(LinkEvent::Addresses { index });
    }
    // A bridge reports its ports with the same message types but another family: a port that leaves
    // its bridge is not deleted.
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
