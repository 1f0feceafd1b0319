//! Opening namespaces: by a broker where the switch has given up the right to, else by itself.

use std::ffi::OsString;
use std::io;
use std::os::fd::BorrowedFd;

use nix::unistd::Pid;
use vswitch_netns::{Announcer, Namespace, NamespaceError, NamespaceName, Netlink, Offloads};

use super::broker::{self, Broker, Inside};
use super::{Config, DaemonError};
use crate::rights::{self, MissingRights};
use crate::runtime_dir::RuntimeDir;

/// What opens namespaces.
#[derive(Debug)]
pub(crate) struct Namespaces {
    broker: Option<Broker>,
    /// What was missing when the switch was started.
    missing: Option<MissingRights>,
    /// With which words the successor is started.
    successor: Vec<OsString>,
}

impl Namespaces {
    /// To be called before anything is given up, and before the first thread.
    ///
    /// # Errors
    /// Where there is no process for the broker.
    pub(super) fn new(runtime: &RuntimeDir, config: &Config) -> Result<Self, DaemonError> {
        let missing = rights::require("attach a namespace", rights::ATTACH).err();
        let successor = successor(runtime, config);
        let broker = config.guarded.then(|| Broker::start(&successor));
        Ok(Self {
            broker: broker.transpose()?,
            missing,
            successor,
        })
    }

    /// Whether the switch may attach namespaces at all.
    ///
    /// # Errors
    /// Says what is missing.
    pub(super) fn require(&self) -> Result<(), MissingRights> {
        self.missing.clone().map_or(Ok(()), Err)
    }

    /// The broker's process.
    pub(super) fn broker(&self) -> Option<i32> {
        self.broker.as_ref().map(|broker| broker.pid().as_raw())
    }

    /// Starts the program that is to succeed this switch; see [`Broker::start_successor`].
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn start_successor(&self, standard: [BorrowedFd<'_>; 3]) -> io::Result<Pid> {
        match &self.broker {
            Some(broker) => broker.start_successor(standard),
            None => broker::start_program(&self.successor, standard),
        }
    }

    /// Opens a named namespace; makes it where there is none, if `create`.
    ///
    /// # Errors
    /// As [`Namespace::open`] and [`Namespace::create`] have it.
    pub(super) fn open(
        &self,
        name: &NamespaceName,
        create: bool,
    ) -> Result<Inside, super::LabError> {
        if let Some(broker) = &self.broker {
            return Ok(broker.open(name, create)?);
        }
        let mut created = false;
        let namespace = match Namespace::open(name.as_str()) {
            Err(NamespaceError::NotFound { .. }) if create => {
                created = true;
                Namespace::create(name.as_str())?
            }
            other => other?,
        };
        let opened = || -> Result<_, super::LabError> {
            Ok((
                Netlink::open_in(&namespace)?,
                Offloads::open_in(&namespace)?,
                Announcer::open_in(&namespace)?,
            ))
        };
        let (netlink, offloads, announcer) = opened().inspect_err(|_| {
            if created {
                let _ = Namespace::delete(name.as_str());
            }
        })?;
        Ok(Inside {
            namespace,
            netlink,
            offloads,
            announcer,
            created,
        })
    }

    /// Deletes the namespace that was made last.
    ///
    /// # Errors
    /// As [`Namespace::delete`] has it.
    pub(super) fn delete(&self, name: &NamespaceName) -> Result<(), NamespaceError> {
        match &self.broker {
            Some(broker) => broker.delete(name),
            None => Namespace::delete(name.as_str()),
        }
    }
}

/// With which words the successor is started: it finds all else by what it is handed.
fn successor(runtime: &RuntimeDir, config: &Config) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec![
        "--runtime-dir".into(),
        runtime.path().into(),
        "run".into(),
        config.name.as_str().into(),
        "--successor".into(),
    ];
    // Laid down now: a switch that somebody has taken over cannot start one that keeps all rights.
    if !config.guarded {
        words.push("--no-guard".into());
    }
    words
}
