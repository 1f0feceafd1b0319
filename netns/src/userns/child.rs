//! Starting another process in namespaces of its own.

use std::fs;
use std::io;
use std::process::{Child, Command};

use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{getegid, geteuid};

use super::{Conditions, UserNamespaceError};
use crate::rights::errno_of;
use crate::sys;

/// Starts a program in new user, mount and network namespaces, in which it is root.
///
/// Unlike [`enter_user_namespace`](super::enter_user_namespace) it can be called from a process of
/// many threads. The program is killed when the thread that called this ends.
///
/// # Errors
/// Where such namespaces are forbidden, and where the program cannot be started.
pub fn spawn_inside(command: &mut Command) -> Result<Child, UserNamespaceError> {
    const ACTION: &str = "start a program in namespaces of its own";
    let conditions = Conditions::read();
    // Made here: between fork and exec nothing may be allocated.
    let uids = format!("0 {} 1", geteuid());
    let gids = format!("0 {} 1", getegid());
    sys::before_exec(command, move || enter(&uids, &gids));
    let started = command.spawn();
    started.map_err(|error| conditions.explain_map(ACTION, errno_of(&error)))
}

/// What happens in the new process. The standard library's functions on files allocate nothing for
/// paths as short as these.
fn enter(uids: &str, gids: &str) -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWUSER)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", uids)?;
    fs::write("/proc/self/gid_map", gids)?;
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)?;
    // After the change of rights, which resets it (prctl(2)).
    Ok(set_pdeathsig(Signal::SIGKILL)?)
}
