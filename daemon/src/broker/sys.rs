//! What no safe call does: forking, closing what was inherited; and messages with descriptors.

use std::io::IoSlice;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::unistd::{ForkResult, Pid};
use rustix::net::RecvFlags;

use super::message::MAX_BYTES;
use vswitch_control::ancillary;

/// Forks; gives the child's process in the parent, and nothing in the child.
///
/// # Errors
/// EBUSY where the process has another thread, which might hold a lock that the child needs.
pub(super) fn fork() -> Result<Option<Pid>, Errno> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads != 1 {
        return Err(Errno::EBUSY);
    }
    // SAFETY: there is no other thread, so that the child may do all that the parent may.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Some(child)),
        ForkResult::Child => Ok(None),
    }
}

/// Ends the process at once: what its parent has buffered or would clean up is the parent's.
pub(super) fn leave(code: i32) -> ! {
    // SAFETY: `_exit` ends the process and takes no pointer.
    unsafe { libc::_exit(code) }
}

/// Closes every descriptor but the three standard ones and this one.
pub(super) fn close_all_but(socket: OwnedFd) -> OwnedFd {
    let kept = socket.into_raw_fd();
    let close = |from: RawFd, to: libc::c_uint| {
        // SAFETY: this process is about to do nothing but serve; whatever the descriptors were
        // for, nothing that owns one is used or dropped before it ends. No pointer is taken.
        let outcome = unsafe { libc::syscall(libc::SYS_close_range, from, to, 0) };
        if outcome != 0 {
            let last = i32::try_from(to).unwrap_or(4096);
            for fd in from..=last.min(4096) {
                // SAFETY: as above; one that is not open is an error without consequence.
                unsafe { libc::close(fd) };
            }
        }
    };
    if kept > 3 {
        close(3, libc::c_uint::try_from(kept - 1).unwrap_or_default());
    }
    close(kept + 1, libc::c_uint::MAX);
    // SAFETY: it was taken out of its owner above and is still open.
    unsafe { OwnedFd::from_raw_fd(kept) }
}

/// Sends a message, and descriptors with it. EAGAIN where the other one does not read.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), Errno> {
    let raw: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control = if raw.is_empty() { &[][..] } else { &rights[..] };
    let parts = [IoSlice::new(bytes)];
    loop {
        let sent = sendmsg::<()>(
            socket.as_raw_fd(),
            &parts,
            control,
            MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT,
            None,
        );
        match sent {
            Err(Errno::EINTR) => {}
            other => return other.map(drop),
        }
    }
}

/// Receives a message and what came with it; no bytes at the end of the connection, no descriptor where
/// this process has no number left for one of them.
pub(super) fn receive(
    socket: BorrowedFd<'_>,
    flags: RecvFlags,
) -> Result<(Vec<u8>, Vec<OwnedFd>), Errno> {
    let mut bytes = vec![0; MAX_BYTES];
    let received = ancillary::receive(socket, &mut bytes, flags);
    let received = received.map_err(|error| Errno::try_from(error).unwrap_or(Errno::EIO))?;
    if received.is_too_long {
        return Err(Errno::EMSGSIZE);
    }
    bytes.truncate(received.length);
    Ok((bytes, received.descriptors))
}
