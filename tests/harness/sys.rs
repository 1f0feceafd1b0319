//! System calls that no dependency wraps.
#![allow(unsafe_code, reason = "ioctl, packet sockets and pre_exec need it")]

use std::ffi::CString;
use std::io;
use std::mem;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

use socket2::{SockAddr, SockAddrStorage, Socket};

/// Makes the child end with the thread that starts it, so with its test.
///
/// `PR_SET_PDEATHSIG` (prctl(2)) acts when the parent *thread* ends. Each test has a thread of its
/// own, so a child that a test starts from that thread goes when the test is over. One started
/// from a helper thread goes when that one ends: start children from the test's own.
pub(crate) fn die_with_parent(command: &mut Command) {
    let set_signal = || {
        // SAFETY: prctl with PR_SET_PDEATHSIG takes a signal number and touches no memory.
        match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec the closure only makes a system call, which is
    // async-signal-safe, and allocates nothing.
    unsafe { command.pre_exec(set_signal) };
}

/// Has the child lead a session without a terminal, and act on each signal as a program does by
/// default: `nohup`, for one, passes on that SIGHUP is ignored.
pub(crate) fn forget_session(command: &mut Command) {
    let forget = || {
        // SAFETY: setsid(2) takes nothing. It fails only for the leader of a process group, which
        // a child is not.
        if unsafe { libc::setsid() } < 0 {
            return Err(io::Error::last_os_error());
        }
        for signal in 1..=64 {
            // SAFETY: the call takes two numbers; no handler is set. It fails for the signals that
            // nobody can change, and for those that the C library keeps.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure only makes system calls, which are
    // async-signal-safe, and allocates nothing.
    unsafe { command.pre_exec(forget) };
}

/// The index of an interface in the calling thread's network namespace.
pub(crate) fn interface_index(interface: &str) -> io::Result<u32> {
    let name = CString::new(interface)?;
    // SAFETY: the name is a C string that outlives the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// Sets a limit of another process (prlimit(2)); what it was before.
pub(crate) fn limit_of(
    pid: u32,
    resource: libc::__rlimit_resource_t,
    most: u64,
) -> io::Result<u64> {
    let mut former = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    let pid = pid.cast_signed();
    // SAFETY: the kernel writes one structure, which outlives the call.
    if unsafe { libc::prlimit(pid, resource, ptr::null(), &raw mut former) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let wanted = libc::rlimit {
        rlim_cur: most,
        ..former
    };
    // SAFETY: the kernel reads one structure, which outlives the call.
    match unsafe { libc::prlimit(pid, resource, &raw const wanted, ptr::null_mut()) } {
        0 => Ok(former.rlim_cur),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The address of an interface for a packet socket that takes every protocol (packet(7)).
pub(crate) fn packet_address(index: u32) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: sockaddr_ll is plain data and no longer than the storage that it is written to.
    let address: &mut libc::sockaddr_ll = unsafe { storage.view_as() };
    address.sll_family = libc::AF_PACKET as libc::sa_family_t;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = index.cast_signed();
    let length = mem::size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the storage holds a sockaddr_ll of this length, filled in above.
    unsafe { SockAddr::new(storage, length) }
}

/// Sets an integer option of a packet socket.
pub(crate) fn set_packet_option(socket: &Socket, option: i32, value: i32) -> io::Result<()> {
    set_option(socket, libc::SOL_PACKET, option, value)
}

/// Sets an integer option of any socket.
pub(crate) fn set_option(
    socket: &impl AsRawFd,
    level: i32,
    option: i32,
    value: i32,
) -> io::Result<()> {
    // SAFETY: the kernel reads the four bytes of `value`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            mem::size_of::<i32>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Frames that a packet socket had no room for, since the last call.
pub(crate) fn take_packet_losses(socket: &Socket) -> io::Result<u32> {
    let mut statistics = libc::tpacket_stats {
        tp_packets: 0,
        tp_drops: 0,
    };
    let mut length = mem::size_of_val(&statistics) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, the size of `statistics`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut statistics).cast(),
            &raw mut length,
        )
    };
    if result == 0 {
        Ok(statistics.tp_drops)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Gives the calling thread a table of descriptors of its own, with nothing but the standard
/// streams in it. Threads that it spawns share that table; all others keep theirs.
///
/// Call it before the thread owns any descriptor: `close_range(2)` asks nobody.
pub(crate) fn own_descriptors() -> io::Result<()> {
    // SAFETY: with CLOSE_RANGE_UNSHARE descriptors are closed in the thread's new table alone,
    // where nobody owns any of them; the call touches no memory.
    let result = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_UNSHARE,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Receives one frame into `buffer`: its length and what the kernel reports beside it.
pub(crate) fn receive(
    socket: &Socket,
    buffer: &mut [u8],
) -> io::Result<(usize, Option<libc::tpacket_auxdata>)> {
    let mut control = [0_u64; 16];
    let mut parts = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: msghdr is plain data, for which all zeroes is a valid value.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut parts;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = mem::size_of_val(&control) as _;
    // SAFETY: the header points to a buffer and to control space that outlive the call, with
    // their true lengths.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, 0) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;

    // SAFETY: `message` was filled in by recvmsg, and its control space is still alive.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    while !header.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR give only headers wholly inside the space.
        let (level, kind) = unsafe { ((*header).cmsg_level, (*header).cmsg_type) };
        if level == libc::SOL_PACKET && kind == libc::PACKET_AUXDATA {
            // SAFETY: the data of a PACKET_AUXDATA message is a tpacket_auxdata, perhaps unaligned.
            let data = unsafe { ptr::read_unaligned(libc::CMSG_DATA(header).cast()) };
            return Ok((length, Some(data)));
        }
        // SAFETY: as for CMSG_FIRSTHDR.
        header = unsafe { libc::CMSG_NXTHDR(&raw const message, header) };
    }
    Ok((length, None))
}
