//! The groups of whoever has connected, which no crate tells.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

/// asm-generic/socket.h
const SO_PEERGROUPS: libc::c_int = 59;

/// The supplementary groups of the process that connected (`SO_PEERGROUPS`, Linux 4.13).
///
/// # Errors
/// What the system says.
pub(super) fn groups_of_peer(socket: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut groups = vec![0_u32; 64];
    loop {
        let room = groups.len() * mem::size_of::<u32>();
        let mut length = libc::socklen_t::try_from(room).map_err(io::Error::other)?;
        // SAFETY: the kernel writes at most `length` bytes, which is the size of `groups`.
        let outcome = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let count = length as usize / mem::size_of::<u32>();
        if outcome == 0 {
            groups.truncate(count);
            return Ok(groups);
        }
        let error = io::Error::last_os_error();
        // It has told how much room it takes.
        if error.raw_os_error() != Some(libc::ERANGE) || count <= groups.len() {
            return Err(error);
        }
        groups.resize(count, 0);
    }
}

/// asm-generic/socket.h
const SO_PASSRIGHTS: libc::c_int = 83;

/// Whether descriptors may be sent to a socket (`SO_PASSRIGHTS`, Linux 6.16).
///
/// # Errors
/// ENOPROTOOPT where the kernel does not know it.
pub(super) fn let_pass(socket: BorrowedFd<'_>, pass: bool) -> io::Result<()> {
    let value = libc::c_int::from(pass);
    let length = libc::socklen_t::try_from(mem::size_of_val(&value)).map_err(io::Error::other)?;
    // SAFETY: the kernel reads `length` bytes, which is the size of `value`.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PASSRIGHTS,
            (&raw const value).cast(),
            length,
        )
    };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
