//! Raw frames in and out of an interface.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::{PATIENCE, sys};

/// A packet socket bound to one interface: the hand of a test on the wire.
///
/// It stays in the network namespace in which it was opened. It does not see what it sends, nor
/// what others on the same interface send.
pub(crate) struct Endpoint {
    socket: Socket,
    buffer: Mutex<Vec<u8>>,
}

/// A frame as it was on the wire: a VLAN tag that the kernel moved aside is back in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Captured {
    /// From the destination address on.
    pub(crate) bytes: Vec<u8>,
    /// Whether the sender left the checksum for the device to finish.
    pub(crate) checksum_partial: bool,
}

impl Endpoint {
    /// Opens an interface of the calling thread's network namespace.
    pub(crate) fn open(interface: &str) -> io::Result<Self> {
        // With protocol 0 nothing arrives before the bind.
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
        sys::set_packet_option(&socket, libc::PACKET_AUXDATA, 1)?;
        sys::set_packet_option(&socket, libc::PACKET_IGNORE_OUTGOING, 1)?;
        socket.set_recv_buffer_size(8 << 20)?;
        let index = sys::interface_index(interface)?;
        socket.bind(&sys::packet_address(index))?;
        Ok(Self {
            socket,
            buffer: Mutex::new(vec![0; 1 << 17]),
        })
    }

    /// Makes room for `bytes` of frames that wait, as the kernel counts them, overhead included.
    pub(crate) fn set_room(&self, bytes: usize) -> io::Result<()> {
        self.socket.set_recv_buffer_size(bytes)
    }

    /// How many frames found no room in this socket since the last call (packet(7)).
    pub(crate) fn take_losses(&self) -> io::Result<u32> {
        sys::take_packet_losses(&self.socket)
    }

    /// The socket itself, for tests that set options of their own.
    pub(crate) fn into_socket(self) -> Socket {
        self.socket
    }

    /// Sends one frame, given from its destination address on.
    pub(crate) fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.socket.send(frame).map(drop)
    }

    /// Sends one frame, again and again while the kernel's queue behind the interface is full.
    ///
    /// That queue (`netdev_max_backlog`) is one for a processor, whatever the namespace: others
    /// who run beside this test can fill it. The kernel says so for each frame that it drops.
    pub(crate) fn send_patiently(&self, frame: &[u8]) -> io::Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.send(frame) {
                Err(error)
                    if error.raw_os_error() == Some(libc::ENOBUFS) && Instant::now() < end =>
                {
                    thread::sleep(Duration::from_micros(200));
                }
                outcome => return outcome,
            }
        }
    }

    /// The next frame, or `None` if none comes within `patience`.
    pub(crate) fn receive(&self, patience: Duration) -> Option<Captured> {
        self.receive_where(patience, |_| true)
    }

    /// The next frame for which `wanted` holds; those before it are thrown away.
    pub(crate) fn receive_where(
        &self,
        patience: Duration,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Option<Captured> {
        let end = Instant::now() + patience;
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            // A timeout of zero would mean for ever.
            let left = left.max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(left)).unwrap();
            match sys::receive(&self.socket, &mut buffer) {
                Ok((length, aux)) => {
                    let frame = restore(&buffer[..length], aux);
                    if wanted(&frame.bytes) {
                        return Some(frame);
                    }
                }
                // ENETDOWN comes once when the interface goes down; the socket goes on after up.
                Err(error) if passing(&error) => {}
                Err(error) => panic!("a frame cannot be received: {error}"),
            }
            if Instant::now() >= end {
                return None;
            }
        }
    }

    /// All frames that come within `patience` and for which `wanted` holds.
    pub(crate) fn collect(
        &self,
        patience: Duration,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Vec<Captured> {
        let end = Instant::now() + patience;
        let mut frames = Vec::new();
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            frames.extend(self.receive_where(left, &wanted));
        }
        frames
    }
}

fn passing(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, NetworkDown, WouldBlock};
    matches!(error.kind(), Interrupted | NetworkDown | WouldBlock)
}

fn restore(bytes: &[u8], aux: Option<libc::tpacket_auxdata>) -> Captured {
    let mut bytes = bytes.to_vec();
    let Some(aux) = aux else {
        return Captured {
            bytes,
            checksum_partial: false,
        };
    };
    if aux.tp_status & libc::TP_STATUS_VLAN_VALID != 0 && bytes.len() >= 12 {
        let has_tpid = aux.tp_status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
        let tpid = if has_tpid { aux.tp_vlan_tpid } else { 0x8100 };
        let tag = [tpid.to_be_bytes(), aux.tp_vlan_tci.to_be_bytes()].concat();
        bytes.splice(12..12, tag);
    }
    let checksum_partial = aux.tp_status & libc::TP_STATUS_CSUMNOTREADY != 0;
    Captured {
        bytes,
        checksum_partial,
    }
}
