//! How the kernel schedules a switch's thread, whether it has memory for another, and numbers of
//! descriptors.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::{io, ptr};

/// The same open file under another number, the lowest that is free from `least` on (`F_DUPFD_CLOEXEC`,
/// fcntl(2)).
pub(crate) fn duplicate(descriptor: BorrowedFd<'_>, least: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: the call touches no memory, and the descriptor is open as long as it is borrowed.
    let number = unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Whether the kernel would map so many bytes more now (mmap(2)).
pub(crate) fn try_map(bytes: usize) -> io::Result<()> {
    // SAFETY: a new mapping, wherever there is place, touches nothing that there is.
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
    // SAFETY: it was mapped just now, with this length, and nobody else knows of it.
    unsafe { libc::munmap(place, bytes) };
    Ok(())
}

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
