//! inotify(7).

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Something that watches, and does not block.
pub(super) fn new() -> io::Result<OwnedFd> {
    // SAFETY: the call takes flags and gives a new descriptor.
    let fd = unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Has it tell what is removed from a directory.
pub(super) fn watch_removals(watch: BorrowedFd<'_>, directory: &Path) -> io::Result<()> {
    let path = CString::new(directory.as_os_str().as_bytes())?;
    let events = libc::IN_DELETE | libc::IN_ONLYDIR;
    // SAFETY: the path is a C string that outlives the call.
    let outcome = unsafe { libc::inotify_add_watch(watch.as_raw_fd(), path.as_ptr(), events) };
    if outcome < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
