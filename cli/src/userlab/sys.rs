//! What no safe call does: closing all descriptors, changing the environment.

use std::ffi::OsStr;
use std::io;

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
        inherited.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()));
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
