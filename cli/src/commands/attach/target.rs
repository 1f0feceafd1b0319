//! Which namespace is meant, opened with the rights of who types the command.
//!
//! Theory of operation. A switch has given up the rights to look into other processes, and so has its
//! broker: it opens what is mounted under `/run/netns` and nothing else. What is behind a symbolic link
//! to `/proc/PID/ns/net`, or is that of a process or of a container, this command opens, and
//! passes the descriptor along: so nobody attaches by a switch what they could not open themselves.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use vswitch_netns::{NETNS_DIR, Namespace, NamespaceError, NamespaceName};

use crate::args::AttachArgs;
use crate::container::{self, ContainerError};
use vswitch_control::protocol::{AttachParams, NamespaceSource};
use vswitch_control::rights;

/// How often the namespace of a container that is being restarted is looked for.
const ATTEMPTS: usize = 3;

/// A namespace to attach.
#[derive(Debug)]
pub(super) struct Target {
    /// What it is called.
    pub(super) name: NamespaceName,
    /// The namespace itself, where the switch does not open it by its name.
    pub(super) opened: Option<Namespace>,
    /// How it was found.
    source: NamespaceSource,
}

/// Why the namespace that is meant cannot be attached.
#[derive(Debug, thiserror::Error)]
pub(super) enum TargetError {
    /// There is no name for it.
    #[error("say what to call the namespace: 'vswitch attach NAME {0}'")]
    NoName(&'static str),
    /// There is no such process.
    #[error("there is no process {0}")]
    NoProcess(u32),
    /// A link leads nowhere.
    #[error(
        "{NETNS_DIR}/{name} is a symbolic link that leads nowhere any more (to {target}): link it again ('ln -sfn /proc/PID/ns/net {NETNS_DIR}/{name}'), attach the process with --pid, or remove the link ('vswitch netns del {name}')"
    )]
    Dangling {
        /// The name.
        name: String,
        /// Where it led.
        target: String,
    },
    /// A container may be meant.
    #[error(
        "there is no network namespace '{name}', but {engine} has a running container of that name: 'vswitch attach --container {name}' attaches it, and 'vswitch netns add {name}' first makes an empty namespace"
    )]
    Container {
        /// The name.
        name: String,
        /// The engine.
        engine: String,
    },
    /// The user may not look.
    #[error("cannot open the network namespace of {whose}: {errno}; run the command as root")]
    Denied {
        /// Whose it is.
        whose: String,
        /// Why not.
        errno: Errno,
    },
    /// It is none, or cannot be opened.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// The engine does not have it.
    #[error(transparent)]
    Engine(#[from] ContainerError),
}

impl Target {
    /// The namespace that the command line means.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub(super) fn find(args: &AttachArgs) -> Result<Self, TargetError> {
        if let Some(container) = &args.container {
            let name = args.namespace.as_ref().unwrap_or(container);
            return Self::of_container(name, container, args.engine.as_deref());
        }
        if let Some(pid) = args.pid {
            let name = named(args, "--pid PID")?;
            return Self::of_process(name, pid, None);
        }
        if let Some(path) = &args.path {
            let name = named(args, "--netns PATH")?;
            return Self::at(name, path);
        }
        Self::by_name(named(args, "")?, !args.no_create)
    }

    /// The namespace of a container. Its process may end before that is opened, and its number be
    /// another's, whose namespace is not meant: so the engine is asked again once it is open.
    fn of_container(
        name: &NamespaceName,
        container: &NamespaceName,
        engine: Option<&Path>,
    ) -> Result<Self, TargetError> {
        let mut pid = container::process_of(container, engine)?;
        for _ in 0..ATTEMPTS {
            let found = Self::of_process(name.clone(), pid, Some(container));
            let now = container::process_of(container, engine)?;
            if now == pid {
                return found;
            }
            pid = now;
        }
        Err(ContainerError::Restless(container.to_string()).into())
    }

    fn of_process(
        name: NamespaceName,
        pid: u32,
        container: Option<&NamespaceName>,
    ) -> Result<Self, TargetError> {
        let whose = match container {
            Some(container) => format!("the container {container} (process {pid})"),
            None => format!("the process {pid}"),
        };
        let namespace = Namespace::of_process(pid).map_err(|error| match errno_of(&error) {
            Some(Errno::ENOENT | Errno::ESRCH) => TargetError::NoProcess(pid),
            Some(errno @ (Errno::EACCES | Errno::EPERM)) => TargetError::Denied { whose, errno },
            _ => error.into(),
        })?;
        Ok(Self {
            name,
            opened: Some(namespace),
            source: NamespaceSource {
                pid: Some(pid),
                path: None,
                container: container.map(ToString::to_string),
            },
        })
    }

    /// The namespace at a path, which may be a link to that of a process.
    fn at(name: NamespaceName, path: &Path) -> Result<Self, TargetError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let namespace = Namespace::open_path(&path).map_err(|error| denied(error, &path))?;
        Ok(Self::found_at(name, &path, namespace))
    }

    fn found_at(name: NamespaceName, path: &Path, namespace: Namespace) -> Self {
        let led_to = fs::read_link(path).ok();
        let pid = process_in(path).or_else(|| process_in(led_to.as_deref()?));
        // A path in /proc says no more than the process does, which is known for certain.
        let path = process_in(path).is_none().then(|| path.to_owned());
        Self {
            name,
            opened: Some(namespace),
            source: NamespaceSource {
                pid,
                path,
                container: None,
            },
        }
    }

    /// The namespace of this name. Who has no rights over mounts has a switch elsewhere, in a lab
    /// of their own, where the name may mean something else: the switch looks itself.
    fn by_name(name: NamespaceName, create: bool) -> Result<Self, TargetError> {
        if rights::are_held(rights::NAMESPACE) {
            let path = Path::new(NETNS_DIR).join(name.as_str());
            match fs::read_link(&path) {
                Ok(target) => return Self::behind_link(name, &path, &target),
                Err(error) if error.kind() == ErrorKind::NotFound && create => {
                    if let Some(engine) = container::engine_of(&name) {
                        let name = name.to_string();
                        return Err(TargetError::Container { name, engine });
                    }
                }
                // It is no link.
                Err(_) => {}
            }
        }
        Ok(Self {
            name,
            opened: None,
            source: NamespaceSource::default(),
        })
    }

    fn behind_link(name: NamespaceName, path: &Path, target: &Path) -> Result<Self, TargetError> {
        let dangling = || TargetError::Dangling {
            name: name.to_string(),
            target: target.to_string_lossy().escape_debug().to_string(),
        };
        // The link of a process that has ended.
        if fs::metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return Err(dangling());
        }
        let namespace = Namespace::open(name.as_str()).map_err(|error| denied(error, path))?;
        Ok(Self::found_at(name, path, namespace))
    }

    /// What is to be said of it to the switch.
    pub(super) fn describe(&self, params: AttachParams) -> AttachParams {
        AttachParams {
            namespace: self.name.to_string(),
            descriptor: self.opened.is_some(),
            pid: self.source.pid,
            path: self.source.path.clone(),
            container: self.source.container.clone(),
            ..params
        }
    }
}

fn named(args: &AttachArgs, by: &'static str) -> Result<NamespaceName, TargetError> {
    args.namespace.clone().ok_or(TargetError::NoName(by))
}

fn denied(error: NamespaceError, path: &Path) -> TargetError {
    match errno_of(&error) {
        Some(errno @ (Errno::EACCES | Errno::EPERM)) => TargetError::Denied {
            whose: path.display().to_string(),
            errno,
        },
        _ => error.into(),
    }
}

const fn errno_of(error: &NamespaceError) -> Option<Errno> {
    match error {
        NamespaceError::System { errno, .. } => Some(*errno),
        _ => None,
    }
}

/// The process of a path like `/proc/4711/ns/net`.
fn process_in(path: &Path) -> Option<u32> {
    let pid = path.strip_prefix("/proc").ok()?.iter().next()?.to_str()?;
    let pid: u32 = pid.parse().ok()?;
    let whole = PathBuf::from(format!("/proc/{pid}/ns/net"));
    (path == whole).then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_read_out_of_its_path_alone() {
        let pid = |path: &str| process_in(Path::new(path));
        assert_eq!(pid("/proc/4711/ns/net"), Some(4711));
        for other in [
            "/proc/self/ns/net",
            "/proc/4711/ns/mnt",
            "/proc/4711/ns/net/x",
            "/run/netns/4711",
            "proc/4711/ns/net",
        ] {
            assert_eq!(pid(other), None, "{other}");
        }
    }
}
