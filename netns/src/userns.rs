//! Creates namespaces without root: a user namespace in which the caller is root
//! (`user_namespaces(7)`).
//!
//! Inside it, with a network namespace of its own, an ordinary user may do nearly everything that
//! root may: veth pairs, packet sockets, TAP devices, addresses. Loading eBPF programs is not
//! allowed.

mod child;
mod obstacle;

use std::fs;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};
use thiserror::Error;

use crate::rights::errno_of;
pub use child::spawn_inside;
use obstacle::Conditions;

/// Reports why a process cannot create namespaces.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UserNamespaceError {
    /// Only a process with a single thread can enter a user namespace.
    #[error(
        "this process has {threads} threads; a user namespace can only be entered before the \
         second one is started"
    )]
    Threads {
        /// The number of threads.
        threads: usize,
    },
    /// A system setting forbids it.
    #[error(
        "cannot {action}: {errno}; the sysctl {sysctl} is {value}: allow it with `sysctl \
         {sysctl}={remedy}` as root{or_else}, or run as root"
    )]
    Forbidden {
        /// The operation, as a verb.
        action: &'static str,
        /// The error from the system.
        errno: Errno,
        /// The name of the setting.
        sysctl: &'static str,
        /// Its value.
        value: String,
        /// The value that would allow it.
        remedy: &'static str,
        /// Another way to allow it: empty, or the rest of a sentence.
        or_else: &'static str,
    },
    /// Something other than a setting forbids it.
    #[error("cannot {action}: {errno}; {obstacle}")]
    Refused {
        /// The operation, as a verb.
        action: &'static str,
        /// The error from the system.
        errno: Errno,
        /// The probable cause, and what to do.
        obstacle: &'static str,
    },
    /// The process's mounts cannot be separated from those of the rest of the system.
    #[error("cannot {action}: {errno}; CAP_SYS_ADMIN in the mount namespace is needed")]
    Mount {
        /// The operation, as a verb.
        action: &'static str,
        /// The error from the system.
        errno: Errno,
    },
}

/// Moves the process into new user, mount and network namespaces, in which it is root.
///
/// Call it before a second thread is started. If it fails half-way, the process may be left in the
/// new user namespace: it should report the error and exit.
pub fn enter_user_namespace() -> Result<(), UserNamespaceError> {
    let threads = fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 {
        return Err(UserNamespaceError::Threads { threads });
    }
    let (uid, gid) = (geteuid(), getegid());
    let conditions = Conditions::read();
    unshare(CloneFlags::CLONE_NEWUSER)
        .map_err(|errno| conditions.explain("make a user namespace", errno))?;
    // AppArmor may allow the namespace and then remove every capability inside it.
    let write = |path: &str, text: &str, action| {
        fs::write(path, text).map_err(|error| conditions.explain_map(action, errno_of(&error)))
    };
    write("/proc/self/setgroups", "deny", "give up setgroups")?;
    let map = format!("0 {uid} 1");
    write("/proc/self/uid_map", &map, "map the user to root")?;
    let map = format!("0 {gid} 1");
    write("/proc/self/gid_map", &map, "map the group to root")?;
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)
        .map_err(|errno| conditions.explain("make a mount and a network namespace", errno))
}

/// Moves the process into new mount and network namespaces, inside a user namespace unless the
/// process may create them without one, and mounts an empty `/run` there.
/// No other process sees what is created inside (named namespaces, interfaces, sockets under
/// `/run`), and it disappears with the last process inside: for demonstrations and tests. Call it
/// before a second thread is started.
pub fn enter_private_namespaces() -> Result<(), UserNamespaceError> {
    let inner = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET;
    // Root in a container may lack CAP_SYS_ADMIN; a user namespace may still be possible.
    if !geteuid().is_root() || unshare(inner).is_err() {
        enter_user_namespace()?;
    }
    private_mounts()?;
    private_run()
}

/// Makes the mounts of the calling thread's mount namespace private: later mounts do not propagate
/// to or from other mount namespaces.
pub fn private_mounts() -> Result<(), UserNamespaceError> {
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
        .map_err(|errno| mount_refused("make the mounts private", errno))
}

/// Makes the mounts of the calling thread's mount namespace slaves of those from which they were
/// copied: mounts and unmounts propagate from there to here, and not back.
///
/// For a namespace that exists for long: with private mounts it would keep what the system unmounts
/// busy.
pub fn slave_mounts() -> Result<(), UserNamespaceError> {
    let slave = MsFlags::MS_REC | MsFlags::MS_SLAVE;
    mount(None::<&str>, "/", None::<&str>, slave, None::<&str>)
        .map_err(|errno| mount_refused("detach the mounts", errno))
}

/// Mounts an empty tmpfs on `/run`, which hides the system's `/run` from then on. Call
/// [`private_mounts`] first.
pub fn private_run() -> Result<(), UserNamespaceError> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(
        Some("tmpfs"),
        "/run",
        Some("tmpfs"),
        flags,
        Some("mode=0755"),
    )
    .map_err(|errno| mount_refused("mount an empty /run", errno))
}

/// Explains why a mount was refused: a security module removed the capabilities in the user
/// namespace, or this process never had them.
fn mount_refused(action: &'static str, errno: Errno) -> UserNamespaceError {
    let own = Path::new("/proc/self/uid_map");
    let is_initial = fs::read_to_string(own).is_ok_and(|map| map.contains("4294967295"));
    match Conditions::read().explain(action, errno) {
        forbidden @ UserNamespaceError::Forbidden { .. } if !is_initial => forbidden,
        _ => UserNamespaceError::Mount { action, errno },
    }
}
