//! How the kernel schedules a switch's thread.

use std::io;

/// Has the kernel treat the calling thread as one that works in batches (`SCHED_BATCH`, sched(7)).
pub(crate) fn schedule_in_batches() -> io::Result<()> {
    // All that the kernel's structure of parameters has.
    let priority: libc::c_int = 0;
    // By its number: some C libraries have no function that does it.
    // SAFETY: the kernel reads the parameters, which outlive the call; 0 is the calling thread.
    let result = unsafe {
        libc::syscall(
            libc::SYS_sched_setscheduler,
            0,
            libc::SCHED_BATCH,
            &raw const priority,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
