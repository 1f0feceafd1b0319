//! The system call that no crate wraps.

use std::io;

/// Keeps every descriptor but the three standard ones from the programs that are started from
/// here: whatever a shell or a test left open is none of a daemon's business.
///
/// # Errors
/// Where the kernel is older than 5.11.
pub(super) fn close_descriptors_on_exec() -> io::Result<()> {
    let flags = libc::CLOSE_RANGE_CLOEXEC.cast_signed();
    // SAFETY: close_range(2) with CLOSE_RANGE_CLOEXEC closes nothing in this process; it sets a
    // flag on descriptors and takes no pointer.
    let outcome = unsafe { libc::close_range(3, libc::c_uint::MAX, flags) };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
