//! Running programs inside a namespace, as `ip netns exec` does.
//!
//! A program looks at more than its network namespace: `/sys/class/net` shows the interfaces of
//! the namespace in which `/sys` was mounted, and `/etc/resolv.conf` is one for all. So the program
//! gets a mount namespace of its own, with `/sys` mounted anew and the files under
//! `/etc/netns/NAME` over those of the same names in `/etc` (ip-netns(8)).

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::statvfs::{FsFlags, statvfs};

use crate::namespace::{Namespace, NamespaceError};
use crate::visible::keep_shared;

impl Namespace {
    /// Moves the calling thread into the namespace for good, with its own view of `/sys` and
    /// `/etc`, ready for `exec` or for starting children. Needs `CAP_SYS_ADMIN`.
    ///
    /// What cannot be mounted (in a container, say) is left as it is, with a warning in the log:
    /// the network is the namespace's all the same.
    pub fn enter_for_exec(&self) -> Result<(), NamespaceError> {
        self.enter_for_good()?;
        unshare(CloneFlags::CLONE_NEWNS)
            .map_err(|errno| NamespaceError::system("make a mount namespace", errno))?;
        // Namespaces that are made and deleted inside are so outside too.
        let names = keep_shared();
        // Mounts made outside still arrive here, those made here stay here.
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
    /// The calling thread stays where it is. The program is started by a thread that ends at
    /// once: a `PR_SET_PDEATHSIG` in the command would end the program at once too.
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

/// Why a program cannot be started in a namespace.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The namespace cannot be entered.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// The program cannot be run.
    #[error("cannot run {program:?}: {source}")]
    Start {
        /// The program.
        program: String,
        /// Why not.
        source: io::Error,
    },
}

fn mount_sys(name: &str) {
    // A read-only /sys, as containers have it, stays read-only.
    let read_only = statvfs("/sys").is_ok_and(|fs| fs.flags().contains(FsFlags::ST_RDONLY));
    let flags = if read_only {
        MsFlags::MS_RDONLY
    } else {
        MsFlags::empty()
    };
    // In a user namespace the old one cannot be unmounted; the new one then covers it.
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
                "{} cannot be put over {}: {errno}",
                from.display(),
                to.display()
            );
        }
    }
}
