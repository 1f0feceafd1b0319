//! The parts of packet(7) that no safe wrapper has: socket options, link-layer addresses, many
//! messages in one call.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use arrayvec::ArrayVec;
use socket2::{SockAddr, Socket};

use crate::port::BATCH;
use crate::wire::{EtherType, Offload, VlanTag};

#[cfg(not(target_env = "musl"))]
const NO_WAIT: libc::c_int = libc::MSG_DONTWAIT;
#[cfg(target_env = "musl")]
const NO_WAIT: libc::c_uint = libc::MSG_DONTWAIT.cast_unsigned();

/// Room for the one control message that is asked for, laid out as the kernel writes it
/// (cmsg(3)).
#[derive(Clone, Copy)]
#[repr(C)]
struct Control {
    header: libc::cmsghdr,
    data: libc::tpacket_auxdata,
}

/// One received message: its beginning is in the buffer that was lent for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Bytes in the buffer, offload header included; never more than the buffer has.
    pub(super) len: usize,
    /// Whether the message was longer than its buffer, or what came beside it is missing.
    pub(super) is_truncated: bool,
    /// The VLAN tag that the kernel has moved aside.
    pub(super) tag: Option<VlanTag>,
}

/// One message to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outgoing<'a> {
    pub(super) header: [u8; Offload::LEN],
    pub(super) frame: &'a [u8],
}

/// Receives as many messages as there are, one in each of `buffers` from `skip` on; appends
/// them to `messages`. Does not wait. At least one message, or an error.
#[allow(clippy::unnecessary_cast)] // some C libraries have other types of length
pub(super) fn receive(
    socket: BorrowedFd<'_>,
    buffers: &mut [&mut [u8]],
    skip: usize,
    messages: &mut ArrayVec<Message, BATCH>,
) -> io::Result<()> {
    let mut controls: ArrayVec<Control, BATCH> = ArrayVec::new();
    let mut vectors: ArrayVec<libc::iovec, BATCH> = ArrayVec::new();
    for buffer in buffers.iter_mut().take(messages.remaining_capacity()) {
        let room = buffer.get_mut(skip..).unwrap_or_default();
        vectors.push(io_vector(room.as_mut_ptr(), room.len()));
        // SAFETY: plain numbers, for which all bits zero is a value.
        controls.push(unsafe { mem::zeroed() });
    }
    let mut headers: ArrayVec<libc::mmsghdr, BATCH> = ArrayVec::new();
    for (vector, control) in vectors.iter_mut().zip(&mut controls) {
        let mut header = message_header(vector, 1);
        header.msg_hdr.msg_control = ptr::from_mut(control).cast();
        header.msg_hdr.msg_controllen = size_of::<Control>() as _;
        headers.push(header);
    }
    // SAFETY: there are `headers.len()` headers. Each points to one vector and one control
    // buffer of this function, and the vector to memory that `buffers` lends exclusively, with
    // its length; all of it outlives the call, after which the kernel keeps no pointer.
    let received = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr(),
            count(headers.len()),
            NO_WAIT,
            ptr::null_mut(),
        )
    };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    for ((header, control), vector) in headers.iter().zip(&controls).zip(&vectors).take(received) {
        let flags = header.msg_hdr.msg_flags;
        messages.push(Message {
            len: (header.msg_len as usize).min(vector.iov_len),
            is_truncated: flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0,
            tag: control.tag(header.msg_hdr.msg_controllen as usize),
        });
    }
    Ok(())
}

impl Control {
    /// The tag in the control message, of which the kernel has written `len` bytes.
    fn tag(&self, len: usize) -> Option<VlanTag> {
        let is_auxiliary = len >= mem::offset_of!(Self, data) + size_of_val(&self.data)
            && self.header.cmsg_level == libc::SOL_PACKET
            && self.header.cmsg_type == libc::PACKET_AUXDATA;
        if !is_auxiliary || self.data.tp_status & libc::TP_STATUS_VLAN_VALID == 0 {
            return None;
        }
        let has_tpid = self.data.tp_status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
        Some(VlanTag {
            tpid: if has_tpid {
                self.data.tp_vlan_tpid
            } else {
                EtherType::C_TAG.0
            },
            tci: self.data.tp_vlan_tci,
        })
    }
}

/// Sends as many of `messages` as the kernel takes, in order, at most a batch; returns how many
/// those were, at least one, or why it did not take the first. Does not wait.
pub(super) fn send(socket: BorrowedFd<'_>, messages: &[Outgoing<'_>]) -> io::Result<usize> {
    let mut vectors: ArrayVec<[libc::iovec; 2], BATCH> = ArrayVec::new();
    for Outgoing { header, frame } in messages.iter().take(BATCH) {
        vectors.push([
            io_vector(header.as_ptr().cast_mut(), header.len()),
            io_vector(frame.as_ptr().cast_mut(), frame.len()),
        ]);
    }
    let mut headers: ArrayVec<libc::mmsghdr, BATCH> = ArrayVec::new();
    for pair in &mut vectors {
        headers.push(message_header(pair.as_mut_ptr(), 2));
    }
    // SAFETY: there are `headers.len()` headers, each with a pointer to two vectors of this
    // function, which point to memory that `messages` borrows, with its length; all of it
    // outlives the call. The kernel only reads it, in spite of the pointers' type.
    let sent = unsafe {
        libc::sendmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr(),
            count(headers.len()),
            NO_WAIT,
        )
    };
    match usize::try_from(sent) {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        Ok(sent) => Ok(sent),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

fn io_vector(base: *mut u8, len: usize) -> libc::iovec {
    libc::iovec {
        iov_base: base.cast(),
        iov_len: len,
    }
}

/// A header for the `number` vectors that begin at `vectors`.
fn message_header(vectors: *mut libc::iovec, number: u8) -> libc::mmsghdr {
    // SAFETY: numbers and pointers, for which all bits zero is a value. Some C libraries have
    // private padding here, so that the structure cannot be written out.
    let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
    header.msg_hdr.msg_iov = vectors;
    header.msg_hdr.msg_iovlen = number.into();
    header
}

/// The length of a batch as the kernel wants it.
fn count(messages: usize) -> libc::c_uint {
    libc::c_uint::try_from(messages).unwrap_or(0)
}

/// Sets an option of level `SOL_PACKET` to `value`.
fn set_option<T>(socket: BorrowedFd<'_>, option: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: the kernel reads as many bytes as `value` has.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            option,
            ptr::from_ref(value).cast(),
            count(size_of::<T>()),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Switches an option of level `SOL_PACKET` on.
pub(super) fn enable(socket: BorrowedFd<'_>, option: libc::c_int) -> io::Result<()> {
    set_option::<libc::c_int>(socket, option, &1)
}

/// Lets the interface take frames for any destination, as long as the socket lives.
pub(super) fn join_promiscuous(socket: BorrowedFd<'_>, ifindex: u32) -> io::Result<()> {
    let membership = libc::packet_mreq {
        mr_ifindex: signed(ifindex)?,
        mr_type: 1, // PACKET_MR_PROMISC, which has another type in the bindings
        mr_alen: 0,
        mr_address: [0; 8],
    };
    set_option(socket, libc::PACKET_ADD_MEMBERSHIP, &membership)
}

/// Begins to receive all protocols from the interface with this index.
pub(super) fn bind(socket: &Socket, ifindex: u32) -> io::Result<()> {
    let ifindex = signed(ifindex)?;
    let fill = |storage: *mut socket2::SockAddrStorage, len: *mut libc::socklen_t| {
        // Sixteen bits hold both the family and the protocol.
        #[expect(clippy::cast_possible_truncation)]
        let (family, protocol) = (libc::AF_PACKET as u16, (libc::ETH_P_ALL as u16).to_be());
        // SAFETY: socket addresses of every family begin the storage, which is large enough
        // for, and aligned to, all of them, and zeroed; `len` is the caller's variable.
        unsafe {
            let address = (*storage).view_as::<libc::sockaddr_ll>();
            address.sll_family = family;
            address.sll_protocol = protocol;
            address.sll_ifindex = ifindex;
            *len = count(size_of::<libc::sockaddr_ll>());
        }
        Ok(())
    };
    // SAFETY: `fill` writes an address and its length.
    let ((), address) = unsafe { SockAddr::try_init(fill) }?;
    socket.bind(&address)
}

/// The index of the interface that the socket is bound to; `None` once that is gone
/// (`packet_notifier` sets -1).
pub(super) fn bound_to(socket: &Socket) -> io::Result<Option<u32>> {
    let address = socket.local_addr()?;
    if i32::from(address.family()) != libc::AF_PACKET
        || (address.len() as usize) < mem::offset_of!(libc::sockaddr_ll, sll_hatype)
    {
        return Ok(None);
    }
    // SAFETY: the storage behind the pointer has the size and alignment of every kind of
    // address, the kernel has written this member, and any bits are an integer.
    let index = unsafe { (*address.as_ptr().cast::<libc::sockaddr_ll>()).sll_ifindex };
    Ok(u32::try_from(index).ok().filter(|&index| index > 0))
}

/// Frames lost for want of room in the receive queue since the last call.
pub(super) fn take_drops(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut statistics = libc::tpacket_stats {
        tp_packets: 0,
        tp_drops: 0,
    };
    let mut len = count(size_of_val(&statistics));
    // SAFETY: the kernel writes at most `len` bytes, the size of `statistics`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut statistics).cast(),
            &raw mut len,
        )
    };
    if result == 0 {
        Ok(statistics.tp_drops)
    } else {
        Err(io::Error::last_os_error())
    }
}

fn signed(ifindex: u32) -> io::Result<i32> {
    i32::try_from(ifindex).map_err(io::Error::other)
}
