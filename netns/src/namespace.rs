//! Network namespaces: open handles, and the named ones under `/run/netns`.
//!
//! A named namespace is a file under `/run/netns` with the namespace bind-mounted on it, as in
//! ip-netns(8), so this library and `ip netns` see each other's namespaces.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::panic;
use std::path::{Path, PathBuf};
use std::thread;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::stat::fstat;
use thiserror::Error;

use crate::guard::Entered;
use crate::name::{NameError, NamespaceName};
use crate::probe::{Probed, other_than_network, probe};
use crate::rights::{errno_of, remedy};

/// The directory of named namespaces, shared with iproute2.
pub const NETNS_DIR: &str = "/run/netns";

/// Reports why an operation on a namespace failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NamespaceError {
    /// The name is not valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There is no namespace of this name.
    #[error("there is no network namespace {name}")]
    NotFound {
        /// Its name.
        name: String,
    },
    /// A namespace of this name exists already.
    #[error("the network namespace {name} exists already; delete it first or use another name")]
    Exists {
        /// Its name.
        name: String,
    },
    /// The file exists, but no namespace is mounted on it.
    #[error(
        "the network namespace {name} is stale: {path} has no namespace mounted on it (a crash, \
         or another mount namespace); delete it first or use another name"
    )]
    Stale {
        /// Its name.
        name: String,
        /// Its file.
        path: PathBuf,
    },
    /// Outside this process's mount namespace, the name would refer to nothing.
    #[error(
        "cannot make the network namespace {name} here: this process has a mount namespace of its \
         own (as in 'ip netns exec', or in a service with a private view of files), so that the \
         name would lead nowhere outside; make it outside"
    )]
    Hidden {
        /// The name.
        name: String,
    },
    /// Another kind of file has its name.
    #[error(
        "there is no network namespace {name}, because {NETNS_DIR}/{name} is {what}: remove that, or \
         use another name"
    )]
    Occupied {
        /// Its name.
        name: String,
        /// The kind of file, with its article.
        what: String,
    },
    /// The name refers to another namespace than expected.
    #[error("the name {name} now refers to another network namespace, which was left alone")]
    Replaced {
        /// The name.
        name: String,
    },
    /// The path refers to another kind of file.
    #[error("{path} is not a network namespace but {what}")]
    NotANamespace {
        /// The path.
        path: PathBuf,
        /// The kind of file, with its article.
        what: String,
    },
    /// A system call failed.
    #[error("cannot {action}: {errno}{}", remedy(*.errno, "CAP_SYS_ADMIN"))]
    System {
        /// The operation, with the path or name.
        action: String,
        /// The error from the system.
        errno: Errno,
    },
}

impl NamespaceError {
    pub(crate) fn system(action: impl Into<String>, errno: Errno) -> Self {
        Self::System {
            action: action.into(),
            errno,
        }
    }

    pub(crate) fn io(action: impl Into<String>, error: &io::Error) -> Self {
        Self::system(action, errno_of(error))
    }
}

/// An open handle on a network namespace, which keeps the namespace alive.
///
/// Two handles are equal if they refer to the same namespace, whatever their names.
#[derive(Debug)]
pub struct Namespace {
    fd: OwnedFd,
    device: u64,
    inode: u64,
    name: Option<NamespaceName>,
}

impl PartialEq for Namespace {
    fn eq(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

impl Eq for Namespace {}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<Namespace> for OwnedFd {
    fn from(namespace: Namespace) -> Self {
        namespace.fd
    }
}

impl Namespace {
    /// Opens the calling thread's namespace.
    pub fn current() -> Result<Self, NamespaceError> {
        Self::open_path("/proc/thread-self/ns/net")
    }

    /// Opens the namespace of a running process.
    pub fn of_process(pid: u32) -> Result<Self, NamespaceError> {
        Self::open_path(format!("/proc/{pid}/ns/net"))
    }

    /// Opens the namespace of this name under `/run/netns`.
    pub fn open(name: &str) -> Result<Self, NamespaceError> {
        let name = NamespaceName::new(name)?;
        let path = path_of(name.as_str());
        match probe(&path) {
            Ok(Probed::Network(fd)) => Ok(Self::from_fd(fd)?.with_name(name)),
            Ok(Probed::Plain) => Err(NamespaceError::Stale {
                name: name.to_string(),
                path,
            }),
            Ok(Probed::Other(what)) => Err(NamespaceError::Occupied {
                name: name.to_string(),
                what: what.to_owned(),
            }),
            Err(Errno::ENOENT) => Err(NamespaceError::NotFound {
                name: name.to_string(),
            }),
            Err(errno) => Err(NamespaceError::system(
                format!("open {}", path.display()),
                errno,
            )),
        }
    }

    /// Opens a namespace file, or the namespace mounted on a file. Never blocks, whatever the file
    /// is.
    pub fn open_path(path: impl AsRef<Path>) -> Result<Self, NamespaceError> {
        let path = path.as_ref();
        let what = match probe(path) {
            Ok(Probed::Network(fd)) => return Self::from_fd(fd),
            Ok(Probed::Plain) => "a regular file",
            Ok(Probed::Other(what)) => what,
            Err(errno) => {
                let action = format!("open {}", path.display());
                return Err(NamespaceError::system(action, errno));
            }
        };
        Err(NamespaceError::NotANamespace {
            path: path.to_owned(),
            what: what.to_owned(),
        })
    }

    /// Takes over a descriptor that another process opened, such as a helper with more rights.
    ///
    /// # Errors
    /// [`NamespaceError::NotANamespace`] if the descriptor is not a network namespace.
    pub fn from_descriptor(fd: OwnedFd) -> Result<Self, NamespaceError> {
        let file = File::from(fd);
        let what = other_than_network(&file)
            .map_err(|errno| NamespaceError::system("look at a descriptor", errno))?;
        let Some(what) = what else {
            return Self::from_fd(file.into());
        };
        Err(NamespaceError::NotANamespace {
            path: PathBuf::from(format!("descriptor {}", file.as_raw_fd())),
            what: what.to_owned(),
        })
    }

    /// Creates another handle on the same namespace.
    pub fn try_clone(&self) -> Result<Self, NamespaceError> {
        let fd = self.fd.try_clone();
        let fd = fd.map_err(|error| NamespaceError::io("copy a descriptor", &error))?;
        Ok(Self {
            fd,
            device: self.device,
            inode: self.inode,
            name: self.name.clone(),
        })
    }

    /// Reports whether the namespace has this device and inode number.
    pub(crate) fn is(&self, device: u64, inode: u64) -> bool {
        (self.device, self.inode) == (device, inode)
    }

    /// Wraps a descriptor that is known to be a namespace.
    pub(crate) fn from_fd(fd: OwnedFd) -> Result<Self, NamespaceError> {
        let status =
            fstat(&fd).map_err(|errno| NamespaceError::system("look at a namespace", errno))?;
        Ok(Self {
            fd,
            device: status.st_dev,
            inode: status.st_ino,
            name: None,
        })
    }

    /// Returns the name, if the namespace was opened or created by name.
    #[must_use]
    pub fn name(&self) -> Option<&NamespaceName> {
        self.name.as_ref()
    }

    /// Returns the inode number, which `readlink /proc/PID/ns/net` shows in brackets.
    #[must_use]
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// Returns the device of its file. Together with the inode number it identifies a namespace
    /// among those that exist at the same time.
    #[must_use]
    pub fn device(&self) -> u64 {
        self.device
    }

    /// Describes the namespace in a message.
    fn described(&self) -> String {
        match &self.name {
            Some(name) => format!("the network namespace {name}"),
            None => format!("the network namespace net:[{}]", self.inode),
        }
    }

    /// Returns the same handle with this name.
    #[must_use]
    pub fn with_name(self, name: NamespaceName) -> Self {
        Self {
            name: Some(name),
            ..self
        }
    }

    /// Moves the calling thread into the namespace permanently.
    ///
    /// For a thread or process that needs no other namespace. Otherwise see [`Namespace::enter`]
    /// and [`Namespace::run`].
    pub fn enter_for_good(&self) -> Result<(), NamespaceError> {
        setns(&self.fd, CloneFlags::CLONE_NEWNET)
            .map_err(|errno| NamespaceError::system(format!("enter {}", self.described()), errno))
    }

    /// Moves the calling thread into the namespace until the guard is dropped.
    pub fn enter(&self) -> Result<Entered, NamespaceError> {
        Entered::enter(self)
    }

    /// Runs a closure inside the namespace, on a thread of its own, and returns its result.
    ///
    /// The calling thread stays in its namespace. A panic of the closure propagates to the caller.
    pub fn run<T, F>(&self, work: F) -> Result<T, NamespaceError>
    where
        T: Send,
        F: FnOnce() -> T + Send,
    {
        thread::scope(|scope| {
            let worker = thread::Builder::new()
                .spawn_scoped(scope, || {
                    self.enter_for_good()?;
                    Ok(work())
                })
                .map_err(|error| NamespaceError::io("start a thread", &error))?;
            worker
                .join()
                .unwrap_or_else(|panic| panic::resume_unwind(panic))
        })
    }

    /// Reports whether there is an entry of this name, stale or not.
    #[must_use]
    pub fn exists(name: &str) -> bool {
        NamespaceName::new(name).is_ok() && fs::symlink_metadata(path_of(name)).is_ok()
    }

    /// Lists the entries under `/run/netns`, by name; empty if there is no such directory.
    pub fn list() -> Result<Vec<NamespaceEntry>, NamespaceError> {
        let failed = |error| NamespaceError::io(format!("list {NETNS_DIR}"), &error);
        let entries = match fs::read_dir(NETNS_DIR) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(failed)?,
        };
        let mut list = Vec::new();
        for entry in entries {
            let file_name = entry.map_err(failed)?.file_name();
            let name = file_name.to_string_lossy().into_owned();
            let stale = is_stale(&Path::new(NETNS_DIR).join(&file_name));
            list.push(NamespaceEntry { name, stale });
        }
        list.sort_unstable();
        Ok(list)
    }
}

/// An entry under `/run/netns`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct NamespaceEntry {
    /// The file's name. Other programs may have created it, so it may break the rules for names.
    pub name: String,
    /// Whether the file is not a network namespace, as after a crash.
    pub stale: bool,
}

pub(crate) fn path_of(name: &str) -> PathBuf {
    Path::new(NETNS_DIR).join(name)
}

/// Reports whether an entry is not a network namespace, without opening the file.
fn is_stale(path: &Path) -> bool {
    matches!(probe(path), Ok(Probed::Plain | Probed::Other(_)))
}
