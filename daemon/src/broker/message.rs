//! What a switch and its broker say to each other.

use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use vswitch_netns::NamespaceError;
use vswitch_switch::port::PortData;

use crate::lab::DeviceError;

/// No message is longer.
pub(super) const MAX_BYTES: usize = 4096;

/// What the broker can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Request {
    /// A namespace: answered with four descriptors, of it and of three sockets in it.
    Open {
        /// Its name.
        name: String,
        /// Whether to make it where there is none.
        create: bool,
        /// When nobody waits any more, by the clock that does not jump.
        until: Duration,
    },
    /// Sockets in a namespace; comes with its descriptor, and is answered as `Open` is.
    Adopt {
        /// When nobody waits any more.
        until: Duration,
    },
    /// A device for a port: answered with its descriptors.
    Device {
        /// The kind of port.
        kind: String,
        /// The interface.
        name: String,
    },
    /// The removal of the namespace that was made last.
    Delete {
        /// Its name.
        name: String,
    },
    /// The namespace that was made last is to stay. Not answered.
    Keep,
    /// The successor; comes with three descriptors.
    Start,
    /// The removal of the file of the socket for metrics. Not answered.
    RemoveSocket,
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The descriptors come along.
    Opened {
        /// Whether it was made.
        created: bool,
    },
    /// The descriptors of the device come along.
    Device(PortData),
    /// The device could not be opened.
    NoDevice(DeviceError),
    /// It is gone.
    Deleted,
    /// It runs.
    Started {
        /// As this process.
        pid: i32,
    },
    /// It could not be done.
    Refused(Refusal),
}

/// Why something could not be done: a [`NamespaceError`] on its way.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Refusal {
    /// There is no such namespace.
    NotFound(String),
    /// There is one already.
    Exists(String),
    /// There is a file and no namespace.
    Stale(String, PathBuf),
    /// There is something else under its name, which comes second.
    Occupied(String, String),
    /// Its name leads to another one by now.
    Replaced(String),
    /// Its name would lead nowhere outside.
    Hidden(String),
    /// The path leads to something else, which comes second.
    NotANamespace(PathBuf, String),
    /// The system refused: what, and the error number.
    System(String, i32),
}

impl Request {
    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

impl Answer {
    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

impl From<NamespaceError> for Refusal {
    fn from(error: NamespaceError) -> Self {
        match error {
            NamespaceError::NotFound { name } => Self::NotFound(name),
            NamespaceError::Exists { name } => Self::Exists(name),
            NamespaceError::Stale { name, path } => Self::Stale(name, path),
            NamespaceError::Occupied { name, what } => Self::Occupied(name, what),
            NamespaceError::Replaced { name } => Self::Replaced(name),
            NamespaceError::Hidden { name } => Self::Hidden(name),
            NamespaceError::NotANamespace { path, what } => Self::NotANamespace(path, what),
            NamespaceError::System { action, errno } => Self::System(action, errno as i32),
            // A name that breaks the rules: the switch has checked it before.
            other => Self::System(other.to_string(), Errno::EINVAL as i32),
        }
    }
}

impl From<Refusal> for NamespaceError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound(name) => Self::NotFound { name },
            Refusal::Exists(name) => Self::Exists { name },
            Refusal::Stale(name, path) => Self::Stale { name, path },
            Refusal::Occupied(name, what) => Self::Occupied { name, what },
            Refusal::Replaced(name) => Self::Replaced { name },
            Refusal::Hidden(name) => Self::Hidden { name },
            Refusal::NotANamespace(path, what) => Self::NotANamespace { path, what },
            Refusal::System(action, errno) => Self::System {
                action,
                errno: Errno::from_raw(errno),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_arrives_as_it_left() {
        let name = || "mario".to_owned();
        for error in [
            NamespaceError::NotFound { name: name() },
            NamespaceError::Exists { name: name() },
            NamespaceError::Replaced { name: name() },
            NamespaceError::Hidden { name: name() },
            NamespaceError::Occupied {
                name: name(),
                what: "a FIFO".to_owned(),
            },
            NamespaceError::System {
                action: "open it".to_owned(),
                errno: Errno::EPERM,
            },
        ] {
            let text = error.to_string();
            let bytes = Answer::Refused(error.into()).encode();
            assert!(bytes.len() < MAX_BYTES);
            let Some(Answer::Refused(refusal)) = Answer::decode(&bytes) else {
                panic!("{text}");
            };
            assert_eq!(NamespaceError::from(refusal).to_string(), text);
        }
    }

    #[test]
    fn nothing_else_is_understood() {
        for bytes in [&b"{}"[..], b"", b"\"Stop\"", b"{\"Open\":{\"name\":\"a\"}}"] {
            assert_eq!(Request::decode(bytes), None, "{bytes:?}");
        }
    }
}
