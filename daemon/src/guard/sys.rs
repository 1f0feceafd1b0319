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

/// A call that is of no use to anybody (it was a profiler's, and newer kernels lack it), and which a filter
/// answers with a mark of its own.
pub(super) const PROBE: libc::c_long = libc::SYS_lookup_dcookie;

/// With what error that call is refused.
pub(super) fn errno_of_probe() -> Option<i32> {
    // SAFETY: no buffer is given, and its length is zero: nothing is read or written.
    let outcome = unsafe { libc::syscall(PROBE, 0_u64, 0_usize, 0_usize) };
    (outcome < 0)
        .then(|| io::Error::last_os_error().raw_os_error())
        .flatten()
}

/// Has the kernel refuse memory that becomes executable (`PR_SET_MDWE`, Linux 6.3), in the whole
/// process.
///
/// # Errors
/// EINVAL where the kernel does not know it.
pub(super) fn refuse_new_code() -> io::Result<()> {
    let refuse = libc::c_ulong::from(libc::PR_MDWE_REFUSE_EXEC_GAIN);
    let none: libc::c_ulong = 0;
    // SAFETY: the call takes numbers and touches no memory.
    let outcome = unsafe { libc::prctl(libc::PR_SET_MDWE, refuse, none, none, none) };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
