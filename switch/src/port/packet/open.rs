//! Opening a packet socket so that no frame of another interface, and none without its offload
//! header, ever gets in.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Socket, Type};

use super::claim::{Claim, Refused};
use super::error::PacketError;
use super::sys::{self, Protocol, Ring};
use super::{PacketOptions, ReceivePath};
use crate::port::sys::{self as interface, RequestName};

/// Bytes of frames that may wait in the socket: all of them without a ring, else those that are too
/// large for its slots. The kernel doubles it, and counts whole buffers:
/// some 200 super-frames or 20,000 small frames. The memory is taken only while they wait.
///
/// It is to hold the windows of a few TCP connections, which otherwise lose whole super-frames.
/// Retransmitted segments in two seconds of one connection: 480 with 104 KiB, 650 with 1 MiB, one
/// with 4 MiB; of four connections: 6,700 with 4 MiB, five with 8 MiB, none with 16 MiB.
const RECEIVE_BUFFER_LEN: usize = 8 << 20;
/// Bytes of frames that may be on their way out through a queueing device.
const SEND_BUFFER_LEN: usize = 4 << 20;

/// An open socket and what was learnt on the way.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) socket: Socket,
    pub(super) sender: Socket,
    pub(super) claim: Claim,
    pub(super) ifindex: u32,
    pub(super) mtu: usize,
    pub(super) ring: Option<Ring>,
}

/// Opens `interface` in the thread's network namespace.
pub(super) fn open(interface: &str, options: &PacketOptions) -> Result<Opened, PacketError> {
    let context = Context { interface };
    let name = RequestName::new(interface).ok_or_else(|| PacketError::InvalidName {
        interface: interface.to_owned(),
    })?;
    let socket = context.new_socket()?;
    let ifindex = interface::index_of(socket.as_fd(), name)
        .map_err(|error| context.look_up("looking it up", error))?;
    context.check_kind(socket.as_fd(), name)?;
    let claim = Claim::new(ifindex).map_err(|refused| context.claim(refused))?;

    context.set_options(socket.as_fd())?;
    set_receive_buffer(&socket);
    let ring = context.map_ring(socket.as_fd(), options)?;
    sys::join_promiscuous(socket.as_fd(), ifindex)
        .map_err(|error| context.look_up("PACKET_ADD_MEMBERSHIP", error))?;
    let sender = context.open_sender(ifindex)?;
    sys::bind(&socket, ifindex, Protocol::All).map_err(|error| context.look_up("bind", error))?;

    // The name may have gone to another interface meanwhile, the index to another device.
    let still = interface::index_of(socket.as_fd(), name)
        .map_err(|error| context.look_up("looking it up", error))?;
    for socket in [&socket, &sender] {
        let bound = sys::bound_to(socket).map_err(|error| context.look_up("getsockname", error))?;
        if still != ifindex || bound != Some(ifindex) {
            return Err(context.no_such_interface());
        }
    }
    let mtu = interface::mtu(socket.as_fd(), name)
        .map_err(|error| context.look_up("asking for its MTU", error))?;
    Ok(Opened {
        socket,
        sender,
        claim,
        ifindex,
        mtu,
        ring,
    })
}

/// Makes room for bursts: by force where there is the right, else as far as
/// `net.core.rmem_max` goes. A smaller buffer loses frames under load, and those are counted.
fn set_receive_buffer(socket: &Socket) {
    if setsockopt(socket, sockopt::RcvBufForce, &RECEIVE_BUFFER_LEN).is_err()
        && let Err(error) = socket.set_recv_buffer_size(RECEIVE_BUFFER_LEN)
    {
        log::debug!("the receive buffer keeps its default size: {error}");
    }
}

/// The same for frames on their way out.
fn set_send_buffer(socket: &Socket) {
    if setsockopt(socket, sockopt::SndBufForce, &SEND_BUFFER_LEN).is_err()
        && let Err(error) = socket.set_send_buffer_size(SEND_BUFFER_LEN)
    {
        log::debug!("the send buffer keeps its default size: {error}");
    }
}

/// The interface that errors speak of.
#[derive(Clone, Copy)]
struct Context<'a> {
    interface: &'a str,
}

impl Context<'_> {
    fn check_kind(self, socket: BorrowedFd<'_>, name: RequestName) -> Result<(), PacketError> {
        let interface = self.interface.to_owned();
        match interface::hardware_type(socket, name) {
            Ok(libc::ARPHRD_ETHER) => Ok(()),
            Ok(libc::ARPHRD_LOOPBACK) => Err(PacketError::Loopback { interface }),
            Ok(hardware_type) => Err(PacketError::NotEthernet {
                interface,
                hardware_type,
            }),
            Err(error) => Err(self.look_up("asking for its type", error)),
        }
    }

    /// A socket that is deaf until it is bound: of protocol 0. Any other would at once receive
    /// from every interface.
    fn new_socket(self) -> Result<Socket, PacketError> {
        Socket::new_raw(Domain::PACKET, Type::RAW.nonblocking().cloexec(), None)
            .map_err(|error| self.socket(error))
    }

    /// The socket that sends. It is another than the one that receives, since nobody waits for
    /// it: the kernel would look at every frame sent for somebody to wake (`sock_def_write_space`).
    fn open_sender(self, ifindex: u32) -> Result<Socket, PacketError> {
        let sender = self.new_socket()?;
        sys::enable(sender.as_fd(), libc::PACKET_VNET_HDR)
            .map_err(|error| self.io("PACKET_VNET_HDR", error))?;
        set_send_buffer(&sender);
        sys::bind(&sender, ifindex, Protocol::None).map_err(|error| self.look_up("bind", error))?;
        Ok(sender)
    }

    fn set_options(self, socket: BorrowedFd<'_>) -> Result<(), PacketError> {
        for (option, name) in [
            (libc::PACKET_VNET_HDR, "PACKET_VNET_HDR"),
            (libc::PACKET_AUXDATA, "PACKET_AUXDATA"),
            (libc::PACKET_IGNORE_OUTGOING, "PACKET_IGNORE_OUTGOING"),
        ] {
            sys::enable(socket, option).map_err(|error| match error.raw_os_error() {
                Some(libc::ENOPROTOOPT) => PacketError::KernelTooOld {
                    interface: self.interface.to_owned(),
                    option: name,
                },
                _ => self.io(name, error),
            })?;
        }
        Ok(())
    }

    /// The ring, where one is wanted and the kernel gives it.
    fn map_ring(
        self,
        socket: BorrowedFd<'_>,
        options: &PacketOptions,
    ) -> Result<Option<Ring>, PacketError> {
        if options.receive == ReceivePath::Socket {
            return Ok(None);
        }
        match Ring::map(socket, options.ring_slots) {
            Ok(ring) => Ok(Some(ring)),
            Err(error) if options.receive == ReceivePath::Ring => {
                Err(self.io("mapping a receive ring", error))
            }
            Err(error) => {
                log::warn!(
                    "the kernel gives no receive ring for {}: {error}; its frames are received by \
                     recvmmsg, which takes more processor time",
                    self.interface
                );
                Ok(None)
            }
        }
    }

    fn socket(self, error: io::Error) -> PacketError {
        let interface = self.interface.to_owned();
        match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => PacketError::NoPermission { interface },
            Some(libc::EAFNOSUPPORT) => PacketError::NoPacketSockets { interface },
            _ => self.io("opening a packet socket", error),
        }
    }

    fn claim(self, refused: Refused) -> PacketError {
        match refused {
            Refused::Taken(pid) => PacketError::InUse {
                interface: self.interface.to_owned(),
                pid,
            },
            Refused::Io(error) => self.io("claiming it", error),
        }
    }

    fn look_up(self, operation: &'static str, error: io::Error) -> PacketError {
        match error.raw_os_error() {
            Some(libc::ENODEV | libc::ENXIO) => self.no_such_interface(),
            _ => self.io(operation, error),
        }
    }

    fn no_such_interface(self) -> PacketError {
        PacketError::NoSuchInterface {
            interface: self.interface.to_owned(),
        }
    }

    fn io(self, operation: &'static str, source: io::Error) -> PacketError {
        PacketError::Io {
            interface: self.interface.to_owned(),
            operation,
            source,
        }
    }
}
