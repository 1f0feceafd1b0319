//! Descriptors of processes.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `PIDFD_SIGNAL_PROCESS_GROUP` of linux/pidfd.h, since Linux 6.9.
pub(super) const TO_THE_GROUP: libc::c_uint = 1 << 2;

/// `pidfd_open(2)`
pub(super) fn open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two numbers and gives a new descriptor.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `pidfd_send_signal(2)`; 0 only asks whether the process lives.
pub(super) fn send(process: BorrowedFd<'_>, signal: i32, flags: libc::c_uint) -> io::Result<()> {
    // SAFETY: it takes no pointer but that to the signal's details, which may be null.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            process.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            flags,
        )
    };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
