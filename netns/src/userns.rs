//! Namespaces without root: a user namespace in which the caller is root (`user_namespaces(7)`).
//!
//! Inside it, with a network namespace of its own, an ordinary user may do nearly all that root
//! may: veth pairs, packet sockets, TAP devices, addresses. Loading eBPF programs stays forbidden.

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

/// Why a process cannot have namespaces of its own.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UserNamespaceError {
    /// A user namespace is entered by a whole process, which has to have one thread.
    #[error(
        "this process has {threads} threads; a user namespace can only be entered before the \
         second one is started"
    )]
    Threads {
        /// How many it has.
        threads: usize,
    },
    /// A setting of the system forbids it.
    #[error(
        "cannot {action}: {errno}; the sysctl {sysctl} is {value}: allow it with `sysctl \
         {sysctl}={remedy}` as root{or_else}, or run as root"
    )]
    Forbidden {
        /// What was being done.
        action: &'static str,
        /// Why not.
        errno: Errno,
        /// The setting.
        sysctl: &'static str,
        /// What it is.
        value: String,
        /// What it would have to be.
        remedy: &'static str,
        /// What else would allow it; empty, or the rest of a sentence.
        or_else: &'static str,
    },
    /// Something else forbids it.
    #[error("cannot {action}: {errno}; {obstacle}")]
    Refused {
        /// What was being done.
        action: &'static str,
        /// Why not.
        errno: Errno,
        /// What stands in the way, probably, and what to do.
        obstacle: &'static str,
    },
    /// The mounts cannot be separated from those of the rest of the system.
    #[error("cannot {action}: {errno}; CAP_SYS_ADMIN in the mount namespace is needed")]
    Mount {
        /// What was being done.
        action: &'static str,
        /// Why not.
        errno: Errno,
    },
}

/// Moves the process into new user, mount and network namespaces, in which it is root.
///
/// To be called before the second thread is started. If it fails half-way the process may be left
/// in the new user namespace: it should then say so and end.
pub fn enter_user_namespace() -> Result<(), UserNamespaceError> {
    let threads = fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 {
        return Err(UserNamespaceError::Threads { threads });
    }
    let (uid, gid) = (geteuid(), getegid());
    let conditions = Conditions::read();
    unshare(CloneFlags::CLONE_NEWUSER)
        .map_err(|errno| conditions.explain("make a user namespace", errno))?;
    // AppArmor may let the namespace be made and then take every right in it away.
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

/// Moves the process into a mount and a network namespace that nobody else is in, inside a user
/// namespace unless it may do so without, and puts an empty `/run` there.
///
/// What is then made (named namespaces, interfaces, sockets under `/run`) is seen by no other
/// process, and goes with the last process in it: for demonstrations and tests. To be called
/// before the second thread is started.
pub fn enter_private_namespaces() -> Result<(), UserNamespaceError> {
    let inner = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET;
    // Root of a container may lack CAP_SYS_ADMIN: a user namespace may then still be possible.
    if !geteuid().is_root() || unshare(inner).is_err() {
        enter_user_namespace()?;
    }
    private_mounts()?;
    private_run()
}

/// Makes the mounts of the calling thread's mount namespace private: what is mounted from now on
/// is not seen elsewhere, and the other way round.
pub fn private_mounts() -> Result<(), UserNamespaceError> {
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
        .map_err(|errno| mount_refused("make the mounts private", errno))
}

/// Makes the mounts of the calling thread's mount namespace follow those of the namespace that it
/// was made of: what is mounted and unmounted there is so here too, and not the other way round.
///
/// For a namespace that lives long: one with private mounts holds on to what the system unmounts.
pub fn slave_mounts() -> Result<(), UserNamespaceError> {
    let slave = MsFlags::MS_REC | MsFlags::MS_SLAVE;
    mount(None::<&str>, "/", None::<&str>, slave, None::<&str>)
        .map_err(|errno| mount_refused("detach the mounts", errno))
}

/// Mounts an empty tmpfs on `/run`: nothing of the system's `/run` is seen or changed from then
/// on. Call [`private_mounts`] first.
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

/// Why a mount was refused: by what lets user namespaces be made and takes the rights in them
/// away, or because this process never had them.
fn mount_refused(action: &'static str, errno: Errno) -> UserNamespaceError {
    let own = Path::new("/proc/self/uid_map");
    let is_initial = fs::read_to_string(own).is_ok_and(|map| map.contains("4294967295"));
    match Conditions::read().explain(action, errno) {
        forbidden @ UserNamespaceError::Forbidden { .. } if !is_initial => forbidden,
        _ => UserNamespaceError::Mount { action, errno },
    }
}
