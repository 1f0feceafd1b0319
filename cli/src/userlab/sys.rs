//! What no safe call does: taking descriptors over, closing all, changing the environment.

use std::ffi::OsStr;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

/// Receives one message into `buffer`: how many bytes, and the descriptors that came with it.
///
/// # Errors
/// What the system says.
pub(super) fn receive(stream: &UnixStream, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = nix::cmsg_space!([RawFd; 3]);
    let mut parts = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let mut descriptors = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(received) = control {
            for fd in received {
                // SAFETY: the kernel has made the descriptor for this message, and nobody else
                // has it (SCM_RIGHTS, unix(7)).
                descriptors.push(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
    }
    Ok((message.bytes, descriptors))
}

/// Closes every descriptor but the three standard ones. Call it before the process owns any.
///
/// # Errors
/// Where the kernel is older than 5.9 and there is no `/proc`.
pub(super) fn close_inherited() -> io::Result<()> {
    // SAFETY: the descriptors were inherited, and nothing in this process owns any of them yet;
    // close_range(2) takes no pointer.
    let outcome = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    if outcome == 0 {
        return Ok(());
    }
    let mut inherited = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        inherited.extend(name.to_str().and_then(|name| name.parse::<RawFd>().ok()));
    }
    for fd in inherited.into_iter().filter(|fd| *fd > 2) {
        // SAFETY: as above; that of the directory just read is closed already, which is an error
        // without consequence.
        unsafe { libc::close(fd) };
    }
    Ok(())
}

/// Sets a variable of the environment, for the programs that are started from here.
///
/// To be called while the process has one thread.
pub(super) fn set_variable(name: &str, value: &OsStr) {
    // SAFETY: there is no other thread that could read the environment meanwhile.
    unsafe { std::env::set_var(name, value) };
}
