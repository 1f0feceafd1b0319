//! Installing a filter.

use std::io;

use seccompiler::BpfProgram;

/// Installs a filter on this thread and those that it starts. Before Linux 5.16 a filter slows a
/// process down (it switches speculation off, for fear of the code that it confines) unless it
/// is told not to, which is done here: a switch runs nobody else's code.
///
/// # Errors
/// What the system says.
pub(super) fn install(program: &BpfProgram) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let filter = libc::sock_fprog {
        len: length,
        filter: program.as_ptr().cast::<libc::sock_filter>().cast_mut(),
    };
    // SAFETY: the kernel copies `len` instructions from `filter`, which outlives the call and has
    // the layout of the kernel's own (`repr(C)` in seccompiler).
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
            &raw const filter,
        )
    };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
