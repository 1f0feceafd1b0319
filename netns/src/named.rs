//! Creates and removes the named namespaces under `/run/netns`.
//!
//! The directory is prepared, and entries are created and removed, in the same steps as by `ip
//! netns add` and `del` of iproute2 (ip/ipnetns.c), under the same lock.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::fstat;

use crate::name::NamespaceName;
use crate::namespace::{NETNS_DIR, Namespace, NamespaceError, path_of};
use crate::probe::{by_descriptor, resolve};
use crate::visible::is_hidden;

/// Unmounts at once, and never follows a symbolic link.
const UNMOUNT: MntFlags = MntFlags::MNT_DETACH.union(MntFlags::UMOUNT_NOFOLLOW);

impl Namespace {
    /// Creates a namespace of this name, with only `lo`, which is down.
    ///
    /// On failure nothing is left behind. Needs `CAP_SYS_ADMIN`.
    pub fn create(name: &str) -> Result<Self, NamespaceError> {
        Self::name_new(name, make_on)
    }

    /// Gives an unnamed namespace a name, under which `ip netns` also finds it.
    ///
    /// So a program can record the namespace before the name exists. On failure nothing is left
    /// behind. Needs `CAP_SYS_ADMIN`.
    pub fn give_name(&self, name: &str) -> Result<Self, NamespaceError> {
        let own = format!("/proc/self/fd/{}", self.as_fd().as_raw_fd());
        Self::name_new(name, |path| {
            bind(&own, path)?;
            Namespace::open_path(path)
        })
    }

    /// Creates the entry `name`, on which `make` mounts the namespace.
    fn name_new(
        name: &str,
        make: impl FnOnce(&Path) -> Result<Self, NamespaceError>,
    ) -> Result<Self, NamespaceError> {
        let name = NamespaceName::new(name)?;
        prepare_directory(&name)?;
        let path = path_of(name.as_str());
        // Exclusive creation decides between two processes that create the same name.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o000)
            .open(&path);
        match file {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(NamespaceError::Exists {
                    name: name.to_string(),
                });
            }
            Err(error) => {
                return Err(NamespaceError::io(
                    format!("create {}", path.display()),
                    &error,
                ));
            }
        }
        make(&path)
            .map(|namespace| namespace.with_name(name))
            .inspect_err(|_| {
                let _ = umount2(&path, UNMOUNT);
                let _ = fs::remove_file(&path);
            })
    }

    /// Creates a namespace without a name. It exists as long as a handle, process or interface
    /// keeps it.
    pub fn create_unnamed() -> Result<Self, NamespaceError> {
        in_new_namespace(Self::current)
    }

    /// Removes a name.
    ///
    /// The namespace itself disappears a little after the last process, handle and socket in it is
    /// gone, together with its interfaces. A stale entry is removed like any other.
    pub fn delete(name: &str) -> Result<(), NamespaceError> {
        let name = NamespaceName::new(name)?;
        let path = path_of(name.as_str());
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
            // A file system that is unrelated to namespaces may be mounted there.
            return Err(is_directory(&name));
        }
        match umount2(&path, UNMOUNT) {
            // EINVAL: nothing is mounted there. The entry is stale, or a symbolic link.
            Ok(()) | Err(Errno::EINVAL) => {}
            Err(Errno::ENOENT) => {
                return Err(NamespaceError::NotFound {
                    name: name.to_string(),
                });
            }
            Err(errno) => {
                return Err(NamespaceError::system(
                    format!("unmount {}", path.display()),
                    errno,
                ));
            }
        }
        remove_entry(&name, &path)
    }

    /// Removes the name of this namespace, if it still refers to this namespace.
    ///
    /// While the handle is open the namespace exists, and no other namespace has its inode number.
    /// The mount that was examined is the one that is unmounted, even if another mount is at its
    /// path by then. Only the empty file is removed by path: if another process removes the name
    /// and creates it again between the two steps, the kernel refuses to remove a file that has a
    /// mount on it (EBUSY), and the new name stays.
    pub fn remove_name(&self) -> Result<(), NamespaceError> {
        let Some(name) = self.name() else {
            return Ok(());
        };
        let path = path_of(name.as_str());
        let action = || format!("unmount {}", path.display());
        let place = match resolve(&path, libc::O_NOFOLLOW) {
            Err(Errno::ENOENT) => {
                return Err(NamespaceError::NotFound {
                    name: name.to_string(),
                });
            }
            other => other.map_err(|errno| NamespaceError::system(action(), errno))?,
        };
        let found = fstat(&place).map_err(|errno| NamespaceError::system(action(), errno))?;
        let replaced = || NamespaceError::Replaced {
            name: name.to_string(),
        };
        if !self.is(found.st_dev, found.st_ino) {
            return Err(replaced());
        }
        match umount2(by_descriptor(&place).as_str(), MntFlags::MNT_DETACH) {
            Ok(()) => remove_entry(name, &path),
            // The mount is gone: another process has removed it in the meantime.
            Err(Errno::EINVAL) => Err(replaced()),
            Err(errno) => Err(NamespaceError::system(action(), errno)),
        }
    }
}

fn is_directory(name: &NamespaceName) -> NamespaceError {
    NamespaceError::Occupied {
        name: name.to_string(),
        what: "a directory".to_owned(),
    }
}

/// Removes the file of a name.
fn remove_entry(name: &NamespaceName, path: &Path) -> Result<(), NamespaceError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(NamespaceError::NotFound {
            name: name.to_string(),
        }),
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => Err(is_directory(name)),
        other => {
            other.map_err(|error| NamespaceError::io(format!("remove {}", path.display()), &error))
        }
    }
}

/// Makes `/run/netns` a shared mount of its own.
///
/// So entries that are mounted there later appear in mount namespaces that were created in the
/// meantime, and removing an entry removes it there too.
fn prepare_directory(name: &NamespaceName) -> Result<(), NamespaceError> {
    let action = |what: &str| format!("{what} {NETNS_DIR}");
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(NETNS_DIR);
    made.map_err(|error| NamespaceError::io(action("make the directory"), &error))?;
    if is_hidden() {
        return Err(NamespaceError::Hidden {
            name: name.to_string(),
        });
    }
    if share().is_ok() {
        return Ok(());
    }
    // Two processes that come here at the same time would bind-mount the directory twice. Any
    // process can hold this lock, so wait for it no longer than a mount takes.
    let _lock = lock_for_a_moment(
        File::open(NETNS_DIR)
            .map_err(|error| NamespaceError::io(action("open the directory"), &error))?,
    );
    match share() {
        Err(Errno::EINVAL) => {
            let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
            mount(Some(NETNS_DIR), NETNS_DIR, Some("none"), bind, None::<&str>)
                .map_err(|errno| NamespaceError::system(action("bind-mount"), errno))?;
            share().map_err(|errno| NamespaceError::system(action("share the mount"), errno))
        }
        other => other.map_err(|errno| NamespaceError::system(action("share the mount"), errno)),
    }
}

/// Takes the lock, unless another process holds it for long.
fn lock_for_a_moment(mut directory: File) -> Option<Flock<File>> {
    let deadline = Instant::now() + Duration::from_secs(1);
    loop {
        match Flock::lock(directory, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Some(lock),
            Err((file, Errno::EWOULDBLOCK | Errno::EINTR)) if Instant::now() < deadline => {
                directory = file;
                thread::sleep(Duration::from_millis(1));
            }
            Err(_) => return None,
        }
    }
}

/// Makes the mount shared; EINVAL if the directory is not a mount yet.
fn share() -> Result<(), Errno> {
    let shared = MsFlags::MS_SHARED | MsFlags::MS_REC;
    mount(Some(""), NETNS_DIR, Some("none"), shared, None::<&str>)
}

/// Creates a namespace and mounts it on `path`.
fn make_on(path: &Path) -> Result<Namespace, NamespaceError> {
    in_new_namespace(|| {
        bind("/proc/thread-self/ns/net", path)?;
        Namespace::current()
    })
}

fn bind(own: &str, path: &Path) -> Result<(), NamespaceError> {
    mount(
        Some(own),
        path,
        Some("none"),
        MsFlags::MS_BIND,
        None::<&str>,
    )
    .map_err(|errno| {
        NamespaceError::system(format!("mount the namespace on {}", path.display()), errno)
    })
}

/// Runs `work` in a thread that has created a new namespace; the calling thread stays in its own.
fn in_new_namespace<F>(work: F) -> Result<Namespace, NamespaceError>
where
    F: FnOnce() -> Result<Namespace, NamespaceError> + Send,
{
    thread::scope(|scope| {
        let worker = thread::Builder::new()
            .spawn_scoped(scope, || {
                unshare(CloneFlags::CLONE_NEWNET)
                    .map_err(|errno| NamespaceError::system("make a network namespace", errno))?;
                work()
            })
            .map_err(|error| NamespaceError::io("start a thread", &error))?;
        worker
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
