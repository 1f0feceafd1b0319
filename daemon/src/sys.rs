//! What no safe call does.

use std::io;

/// Keeps every descriptor but the three standard ones from the programs that are started from
/// here: whatever a shell or a test left open is none of a daemon's business.
///
/// # Errors
/// Where the kernel is older than 5.11 and there is no `/proc`.
pub(super) fn close_descriptors_on_exec() -> io::Result<()> {
    // SAFETY: close_range(2) with CLOSE_RANGE_CLOEXEC closes nothing in this process; it sets a
    // flag on descriptors and takes no pointer. A kernel that does not know it does nothing.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    if outcome == 0 {
        return Ok(());
    }
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        let Some(fd) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        if fd > 2 {
            // SAFETY: fcntl(2) with F_SETFD sets a flag of the descriptor and takes no pointer;
            // one that has been closed meanwhile is an error without consequence.
            unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
    Ok(())
}
