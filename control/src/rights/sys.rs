//! The ioctl that tells whose a namespace is.

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

nix::ioctl_none_bad!(
    /// `NS_GET_USERNS` of linux/nsfs.h.
    ns_get_userns,
    nix::request_code_none!(0xb7, 0x1)
);

/// Whether the calling thread's namespace of this kind ("net", "mnt") belongs to its user
/// namespace, or to one inside that: over any other its capabilities are worth nothing
/// (`user_namespaces(7)`). Where the system does not tell, it does.
pub(super) fn is_over(kind: &str) -> bool {
    let Ok(namespace) = File::open(format!("/proc/thread-self/ns/{kind}")) else {
        return true;
    };
    // SAFETY: NS_GET_USERNS (ioctl_ns(2)) takes no argument and gives a new descriptor.
    match unsafe { ns_get_userns(namespace.as_raw_fd()) } {
        Ok(fd) => {
            // SAFETY: the descriptor is new, and nobody else has it.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
            true
        }
        Err(errno) => errno != Errno::EPERM,
    }
}
