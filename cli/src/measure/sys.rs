//! What no library wraps: an option of TCP sockets, and packet sockets (packet(7)).

use std::io;
use std::mem::{self, MaybeUninit, size_of};
use std::net::TcpStream;
use std::os::fd::AsRawFd;

use arrayvec::ArrayVec;
use socket2::{SockAddr, SockAddrStorage, Socket};

/// The most frames that are given to the kernel in one call.
pub(super) const BATCH: usize = 64;

#[cfg(not(target_env = "musl"))]
const NO_WAIT: libc::c_int = libc::MSG_DONTWAIT;
#[cfg(target_env = "musl")]
const NO_WAIT: libc::c_uint = libc::MSG_DONTWAIT.cast_unsigned();

/// Segments that this connection has sent again, from `TCP_INFO` (tcp(7)); `None` where the
/// kernel does not tell.
pub(super) fn total_retransmits(stream: &TcpStream) -> Option<u32> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).ok()?;
    // SAFETY: `info` is valid for `length` bytes, of which the kernel writes at most that many,
    // and both outlive the call.
    let status = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if status != 0 {
        return None;
    }
    // SAFETY: all fields are integers, zero before the call, so every bit pattern is valid.
    Some(unsafe { info.assume_init() }.tcpi_total_retrans)
}

/// The address of the interface with this index, for a packet socket that takes frames of one
/// EtherType, or none at all if that is 0.
pub(super) fn packet_address(index: u32, ether_type: u16) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: sockaddr_ll is plain data and no longer than the storage that it is written to.
    let address: &mut libc::sockaddr_ll = unsafe { storage.view_as() };
    address.sll_family = libc::sa_family_t::try_from(libc::AF_PACKET).unwrap_or_default();
    address.sll_protocol = ether_type.to_be();
    address.sll_ifindex = index.cast_signed();
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).unwrap_or_default();
    // SAFETY: the storage holds a sockaddr_ll of this length, filled in above.
    unsafe { SockAddr::new(storage, length) }
}

/// Has the frames of a packet socket go straight to the driver (`PACKET_QDISC_BYPASS`).
pub(super) fn bypass_queueing(socket: &Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the kernel reads one integer, which outlives the call.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_QDISC_BYPASS,
            (&raw const on).cast(),
            libc::socklen_t::try_from(size_of_val(&on)).unwrap_or_default(),
        )
    };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Sends as many of `frames` as the kernel takes, in order, at most a [`BATCH`]; returns how many
/// those were, at least one, or why it did not take the first. Does not wait.
pub(super) fn send_frames<'a>(
    socket: &Socket,
    frames: impl Iterator<Item = &'a [u8]>,
) -> io::Result<usize> {
    let mut vectors: ArrayVec<libc::iovec, BATCH> = ArrayVec::new();
    vectors.extend(frames.take(BATCH).map(|frame| libc::iovec {
        iov_base: frame.as_ptr().cast_mut().cast(),
        iov_len: frame.len(),
    }));
    let mut headers: ArrayVec<libc::mmsghdr, BATCH> = ArrayVec::new();
    for vector in &mut vectors {
        // SAFETY: numbers and pointers, for which all bits zero is a value. Some C libraries
        // have private padding here, so that the structure cannot be written out.
        let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
        header.msg_hdr.msg_iov = vector;
        header.msg_hdr.msg_iovlen = 1;
        headers.push(header);
    }
    // SAFETY: there are `headers.len()` headers, each with a pointer to one vector of this
    // function, which points to memory that `frames` borrows, with its length; all of it outlives
    // the call. The kernel only reads it, in spite of the pointers' type.
    let sent = unsafe {
        libc::sendmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr(),
            libc::c_uint::try_from(headers.len()).unwrap_or_default(),
            NO_WAIT,
        )
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}
