//! Starts another process in namespaces of its own.

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
/// Unlike [`enter_user_namespace`](super::enter_user_namespace) it also works in a process with
/// several threads. The program is killed when the thread that called this function ends.
///
/// # Errors
/// If such namespaces are forbidden, or the program cannot be started.
pub fn spawn_inside(command: &mut Command) -> Result<Child, UserNamespaceError> {
    const ACTION: &str = "start a program in namespaces of its own";
    let conditions = Conditions::read();
    // Allocated here, because nothing may be allocated between fork and exec.
    let uids = format!("0 {} 1", geteuid());
    let gids = format!("0 {} 1", getegid());
    sys::before_exec(command, move || enter(&uids, &gids));
    let started = command.spawn();
    started.map_err(|error| conditions.explain_map(ACTION, errno_of(&error)))
}

/// Runs in the new process before exec. The standard library's file functions do not allocate for
/// paths as short as these.
fn enter(uids: &str, gids: &str) -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWUSER)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", uids)?;
    fs::write("/proc/self/gid_map", gids)?;
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)?;
    // After the change of credentials, which resets the signal (prctl(2)).
    Ok(set_pdeathsig(Signal::SIGKILL)?)
}
