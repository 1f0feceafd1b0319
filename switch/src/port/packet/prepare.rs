//! Creates the sockets of a port as far as possible before the interface is known.

use std::io;
use std::os::fd::AsFd;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Socket, Type};

use super::sys::{self, Ring};
use super::{PacketOptions, ReceivePath};

/// Bytes of frames that can be queued in the socket: all of them without a ring, else those that
/// are too large for its slots. The kernel doubles the value and counts whole buffers: about 200
/// super-frames or 20,000 small frames. The memory is used only while frames are queued.
///
/// It must hold the windows of a few TCP connections, which otherwise lose whole super-frames.
/// Retransmitted segments in two seconds of one connection: 480 with 104 KiB, 650 with 1 MiB, one
/// with 4 MiB; of four connections: 6,700 with 4 MiB, five with 8 MiB, none with 16 MiB.
const RECEIVE_BUFFER_LEN: usize = 8 << 20;
/// Bytes of frames that can be queued on their way out through a queueing device.
const SEND_BUFFER_LEN: usize = 4 << 20;

/// The [`Failure::operation`] if there is no socket.
pub(super) const SOCKET: &str = "opening a packet socket";

/// A pair of sockets, neither bound to an interface.
#[derive(Debug)]
pub(super) struct Sockets {
    /// The receiving socket.
    pub(super) socket: Socket,
    /// The sending socket. It is a separate one without a waiting thread: otherwise the kernel
    /// would check, for every frame sent, for a thread to wake (`sock_def_write_space`).
    pub(super) sender: Socket,
    /// The ring of the receiving socket, if it has one.
    pub(super) ring: Option<Ring>,
}

/// An operation that the kernel refused.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) operation: &'static str,
    pub(super) error: io::Error,
}

impl Sockets {
    /// Creates the sockets in the thread's network namespace.
    pub(super) fn new(options: &PacketOptions) -> Result<Self, Failure> {
        let socket = new_socket()?;
        enable(&socket, libc::PACKET_VNET_HDR, "PACKET_VNET_HDR")?;
        enable(&socket, libc::PACKET_AUXDATA, "PACKET_AUXDATA")?;
        enable(
            &socket,
            libc::PACKET_IGNORE_OUTGOING,
            "PACKET_IGNORE_OUTGOING",
        )?;
        set_receive_buffer(&socket);
        let ring = map_ring(&socket, options)?;

        let sender = new_socket()?;
        enable(&sender, libc::PACKET_VNET_HDR, "PACKET_VNET_HDR")?;
        set_send_buffer(&sender);
        Ok(Self {
            socket,
            sender,
            ring,
        })
    }
}

/// Creates a socket of protocol 0, which receives nothing until it is bound. With any other
/// protocol it would at once receive from every interface.
fn new_socket() -> Result<Socket, Failure> {
    Socket::new_raw(Domain::PACKET, Type::RAW.nonblocking().cloexec(), None).map_err(|error| {
        Failure {
            operation: SOCKET,
            error,
        }
    })
}

fn enable(socket: &Socket, option: libc::c_int, operation: &'static str) -> Result<(), Failure> {
    sys::enable(socket.as_fd(), option).map_err(|error| Failure { operation, error })
}

/// Maps a ring, if one is wanted and the kernel provides it.
fn map_ring(socket: &Socket, options: &PacketOptions) -> Result<Option<Ring>, Failure> {
    if options.receive == ReceivePath::Socket {
        return Ok(None);
    }
    match Ring::map(socket.as_fd(), options.ring_slots) {
        Ok(ring) => Ok(Some(ring)),
        Err(error) if options.receive == ReceivePath::Ring => Err(Failure {
            operation: "mapping a receive ring",
            error,
        }),
        Err(error) => {
            log::warn!(
                "the kernel gives no receive ring of {} slots: {error}; frames are received by \
                 recvmmsg, which takes more processor time",
                options.ring_slots
            );
            Ok(None)
        }
    }
}

/// Enlarges the receive buffer for bursts: with the capability beyond `net.core.rmem_max`, else up
/// to it. A smaller buffer loses frames under load, and those are counted.
fn set_receive_buffer(socket: &Socket) {
    if setsockopt(socket, sockopt::RcvBufForce, &RECEIVE_BUFFER_LEN).is_err()
        && let Err(error) = socket.set_recv_buffer_size(RECEIVE_BUFFER_LEN)
    {
        log::debug!("the receive buffer keeps its default size: {error}");
    }
}

/// Enlarges the send buffer in the same way.
fn set_send_buffer(socket: &Socket) {
    if setsockopt(socket, sockopt::SndBufForce, &SEND_BUFFER_LEN).is_err()
        && let Err(error) = socket.set_send_buffer_size(SEND_BUFFER_LEN)
    {
        log::debug!("the send buffer keeps its default size: {error}");
    }
}
