//! How the kernel schedules a switch's thread.

use std::io;

/// Has the kernel treat the calling thread as one that works in batches (`SCHED_BATCH`, sched(7)), if
/// it is scheduled as any other so far: whoever gave it another policy had a reason. Returns whether
/// it was.
pub(crate) fn schedule_in_batches() -> io::Result<bool> {
    // By their numbers: some C libraries have no functions that do it.
    // SAFETY: the call touches no memory; 0 is the calling thread.
    let policy = unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) };
    if policy < 0 {
        return Err(io::Error::last_os_error());
    }
    // With a flag for what its children get (SCHED_RESET_ON_FORK), which would be lost.
    if policy != libc::c_long::from(libc::SCHED_OTHER) {
        return Ok(false);
    }
    // All that the kernel's structure of parameters has.
    let priority: libc::c_int = 0;
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
        Ok(true)
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The calling thread's policy, once it was told to be `policy`.
    fn policy_after(policy: libc::c_int) -> libc::c_long {
        std::thread::spawn(move || {
            let priority: libc::c_int = 0;
            // SAFETY: the kernel reads the parameters, which outlive the call.
            let set = unsafe {
                libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const priority)
            };
            assert_eq!(set, 0);
            schedule_in_batches().unwrap();
            // SAFETY: the call touches no memory.
            unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) }
        })
        .join()
        .unwrap()
    }

    #[test]
    fn only_a_thread_like_any_other_is_scheduled_in_batches() {
        let expected = |policy| libc::c_long::from(policy);
        assert_eq!(policy_after(libc::SCHED_OTHER), expected(libc::SCHED_BATCH));
        // One that everybody may choose; it stands for those that take a right.
        assert_eq!(policy_after(libc::SCHED_IDLE), expected(libc::SCHED_IDLE));
    }
}
