//! Runs programs inside a namespace, as `ip netns exec` does.
//!
//! A program depends on more than its network namespace: `/sys/class/net` shows the interfaces of
//! the namespace in which `/sys` was mounted, and all namespaces share one `/etc/resolv.conf`. So
//! the program gets its own mount namespace, with a new mount of `/sys` and with the files under
//! `/etc/netns/NAME` bind-mounted over those of the same names in `/etc` (ip-netns(8)).

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::statvfs::{FsFlags, statvfs};

use crate::namespace::{Namespace, NamespaceError};
use crate::visible::copy_shared_mount;

impl Namespace {
    /// Moves the calling thread into the namespace permanently, with its own view of `/sys` and
    /// `/etc`, ready for `exec` or for starting children. Needs `CAP_SYS_ADMIN`.
    ///
    /// A mount that fails (in a container, for example) is skipped with a warning in the log: the
    /// thread is in the network namespace regardless.
    pub fn enter_for_exec(&self) -> Result<(), NamespaceError> {
        self.enter_for_good()?;
        unshare(CloneFlags::CLONE_NEWNS)
            .map_err(|errno| NamespaceError::system("make a mount namespace", errno))?;
        // Keeps names that are created or deleted inside visible outside.
        let names = copy_shared_mount();
        // Mounts made outside still propagate here; mounts made here stay here.
        let slave = MsFlags::MS_REC | MsFlags::MS_SLAVE;
        mount(Some(""), "/", Some("none"), slave, None::<&str>)
            .map_err(|errno| NamespaceError::system("detach the mounts", errno))?;
        let name = self.name().map_or("netns", AsRef::as_ref);
        if let Some(names) = names {
            names.put_back();
        }
        mount_sys(name);
        bind_etc(name);
        Ok(())
    }

    /// Starts a program inside the namespace, with its own view of `/sys` and `/etc`.
    ///
    /// The calling thread stays in its namespace. A helper thread starts the program and ends at
    /// once, so do not set `PR_SET_PDEATHSIG` in the command: the signal would be sent when that
    /// thread ends.
    pub fn spawn(&self, command: &mut Command) -> Result<Child, SpawnError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let failed = |source| SpawnError::Start { program, source };
        thread::scope(|scope| {
            let starter = || {
                self.enter_for_exec()?;
                command.spawn().map_err(failed)
            };
            let starter = thread::Builder::new()
                .spawn_scoped(scope, starter)
                .map_err(|error| NamespaceError::io("start a thread", &error))?;
            starter
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

/// Reports why a program cannot be started in a namespace.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The namespace cannot be entered.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// The program cannot be executed.
    #[error("cannot run {program:?}: {source}")]
    Start {
        /// The program.
        program: String,
        /// The error from the system.
        source: io::Error,
    },
}

fn mount_sys(name: &str) {
    // A /sys that is mounted read-only, as in containers, stays read-only.
    let read_only = statvfs("/sys").is_ok_and(|fs| fs.flags().contains(FsFlags::ST_RDONLY));
    let flags = if read_only {
        MsFlags::MS_RDONLY
    } else {
        MsFlags::empty()
    };
    // In a user namespace the old mount is locked and cannot be unmounted; the new mount covers it.
    let _ = umount2("/sys", MntFlags::MNT_DETACH);
    if let Err(errno) = mount(Some(name), "/sys", Some("sysfs"), flags, None::<&str>) {
        log::warn!("/sys cannot be mounted for the namespace {name}: {errno}");
    }
}

fn bind_etc(name: &str) {
    let Ok(entries) = fs::read_dir(Path::new("/etc/netns").join(name)) else {
        return;
    };
    for entry in entries.flatten() {
        let (from, to) = (entry.path(), Path::new("/etc").join(entry.file_name()));
        let none = None::<&str>;
        if let Err(errno) = mount(Some(&from), &to, none, MsFlags::MS_BIND, none) {
            log::warn!(
                "cannot bind-mount {} over {}: {errno}",
                from.display(),
                to.display()
            );
        }
    }
}
