//! Ports on packet sockets (packet(7)): any Ethernet interface of a network namespace, such as
//! one end of a veth pair.
//!
//! Frames are received straight into the arena and sent straight from where they lie, many in
//! one system call. Each has an offload header before it, in both directions, so that partial
//! checksums and super-frames of 64 KiB pass through as they are.

mod claim;
mod error;
mod open;
mod receive;
#[allow(unsafe_code)] // recvmmsg, sendmmsg, packet options: no safe wrapper covers them
mod sys;
mod transmit;

use std::os::fd::{AsFd, BorrowedFd};

use socket2::Socket;

pub use error::PacketError;

use self::claim::Claim;
use self::open::Opened;
use self::receive::Emptied;
use self::transmit::Link;
use super::sys as interface;
use super::{Arena, Batch, Counters, Port, RxStatus, Selection, TxStatus};
use crate::bridge::DropReason;

/// A port on a network interface, by a packet socket.
///
/// The interface belongs to it alone: while it is open, no other process can open it as a port.
/// It goes on when the interface is set down and up again or renamed, and ends when the
/// interface is deleted or moved to another namespace: the socket then follows neither the name
/// nor the index.
///
/// The kernel tells a packet socket that its interface went down, but neither that it came up
/// again nor that it was deleted after that. While it is down, therefore, every call of
/// [`Port::receive`] asks: call it now and then, or at news of the link.
#[derive(Debug)]
pub struct PacketPort {
    name: String,
    ifindex: u32,
    mtu: usize,
    socket: Socket,
    is_down: bool,
    /// Whether the queue behind the interface was full to the end of the last patience.
    is_stuck: bool,
    _claim: Claim,
}

impl PacketPort {
    /// Opens `interface` in the network namespace of the calling thread, where the socket stays
    /// whatever the thread does later. The interface may be down.
    ///
    /// It takes the capability `CAP_NET_RAW` in the user namespace that owns the network
    /// namespace.
    pub fn open(interface: &str) -> Result<Self, PacketError> {
        let Opened {
            socket,
            claim,
            ifindex,
            mtu,
        } = open::open(interface)?;
        Ok(Self {
            name: interface.to_owned(),
            ifindex,
            mtu,
            socket,
            is_down: false,
            is_stuck: false,
            _claim: claim,
        })
    }

    /// The index of the interface in its network namespace, which it keeps for life. Another
    /// interface may get it afterwards; this port never sends to that one.
    #[must_use]
    pub const fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// Asks for the interface's present MTU, which [`Port::mtu`] then tells.
    pub fn refresh(&mut self) {
        let socket = self.socket.as_fd();
        let mtu =
            interface::name_of(socket, self.ifindex).and_then(|name| interface::mtu(socket, name));
        match mtu {
            Ok(mtu) => self.mtu = mtu,
            Err(error) => log::debug!("cannot read the MTU of {}: {error}", self.name),
        }
    }

    /// What has become of an interface that was down.
    fn ask_link(&mut self) -> RxStatus {
        let socket = self.socket.as_fd();
        let is_bound =
            matches!(sys::bound_to(&self.socket), Ok(Some(index)) if index == self.ifindex);
        if !is_bound {
            return RxStatus::LinkGone;
        }
        let is_up = interface::name_of(socket, self.ifindex)
            .and_then(|name| interface::is_up(socket, name));
        self.is_down = !is_up.unwrap_or(false);
        if self.is_down {
            RxStatus::LinkDown
        } else {
            RxStatus::Drained
        }
    }
}

impl Port for PacketPort {
    fn name(&self) -> &str {
        &self.name
    }

    fn driver(&self) -> &'static str {
        "packet socket"
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.socket.as_fd())
    }

    fn mtu(&self) -> usize {
        self.mtu
    }

    fn takes_offloads(&self) -> bool {
        true
    }

    fn receive<'a>(
        &'a mut self,
        arena: &'a mut Arena,
        batch: &mut Batch<'a>,
        counters: &mut Counters,
    ) -> RxStatus {
        match receive::receive(&self.socket, arena, batch, counters, &mut self.is_down) {
            Emptied::No => RxStatus::More,
            Emptied::Yes if self.is_down => self.ask_link(),
            Emptied::Yes => RxStatus::Drained,
        }
    }

    fn transmit(&mut self, frames: Selection<'_, '_>, counters: &mut Counters) -> TxStatus {
        match transmit::transmit(&self.socket, frames, counters, &mut self.is_stuck) {
            Link::Works => TxStatus::Done,
            Link::Down => {
                self.is_down = true;
                TxStatus::LinkDown
            }
            Link::Gone => {
                self.is_down = true;
                TxStatus::LinkGone
            }
        }
    }

    /// Counts what the receive queue had no room for, and reads the MTU anew.
    ///
    /// The socket's own count is the only one taken here. The interface's counts what was lost
    /// before the socket (a veth's backlog), but also, unless the host's stack is kept out, what
    /// that dropped after the switch had its copy: whoever keeps it out may add them.
    fn collect_losses(&mut self, counters: &mut Counters) {
        match sys::take_drops(self.socket.as_fd()) {
            Ok(drops) => counters.drops.add(DropReason::RxOverflow, drops.into()),
            Err(error) => log::debug!("cannot read the losses of {}: {error}", self.name),
        }
        self.refresh();
    }
}
