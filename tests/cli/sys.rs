//! Starting a program with fewer capabilities.
#![allow(
    unsafe_code,
    reason = "the child is changed between fork and exec, which no safe call does"
)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Has the program start without this capability (its number in capabilities(7)), and with no
/// way to get it.
pub(super) fn drop_capability(command: &mut Command, capability: libc::c_ulong) {
    let drop = move || {
        // SAFETY: prctl(2) with PR_CAPBSET_DROP takes a number and touches no memory; it is a
        // single system call, which is safe between fork and exec (signal-safety(7)).
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    };
    // SAFETY: the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(drop) };
}
