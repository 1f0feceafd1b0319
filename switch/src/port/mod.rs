//! Ports: where frames enter and leave the switch.
//!
//! A port is anything that implements [`Port`]. The datapath calls it once per batch of
//! frames, never once per frame.

mod arena;
mod handover;
mod limit;
pub mod memory;
mod offload;
mod packet;
mod reference;
mod report;
#[allow(unsafe_code)] // interface requests by ioctl
mod sys;
mod tap;
mod vacant;

use std::io;
use std::os::fd::BorrowedFd;

pub use arena::Arena;
pub use handover::{Assembled, PortData, PortKind, PortParts};
pub use limit::FrameLimit;
pub use offload::SoftwareOffload;
pub(crate) use offload::outgoing_header;
pub(crate) use packet::{FromKernel, as_received};
pub use packet::{
    PacketData, PacketError, PacketOptions, PacketPort, PreparedPort, ReceivePath, RingData,
};
pub use reference::PortRef;
pub use report::{Outcomes, TxReport};
pub use tap::{TapData, TapError, TapOptions, TapPort};
pub use vacant::{VacantData, VacantPort};

pub use crate::frame::{BATCH, Batch, Counters, Drops, Frame, Selection, TagAction, Traffic};

/// One port of a switch: a packet socket, a TAP device, a queue in memory, or your own.
///
/// The datapath owns its ports and calls them from one thread. No call may block: a port that
/// has nothing to give says [`RxStatus::Drained`], one that cannot send drops and counts.
pub trait Port: Send {
    /// The port's name, as people know it: an interface's name, for instance. Unique in a switch.
    fn name(&self) -> &str;

    /// What kind of port this is and how it moves frames, in a few words, for `show`.
    fn driver(&self) -> &'static str;

    /// The descriptor that becomes readable when frames arrive, for an edge-triggered poller;
    /// `None` for a port that is only stepped by hand.
    fn fd(&self) -> Option<BorrowedFd<'_>>;

    /// The largest payload behind the Ethernet header that the port carries, in bytes.
    fn mtu(&self) -> usize;

    /// How long a frame may be that leaves.
    fn limit(&self) -> FrameLimit {
        FrameLimit::of(self.mtu())
    }

    /// Whether [`Port::transmit`] takes frames with unfinished offloads. Where it does not, the
    /// switch finishes checksums and segments in software before.
    fn takes_offloads(&self) -> bool {
        false
    }

    /// Whether [`Port::transmit`] does the tag actions of the frames that it is given
    /// ([`Selection::actions`]). Otherwise the switch rewrites such frames before.
    fn takes_tag_actions(&self) -> bool {
        false
    }

    /// Whether this is one that finishes offloads in software, before another.
    fn finishes_offloads(&self) -> bool {
        false
    }

    /// Receives up to a batch of frames.
    ///
    /// Frames are pushed to `batch`, at most as many as it has room for, in the order they
    /// arrived; they may lie in memory of the port's own or in buffers of `arena`. What was
    /// lost on the way in is added to `counters.drops`; the caller counts `rx`.
    fn receive<'a>(
        &'a mut self,
        arena: &'a mut Arena,
        batch: &mut Batch<'a>,
        counters: &mut Counters,
    ) -> RxStatus;

    /// Gives back what the last batch has held, which is handled. For ports with memory of their
    /// own; a call of [`Port::receive`] implies it.
    fn release(&mut self) {}

    /// Tells that a poller has seen an error on the descriptor, so that the next call of
    /// [`Port::receive`] asks for it. For ports that otherwise would not.
    fn expect_error(&mut self) {}

    /// Sends `frames` in their order, and says of each of them in `report` what became of it.
    fn transmit(&mut self, frames: Selection<'_, '_>, report: &mut TxReport<'_>) -> TxStatus;

    /// Tells the MTU of the interface at the other end of the port's cable; `None` if it is not
    /// known. A frame that is refused for it is then counted as such. For ports that cannot ask.
    fn set_peer_mtu(&mut self, mtu: Option<usize>) {
        let _ = mtu;
    }

    /// Tells that the interface removes the first VLAN tag of a frame with this mark, and has the
    /// next one travel beside the frame; `None` if it does not. For ports that can make use of it.
    fn set_tags_aside(&mut self, mark: Option<u32>) {
        let _ = mark;
    }

    /// What another process needs to go on with this port: its descriptors, doubled, and what
    /// there is to say of it. It stays what it is here. `None` for a port of this process alone.
    fn parts(&self) -> io::Result<Option<PortParts>> {
        Ok(None)
    }

    /// What there is to say of it now, between two batches, which have been released: from there
    /// on another process can go on.
    fn data(&mut self) -> Option<PortData> {
        None
    }

    /// Whether the device is gone, so that the port will never receive again. For ports whose kernel
    /// tells so at any time.
    fn is_gone(&self) -> bool {
        false
    }

    /// Restores what the port has changed at a device that outlives it, or has the device go with its
    /// last descriptor. Called before the port is dropped for good, and not when another process goes
    /// on with it.
    fn give_back(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Adds to `counters.drops` the losses that the outside has counted since the last call,
    /// such as a kernel's full queue. Called when counters are read, not per batch.
    fn collect_losses(&mut self, counters: &mut Counters) {
        let _ = counters;
    }
}

impl<P: Port + 'static> From<P> for Box<dyn Port> {
    fn from(port: P) -> Self {
        Box::new(port)
    }
}

/// Whether a port's link carries frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum LinkState {
    /// It does, as far as is known.
    Up,
    /// Switched off, or without a carrier.
    Down,
    /// The device is gone.
    Absent,
}

impl LinkState {
    /// `up`, `down` or `absent`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Absent => "absent",
        }
    }
}

/// How a call of [`Port::receive`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RxStatus {
    /// There may be more: call again.
    More,
    /// There was no more: the descriptor will tell when there is.
    Drained,
    /// The link is down; it may come up again under the same port.
    LinkDown,
    /// The device is gone: this port will never receive again.
    LinkGone,
}

/// How a call of [`Port::transmit`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxStatus {
    /// The link works, whether or not every frame could be sent.
    Done,
    /// The link is down; it may come up again under the same port.
    LinkDown,
    /// The device is gone: this port will never send again.
    LinkGone,
}
