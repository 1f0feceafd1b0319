//! Ports on TAP devices: a network interface of the host whose other end is the switch.
//!
//! `/dev/net/tun` hands over one frame in each system call. The kernel itself puts a VLAN tag
//! back, and leaves to the switch only the offloads that the port has agreed to take
//! (`drivers/net/tun.c`).

mod error;
mod handover;
mod losses;
mod receive;
#[allow(unsafe_code)] // the requests of /dev/net/tun have no safe wrapper
mod sys;
mod transmit;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;

pub use error::TapError;
pub use handover::TapData;

use self::error::Context;
use self::losses::Losses;
use self::transmit::Sender;
use super::offload::Scratch;
use super::sys as interface;
use super::{
    Arena, Batch, Counters, Port, PortData, PortParts, RxStatus, Selection, TxReport, TxStatus,
};
use crate::frame::DropReason;

/// How a TAP device is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapOptions {
    /// Whether frames may have partial checksums and be super-frames, in both directions. Without,
    /// the kernel finishes what comes in, and the switch what goes out.
    pub offloads: bool,
}

impl Default for TapOptions {
    fn default() -> Self {
        Self { offloads: true }
    }
}

/// A port on a TAP device, which it creates and which vanishes with it, unless
/// [`TapPort::persist`] is called.
///
/// Frames that the host sends by the interface enter the switch, and the other way round. The
/// interface is down at first, and belongs to the network namespace of the thread that created
/// it; the port goes on if it is moved elsewhere, only its MTU and its losses are then no longer
/// followed.
#[derive(Debug)]
pub struct TapPort {
    name: String,
    tun: File,
    offloads: bool,
    mtu: usize,
    /// Asks for the MTU in the namespace where the device was made.
    query: UnixDatagram,
    losses: Option<Losses>,
    /// Whether the device was made persistent, to be removed with the port.
    is_kept: bool,
    /// Memory to cut super-frames in.
    scratch: Scratch,
}

impl TapPort {
    /// Creates a TAP device called `name`, or `tap0` and so on where there is none, in the
    /// network namespace of the calling thread; or takes over a persistent one that nobody uses.
    ///
    /// It takes the capability `CAP_NET_ADMIN` in the user namespace that owns the network
    /// namespace.
    pub fn create(name: Option<&str>, options: TapOptions) -> Result<Self, TapError> {
        let context = Context {
            interface: name.unwrap_or("tap%d"),
        };
        let wanted = name
            .map(|name| interface::RequestName::new(name).ok_or_else(|| context.invalid_name()))
            .transpose()?;
        let tun = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/net/tun")
            .map_err(|error| context.open(error))?;
        let name = sys::attach(tun.as_fd(), wanted, options.offloads)
            .map_err(|error| context.attach(error))?;
        // A persistent device may still have those of its last user.
        let set = if options.offloads {
            sys::enable_offloads(tun.as_fd())
        } else {
            sys::disable_offloads(tun.as_fd())
        };
        set.map_err(|error| context.io("setting its offloads", error))?;
        let query =
            UnixDatagram::unbound().map_err(|error| context.io("opening a socket", error))?;
        let mtu = interface::mtu(query.as_fd(), name)
            .map_err(|error| context.io("asking for its MTU", error))?;
        let name = name.to_string();
        let losses = Losses::new(&name)
            .inspect_err(|error| log::debug!("losses of {name} cannot be counted: {error}"))
            .ok();
        Ok(Self {
            name,
            tun,
            offloads: options.offloads,
            mtu,
            query,
            losses,
            is_kept: false,
            scratch: Scratch::default(),
        })
    }

    /// Whether the device is persistent (`TUNSETPERSIST`). One that is when it was just opened was
    /// there before.
    pub fn is_persistent(&self) -> io::Result<bool> {
        let flags = sys::flags(self.tun.as_fd())?;
        Ok(flags & libc::IFF_PERSIST != 0)
    }

    /// Has the device outlive the port: when the process is killed, the device stays, and can be
    /// opened again. [`Port::give_back`] undoes that.
    pub fn persist(&mut self) -> io::Result<()> {
        sys::set_persistent(self.tun.as_fd(), true)?;
        self.is_kept = true;
        Ok(())
    }

    /// The same port under another name, for an interface that is called otherwise than the port.
    #[must_use]
    pub fn named(mut self, name: String) -> Self {
        self.name = name;
        self
    }

    const fn sender(&self) -> Sender<'_> {
        Sender {
            tun: &self.tun,
            offloads: self.offloads,
            mtu: self.mtu,
        }
    }

    /// Asks for the device's present name and MTU.
    fn refresh_mtu(&mut self) -> Option<interface::RequestName> {
        let name = sys::name(self.tun.as_fd()).ok()?;
        if let Ok(mtu) = interface::mtu(self.query.as_fd(), name) {
            self.mtu = mtu;
        }
        Some(name)
    }
}

impl Port for TapPort {
    fn name(&self) -> &str {
        &self.name
    }

    fn driver(&self) -> &'static str {
        if self.offloads {
            "TAP device"
        } else {
            "TAP device without offloads"
        }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.tun.as_fd())
    }

    fn mtu(&self) -> usize {
        self.mtu
    }

    fn takes_offloads(&self) -> bool {
        self.offloads
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
        receive::receive(&self.tun, self.offloads, arena, batch, counters)
    }

    fn transmit(&mut self, frames: Selection<'_, '_>, report: &mut TxReport<'_>) -> TxStatus {
        if frames.iter().any(|frame| self.sender().is_too_big(frame)) {
            self.refresh_mtu(); // it may have been raised
        }
        let sender = Sender {
            tun: &self.tun,
            offloads: self.offloads,
            mtu: self.mtu,
        };
        sender.transmit(frames, &mut self.scratch, report)
    }

    fn parts(&self) -> io::Result<Option<PortParts>> {
        self.to_parts().map(Some)
    }

    fn data(&mut self) -> Option<PortData> {
        Some(PortData::Tap(self.to_data()))
    }

    fn is_gone(&self) -> bool {
        let gone = |error: io::Error| error.raw_os_error() == Some(libc::EBADFD);
        sys::name(self.tun.as_fd()).is_err_and(gone)
    }

    /// A device that was made persistent vanishes with the last descriptor; one that was persistent
    /// before gets frames without offloads, as a new one does.
    fn give_back(&mut self) -> io::Result<()> {
        if self.is_kept {
            sys::set_persistent(self.tun.as_fd(), false)
        } else {
            sys::disable_offloads(self.tun.as_fd())
        }
    }

    /// Counts what the device's queue had no room for, and reads the MTU anew.
    fn collect_losses(&mut self, counters: &mut Counters) {
        let Some(name) = self.refresh_mtu() else {
            return;
        };
        if let Some(losses) = &mut self.losses
            && let Ok(lost) = losses.take(&name.to_string())
        {
            counters.drops.add(DropReason::RxOverflow, lost);
        }
    }
}
