//! Options and addresses of packet sockets.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use socket2::{SockAddr, Socket};

use super::count;

/// Sets an option of level `SOL_PACKET` to `value`.
pub(super) fn set_option<T>(
    socket: BorrowedFd<'_>,
    option: libc::c_int,
    value: &T,
) -> io::Result<()> {
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

/// Enables an option of level `SOL_PACKET`.
pub(in super::super) fn enable(socket: BorrowedFd<'_>, option: libc::c_int) -> io::Result<()> {
    set_option::<libc::c_int>(socket, option, &1)
}

/// Makes the interface accept frames for any destination, as long as the socket exists.
pub(in super::super) fn join_promiscuous(socket: BorrowedFd<'_>, ifindex: u32) -> io::Result<()> {
    let membership = libc::packet_mreq {
        mr_ifindex: signed(ifindex)?,
        mr_type: 1, // PACKET_MR_PROMISC, which has another type in the bindings
        mr_alen: 0,
        mr_address: [0; 8],
    };
    set_option(socket, libc::PACKET_ADD_MEMBERSHIP, &membership)
}

/// What a bound socket receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Protocol {
    /// Everything that arrives at its interface.
    All,
    /// Nothing: the socket only sends.
    None,
}

/// Binds the socket to the interface with this index, and starts receiving.
pub(in super::super) fn bind(socket: &Socket, ifindex: u32, protocol: Protocol) -> io::Result<()> {
    let ifindex = signed(ifindex)?;
    let protocol = match protocol {
        Protocol::All => libc::ETH_P_ALL.cast_unsigned(),
        Protocol::None => 0,
    };
    let fill = |storage: *mut socket2::SockAddrStorage, len: *mut libc::socklen_t| {
        // Sixteen bits hold both the family and the protocol.
        #[expect(clippy::cast_possible_truncation)]
        let (family, protocol) = (libc::AF_PACKET as u16, (protocol as u16).to_be());
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

/// Returns the index of the interface to which the socket is bound; `None` once that is gone
/// (`packet_notifier` sets -1).
pub(in super::super) fn bound_to(socket: &Socket) -> io::Result<Option<u32>> {
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

/// Returns the frames dropped since the last call because the receive queue was full.
pub(in super::super) fn take_drops(socket: BorrowedFd<'_>) -> io::Result<u32> {
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
