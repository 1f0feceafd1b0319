//! Advice for errors that mean a missing right or an exhausted limit.

use nix::errno::Errno;

/// Returns advice to append to an error; empty if there is none.
///
/// `capability` is the capability that the operation needs.
pub(crate) fn remedy(errno: Errno, capability: &str) -> String {
    match errno {
        Errno::EPERM | Errno::EACCES => format!(
            "; {capability} is missing: run as root, or in a user namespace that has network and \
             mount namespaces of its own"
        ),
        Errno::EMFILE | Errno::ENFILE => "; raise the limit of open files (`ulimit -n`)".to_owned(),
        Errno::ENOSPC => "; the limit of namespaces is reached: raise user.max_net_namespaces or \
             user.max_mnt_namespaces"
            .to_owned(),
        _ => String::new(),
    }
}

/// Returns the error number of an I/O error that came from a system call.
pub(crate) fn errno_of(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
