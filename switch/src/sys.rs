//! Scheduling of a switch's thread, a check for free memory, and numbers of descriptors.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::{io, ptr};

/// Duplicates a descriptor to the lowest free number from `least` on (`F_DUPFD_CLOEXEC`, fcntl(2)).
pub(crate) fn duplicate(descriptor: BorrowedFd<'_>, least: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: the call touches no memory, and the descriptor is open as long as it is borrowed.
    let number = unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just created it, and it has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Checks whether the kernel would map `bytes` more bytes now (mmap(2)).
pub(crate) fn try_map(bytes: usize) -> io::Result<()> {
    // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
    let place = unsafe {
        libc::mmap(
            ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if place == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was mapped just now, with this length, and nothing else refers to it.
    unsafe { libc::munmap(place, bytes) };
    Ok(())
}

/// Schedules the calling thread as a batch thread (`SCHED_BATCH`, sched(7)) if it has the default
/// policy: another policy was set on purpose. Returns whether it had the default.
pub(crate) fn schedule_in_batches() -> io::Result<bool> {
    // By system call numbers: some C libraries have no wrappers.
    // SAFETY: the call touches no memory; 0 is the calling thread.
    let policy = unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) };
    if policy < 0 {
        return Err(io::Error::last_os_error());
    }
    // Keeps a policy with the flag for children (SCHED_RESET_ON_FORK), which would be lost.
    if policy != libc::c_long::from(libc::SCHED_OTHER) {
        return Ok(false);
    }
    // The only member of the kernel's structure of parameters.
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

    /// Sets the calling thread's policy to `policy`, then returns the policy it has after the call
    /// under test.
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
        // Any thread may choose this policy; it stands for those that need a capability.
        assert_eq!(policy_after(libc::SCHED_IDLE), expected(libc::SCHED_IDLE));
    }
}
