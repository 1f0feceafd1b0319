//! Ports on packet sockets (packet(7)): any Ethernet interface of a network namespace, such as
//! one end of a veth pair.
//!
//! The kernel places received frames into a ring of small slots, without a system call. Frames too
//! large for a slot, and all frames without a ring, are received directly into the arena, many in
//! one system call. Frames are sent directly from where they were received. Each frame has an
//! offload header in both directions, so that partial checksums and super-frames of 64 KiB pass
//! through unchanged.

mod claim;
mod close;
mod error;
mod handover;
mod open;
mod prepare;
mod receive;
mod source;
mod standstill;
#[allow(unsafe_code)] // recvmmsg, sendmmsg, packet options: no safe wrapper covers them
mod sys;
mod transmit;

use std::io;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;

use socket2::Socket;

pub use error::PacketError;
pub use handover::{PacketData, RingData};
pub(crate) use receive::{FromKernel, as_received};

use self::claim::Claim;
use self::close::Closing;
use self::open::Opened;
use self::prepare::{Failure, Sockets};
use self::receive::Emptied;
use self::source::Source;
use self::standstill::{Leaving, Standstill};
use self::sys::Ring;
use self::transmit::WayOut;
use super::sys as interface;
use super::{
    Arena, Batch, Counters, FrameLimit, Port, PortData, PortParts, RxStatus, Selection, TxReport,
    TxStatus,
};
use crate::frame::DropReason;

/// Options for opening a packet port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketOptions {
    /// How frames are received from the kernel.
    pub receive: ReceivePath,
    /// Slots of the receive ring, of up to 2 KiB each, which the kernel allocates while the port is
    /// open; rounded up to a power of two, at least 128. All but one of them can hold frames that
    /// wait for the switch, whatever their size; those of a batch are held while it is handled.
    pub ring_slots: usize,
}

impl PacketOptions {
    /// The allowed numbers of slots of a ring: 224 KiB to 128 MiB.
    pub const RING_SLOTS: RangeInclusive<u32> = 128..=65_536;

    /// Returns the memory in bytes that the kernel allocates for a ring of `slots` slots.
    #[must_use]
    pub fn ring_len_bytes(slots: u32) -> usize {
        sys::ring_len(slots as usize)
    }
}

impl Default for PacketOptions {
    /// A ring of 2,048 slots; no ring if the kernel does not provide one.
    fn default() -> Self {
        Self {
            receive: ReceivePath::Auto,
            ring_slots: 2048,
        }
    }
}

/// How a packet port receives frames from the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReceivePath {
    /// The fastest way that the kernel provides.
    #[default]
    Auto,
    /// A mapped ring (`PACKET_RX_RING`); opening fails if the kernel does not provide one.
    Ring,
    /// The socket's queue, by recvmmsg(2).
    Socket,
}

/// How many ports are prepared at the same time.
const SIDE_BY_SIDE: usize = 32;

/// A packet port without an interface yet.
///
/// Creating a ring takes the kernel ten milliseconds and more, in which it waits for every CPU
/// (`synchronize_net` in `packet_set_ring`). A program that opens many ports can let other threads
/// prepare a few in advance.
#[derive(Debug)]
pub struct PreparedPort {
    sockets: Result<Sockets, Failure>,
    wants_ring: bool,
}

impl PreparedPort {
    /// Creates the sockets of a port, in the network namespace of the calling thread. Errors are
    /// returned when it is opened.
    #[must_use]
    pub fn new(options: &PacketOptions) -> Self {
        Self {
            sockets: Sockets::new(options),
            wants_ring: options.receive != ReceivePath::Socket,
        }
    }

    /// Reports whether nothing failed and nothing is missing that [`ReceivePath::Auto`] can do
    /// without.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(&self.sockets, Ok(sockets) if sockets.ring.is_some() == self.wants_ring)
    }

    /// Opens `interface` of that namespace, as [`PacketPort::open`] does; must be called in that
    /// namespace.
    pub fn open(self, interface: &str) -> Result<PacketPort, PacketError> {
        let opened = open::open(interface, self.sockets)?;
        Ok(PacketPort::new(interface, opened))
    }
}

/// A port on a network interface, using a packet socket.
///
/// The interface belongs to this port only: while it is open, no other process can open it as a
/// port. The port stays usable when the interface is set down and up again or renamed. It ends when
/// the interface is deleted or moved to another namespace: the socket then follows neither the name
/// nor the index.
///
/// The kernel notifies a packet socket when its interface goes down, but neither when it comes up
/// again nor when it is deleted after that. While the interface is down, therefore, every call of
/// [`Port::receive`] checks it: call it now and then, or at link events.
#[derive(Debug)]
pub struct PacketPort {
    name: String,
    /// The MTU of the interface.
    mtu: usize,
    source: Source,
    sender: Socket,
    /// The ring for small frames, if the kernel has provided it.
    ring: Option<Ring>,
    /// Detects that the ring has stalled.
    standstill: Standstill,
    /// The removal of the ring after it has stalled.
    leaving: Option<Leaving>,
    /// The transmit state.
    way_out: WayOut,
    claim: Claim,
    /// Dropped last: see [`close`].
    closing: Closing,
}

impl Drop for PacketPort {
    fn drop(&mut self) {
        self.closing.begin([self.source.socket(), &self.sender]);
    }
}

impl PacketPort {
    /// Opens `interface` in the network namespace of the calling thread; the socket stays in that
    /// namespace. The interface may be down.
    ///
    /// Needs the capability `CAP_NET_RAW` in the user namespace that owns the network namespace.
    pub fn open(interface: &str) -> Result<Self, PacketError> {
        Self::open_with(interface, &PacketOptions::default())
    }

    /// Opens `interface` with other options.
    pub fn open_with(interface: &str, options: &PacketOptions) -> Result<Self, PacketError> {
        PreparedPort::new(options).open(interface)
    }

    /// Opens several interfaces, in the order of the list, in the time that one takes: threads wait
    /// for the kernel in parallel.
    pub fn open_all(
        interfaces: &[&str],
        options: &PacketOptions,
    ) -> Result<Vec<Self>, PacketError> {
        let mut ports = Vec::with_capacity(interfaces.len());
        for some in interfaces.chunks(SIDE_BY_SIDE) {
            let prepared: Vec<_> = thread::scope(|scope| {
                let prepare = || PreparedPort::new(options);
                let threads: Vec<_> = some
                    .iter()
                    .map(|_| thread::Builder::new().spawn_scoped(scope, prepare))
                    .collect();
                let made = threads.into_iter().map(|thread| thread.ok()?.join().ok());
                made.collect()
            });
            for (interface, prepared) in some.iter().zip(prepared) {
                let prepared = prepared.unwrap_or_else(|| PreparedPort::new(options));
                ports.push(prepared.open(interface)?);
            }
        }
        Ok(ports)
    }

    fn new(interface: &str, opened: Opened) -> Self {
        let Opened {
            sockets,
            claim,
            ifindex,
            mtu,
        } = opened;
        let Sockets {
            socket,
            sender,
            ring,
        } = sockets;
        Self {
            name: interface.to_owned(),
            mtu,
            source: Source::new(socket, ifindex),
            sender,
            ring,
            standstill: Standstill::default(),
            leaving: None,
            way_out: WayOut::default(),
            claim,
            closing: Closing::default(),
        }
    }

    /// Returns the index of the interface in its network namespace, which does not change. Another
    /// interface may get it later; this port never sends to that one.
    #[must_use]
    pub const fn ifindex(&self) -> u32 {
        self.source.ifindex()
    }

    /// Returns the same port under another name, for an interface whose name differs from the
    /// port's.
    #[must_use]
    pub fn named(mut self, name: String) -> Self {
        self.name = name;
        self
    }

    /// Abandons the ring, which has stalled.
    fn leave_ring(&mut self) {
        if self.ring.take().is_some() {
            log::warn!(
                "{} has received a frame whose offload the kernel cannot describe, which stops its \
                 receive ring: frames are received by recvmmsg from now on",
                self.name
            );
            self.leaving = Some(Leaving::begin(&self.source));
            return;
        }
        let Some(leaving) = &mut self.leaving else {
            return;
        };
        match leaving.has_ended(&self.source) {
            None => {}
            Some(Ok(())) => {
                self.standstill = Standstill::default();
                self.leaving = None;
            }
            // Each frame that is lost because of it triggers another attempt.
            Some(Err(error)) => {
                log::warn!("cannot remove the receive ring of {}: {error}", self.name);
            }
        }
    }

    /// Reads the interface's present MTU, which [`Port::mtu`] then returns.
    pub fn refresh(&mut self) {
        let socket = self.source.socket().as_fd();
        let mtu = interface::name_of(socket, self.ifindex())
            .and_then(|name| interface::mtu(socket, name));
        match mtu {
            Ok(mtu) => self.mtu = mtu,
            Err(error) => log::debug!("cannot read the MTU of {}: {error}", self.name),
        }
    }
}

impl Port for PacketPort {
    fn name(&self) -> &str {
        &self.name
    }

    fn driver(&self) -> &'static str {
        if self.ring.is_some() {
            "packet socket, mapped ring"
        } else {
            "packet socket, recvmmsg"
        }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.source.socket().as_fd())
    }

    fn mtu(&self) -> usize {
        self.limit().payload_bytes()
    }

    fn limit(&self) -> FrameLimit {
        FrameLimit {
            mtu_bytes: self.mtu,
            peer_mtu_bytes: self.way_out.peer_mtu,
            sets_tags_aside: self.way_out.aside_mark.is_some(),
        }
    }

    fn takes_offloads(&self) -> bool {
        true
    }

    fn takes_tag_actions(&self) -> bool {
        true
    }

    fn receive<'a>(
        &'a mut self,
        arena: &'a mut Arena,
        batch: &mut Batch<'a>,
        counters: &mut Counters,
    ) -> RxStatus {
        if self.standstill.has_jammed() {
            self.leave_ring();
        }
        let source = &mut self.source;
        let Some(ring) = &mut self.ring else {
            return match receive::from_socket(source, arena, batch, counters) {
                Emptied::No => RxStatus::More,
                Emptied::Yes => source.ask_link(),
            };
        };
        let emptied =
            receive::from_ring(source, ring, &mut self.standstill, arena, batch, counters);
        match emptied {
            Emptied::No => RxStatus::More,
            Emptied::Yes => source.ask_link(),
        }
    }

    fn release(&mut self) {
        if let Some(ring) = &mut self.ring {
            ring.release();
        }
    }

    fn expect_error(&mut self) {
        self.source.expect_error();
    }

    fn transmit(&mut self, frames: Selection<'_, '_>, report: &mut TxReport<'_>) -> TxStatus {
        let limit = self.limit();
        let status = transmit::transmit(&self.sender, limit, &mut self.way_out, frames, report);
        if status != TxStatus::Done {
            self.source.expect_down();
        }
        status
    }

    fn set_tags_aside(&mut self, mark: Option<u32>) {
        self.way_out.aside_mark = mark;
    }

    fn set_peer_mtu(&mut self, mtu: Option<usize>) {
        self.way_out.peer_mtu = mtu;
    }

    fn parts(&self) -> io::Result<Option<PortParts>> {
        self.to_parts().map(Some)
    }

    fn data(&mut self) -> Option<PortData> {
        Some(PortData::Packet(self.tell_data()))
    }

    /// Counts the frames that the receive queue dropped, and reads the MTU again.
    ///
    /// Only the socket's own counter is used here. The interface's counter includes frames that
    /// were lost before the socket (a veth's backlog) but also, unless the host's stack is kept off
    /// the interface, frames that the stack dropped after the switch had its copy. A program that
    /// keeps the stack off may add it.
    fn collect_losses(&mut self, counters: &mut Counters) {
        if let Some(ring) = &mut self.ring {
            // A loss in a stalled ring has woken the switch, and the next batch abandons the ring.
            self.standstill.ask(&ring.slots(), &self.source, counters);
            self.refresh();
            return;
        }
        match sys::take_drops(self.source.socket().as_fd()) {
            Ok(drops) => counters.drops.add(DropReason::RxOverflow, drops.into()),
            Err(error) => log::debug!("cannot read the losses of {}: {error}", self.name),
        }
        self.refresh();
    }
}
