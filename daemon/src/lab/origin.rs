//! How the namespace behind a port was found, and whether it is still the one that is meant.
//!
//! Theory of operation. A container that was started again has another namespace; the old one lives on
//! as long as anything holds it, and its port with it, up and of no use to anybody. What tells of that
//! without any rights: the file of the name is another one (stat(2) on what is mounted there), the
//! symbolic link is gone or leads to another process, or the process has ended. The last is
//! known by a descriptor of the process (`pidfd_open`(2)), so that another one with its number is
//! not taken for it.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use vswitch_netns::NETNS_DIR;
use vswitch_switch::port::LinkState;

use super::Plug;
use super::home::Home;
use super::kinds::Cable;
use crate::broker::Inside;
use vswitch_control::protocol::NamespaceSource;

/// Which namespace is behind a port, and how it was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    /// Which one it is; none where that is not known.
    pub(super) home: Option<Home>,
    /// How it was found, unless by its name under `/run/netns`.
    pub(super) source: Option<NamespaceSource>,
    /// The process whose it is.
    process: Process,
}

/// A process, as far as it can be watched.
#[derive(Clone, Debug, Default)]
enum Process {
    /// It cannot be, or there is none.
    #[default]
    Unknown,
    /// Its descriptor becomes readable when it ends.
    Watched(Arc<OwnedFd>),
    /// It had ended when it was looked for.
    Ended,
}

impl Process {
    /// The process of this number, which is there if it `is_alive`.
    fn find(pid: u32, is_alive: bool) -> Self {
        let raw = i32::try_from(pid).unwrap_or_default();
        let Some(pid) = Pid::from_raw(raw) else {
            return Self::Unknown;
        };
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(process) => Self::Watched(Arc::new(process)),
            Err(rustix::io::Errno::SRCH) if !is_alive => Self::Ended,
            Err(_) => Self::Unknown,
        }
    }

    fn has_ended(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::Ended => true,
            Self::Watched(process) => {
                let mut wanted = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
                poll(&mut wanted, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
            }
        }
    }
}

impl Origin {
    /// That of a namespace which was just opened.
    pub(super) fn new(inside: &Inside, source: Option<NamespaceSource>) -> Self {
        let mut source = source;
        let pid = source.as_ref().and_then(|source| source.pid);
        let process = pid.map_or(Process::Unknown, |pid| Process::find(pid, true));
        if let (Process::Unknown, Some(source)) = (&process, &mut source) {
            // A number of another process namespace says nothing here.
            source.pid = None;
        }
        Self {
            home: Some(Home::of(inside)),
            source,
            process,
        }
    }

    /// As it was kept.
    pub(super) fn recalled(home: Option<Home>, source: Option<NamespaceSource>) -> Self {
        let pid = source.as_ref().and_then(|source| source.pid);
        Self {
            home,
            process: pid.map_or(Process::Unknown, |pid| Process::find(pid, false)),
            source,
        }
    }
}

/// Why the namespace behind a port is not the one that is meant any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stray {
    /// Its name is gone, or leads nowhere.
    NameGone,
    /// Its name leads to another one.
    NameMoved,
    /// The process whose it was has ended.
    ProcessEnded,
}

impl Plug {
    /// Why the namespace behind it is not the one that is meant any more; none if it is, or if
    /// that cannot be told.
    pub(super) fn stray(&self) -> Option<Stray> {
        let Cable {
            namespace, origin, ..
        } = self.kind.cable()?;
        let own = || Path::new(NETNS_DIR).join(namespace);
        let by_name = match &origin.source {
            None => looked_up(&own(), origin.home.as_ref()?, None),
            Some(source) => source.path.as_ref().and_then(|path| {
                let home = origin.home.as_ref()?;
                looked_up(path, home, source.pid)
            }),
        };
        by_name.or_else(|| origin.process.has_ended().then_some(Stray::ProcessEnded))
    }

    /// All that is wrong with it, a sentence each.
    pub(super) fn all_warnings(&self) -> Vec<String> {
        let mut warnings = self.warnings();
        warnings.extend(self.stray_warning());
        warnings
    }

    /// What is wrong with the namespace behind it and what to do, as a sentence.
    fn stray_warning(&self) -> Option<String> {
        let Cable {
            namespace, origin, ..
        } = self.kind.cable()?;
        let source = origin.source.as_ref();
        let container = source.and_then(|source| source.container.as_deref());
        let again = match (container, source) {
            (Some(container), _) if container == namespace => {
                format!("'vswitch attach --container {container}'")
            }
            (Some(container), _) => {
                format!("'vswitch attach {namespace} --container {container}'")
            }
            (None, Some(source)) if source.path.is_none() => {
                format!("'vswitch attach {namespace} --pid PID'")
            }
            _ => format!("'vswitch attach {namespace}'"),
        };
        let is_absent = self.link == LinkState::Absent;
        let told = match self.stray()? {
            Stray::NameGone if is_absent => format!(
                "there is no namespace named {namespace} any more: once there is one again, {again} \
                 attaches it"
            ),
            Stray::NameGone => format!(
                "there is no namespace named {namespace} any more, though the attached one is still \
                 in use: once there is one again, {again} attaches it"
            ),
            Stray::NameMoved => format!(
                "the name {namespace} now belongs to another namespace than the attached one: {again} \
                 replaces this port"
            ),
            Stray::ProcessEnded => {
                let pid = source.and_then(|source| source.pid).unwrap_or_default();
                let whose = container.map_or_else(
                    || format!("the process {pid}"),
                    |container| format!("the process {pid} of the container {container}"),
                );
                format!(
                    "{whose}, whose namespace is attached, has ended: {again} replaces this port"
                )
            }
        };
        Some(format!(
            "{told}; 'vswitch detach {namespace}' removes this port"
        ))
    }
}

/// Whether a path still leads to this namespace, which may be that of a process. What cannot be
/// looked at is taken for unchanged.
fn looked_up(path: &Path, home: &Home, pid: Option<u32>) -> Option<Stray> {
    match fs::metadata(path) {
        Ok(found) => {
            let is_same = (found.dev(), found.ino()) == (home.device, home.inode);
            (!is_same).then_some(Stray::NameMoved)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Some(Stray::NameGone),
        // The namespace of another process may not be looked at: which one it is, the link says.
        Err(_) => {
            let target = fs::read_link(path).ok()?;
            let was = format!("/proc/{}/ns/net", pid?);
            (target != Path::new(&was)).then_some(Stray::NameMoved)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_process_is_noticed() {
        let own = std::process::id();
        let process = Process::find(own, true);
        assert!(matches!(process, Process::Watched(_)), "{process:?}");
        assert!(!process.has_ended());
        // It waits for input, and so until it is killed.
        let mut other = std::process::Command::new("/bin/sh");
        other.args(["-c", "read line"]);
        let mut other = other.stdin(std::process::Stdio::piped()).spawn().unwrap();
        let process = Process::find(other.id(), true);
        assert!(!process.has_ended());
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(process.has_ended());
        // No process has the greatest number.
        let none = Process::find(i32::MAX.unsigned_abs(), false);
        assert!(none.has_ended());
        assert!(!Process::find(i32::MAX.unsigned_abs(), true).has_ended());
        assert!(!Process::find(0, true).has_ended());
    }

    #[test]
    fn a_path_is_compared_by_what_it_leads_to() {
        let path = Path::new("/proc/self/ns/net");
        let found = fs::metadata(path).unwrap();
        let mut home = Home {
            cookie: None,
            device: found.dev(),
            inode: found.ino(),
        };
        assert_eq!(looked_up(path, &home, None), None);
        home.inode += 1;
        assert_eq!(looked_up(path, &home, None), Some(Stray::NameMoved));
        let missing = Path::new("/nothing/is/here");
        assert_eq!(looked_up(missing, &home, None), Some(Stray::NameGone));
    }
}
