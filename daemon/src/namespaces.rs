//! Opening namespaces: by a broker where the switch has given up the right to, else by itself.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Instant;

use nix::unistd::Pid;
use vswitch_netns::{Announcer, Namespace, NamespaceError, NamespaceName, Netlink, Offloads};
use vswitch_switch::port::PortParts;

use super::broker::{self, Broker, Inside};
use super::lab::open_device;
use super::{Config, DaemonError};
use vswitch_control::metrics::Listener;
use vswitch_control::rights::{self, MissingRights};
use vswitch_control::runtime_dir::RuntimeDir;
use vswitch_control::settings::GuardMode;

/// What opens namespaces.
#[derive(Debug)]
pub(crate) struct Namespaces {
    broker: Option<Broker>,
    /// What was made last without a broker, until it is to stay.
    made: RefCell<Option<Namespace>>,
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
    pub(super) fn new(
        runtime: &RuntimeDir,
        config: &Config,
        metrics: Option<&Listener>,
    ) -> Result<Self, DaemonError> {
        let missing = rights::require("attach a namespace", rights::ATTACH).err();
        let successor = successor(runtime, config);
        let file = metrics.and_then(Listener::file);
        let start = || Broker::start(&successor, file);
        let broker = (config.guard != GuardMode::Off).then(start);
        Ok(Self {
            broker: broker.transpose()?,
            made: RefCell::new(None),
            missing,
            successor,
        })
    }

    /// Leaves it to the broker to remove the file of the socket for metrics. To be called just before the
    /// right to is given up: the broker ends before what is dropped later.
    ///
    /// # Errors
    /// Where there is no descriptor left.
    pub(super) fn take_file_of(&self, metrics: Option<&mut Listener>) -> io::Result<()> {
        if let (Some(metrics), Some(broker)) = (metrics, &self.broker) {
            metrics.remove_by(Box::new(broker.remover()?));
        }
        Ok(())
    }

    /// Whether the switch may attach namespaces at all.
    ///
    /// # Errors
    /// Says what is missing.
    pub(super) fn require(&self) -> Result<(), MissingRights> {
        self.missing.clone().map_or(Ok(()), Err)
    }

    /// The broker's process that is asked next.
    pub(super) fn broker(&self) -> Option<i32> {
        Some(self.broker.as_ref()?.pid()?.as_raw())
    }

    /// Its processes that live.
    pub(super) fn brokers(&self) -> Vec<i32> {
        self.broker.as_ref().map(Broker::pids).unwrap_or_default()
    }

    /// What becomes readable when one of the broker's processes has ended, or says something late.
    pub(super) fn news_fds(&self) -> impl Iterator<Item = RawFd> {
        self.broker.iter().flat_map(Broker::fds)
    }

    /// Takes note of that; `index` is its place among them.
    pub(super) fn notice(&self, index: usize) {
        if let Some(broker) = &self.broker {
            broker.notice(index);
        }
    }

    /// Whether requests for namespaces that take long may be put off from here on.
    pub(super) fn let_put_off(&self, may: bool) {
        if let Some(broker) = &self.broker {
            broker.let_put_off(may);
        }
    }

    /// Whether one was, since this was asked last; see [`Broker::take_put_off`].
    pub(super) fn take_put_off(&self) -> bool {
        self.broker.as_ref().is_some_and(Broker::take_put_off)
    }

    /// Whether what was put off is to be tried again, since this was asked last.
    pub(super) fn take_due(&self) -> bool {
        self.broker.as_ref().is_some_and(Broker::take_due)
    }

    /// When to ask for that.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.broker.as_ref()?.deadline()
    }

    /// All that was put off was tried again.
    pub(super) fn tidy_up(&self) {
        if let Some(broker) = &self.broker {
            broker.tidy_up();
        }
    }

    /// What is wrong with the broker's processes, a sentence each.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.broker
            .as_ref()
            .map(Broker::warnings)
            .unwrap_or_default()
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

    /// Opens a named namespace; makes it where there is none, if `create`. One that was made can be
    /// deleted until [`Self::keep`] is called, or another one is asked for.
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
        self.keep();
        let (namespace, created) = match Namespace::open(name.as_str()) {
            Err(NamespaceError::NotFound { .. }) if create => {
                (Namespace::create(name.as_str())?, true)
            }
            other => (other?, false),
        };
        let opened = || -> Result<_, super::LabError> {
            Ok((
                Netlink::open_in(&namespace)?,
                Offloads::open_in(&namespace)?,
                Announcer::open_in(&namespace)?,
                namespace.try_clone()?,
            ))
        };
        let (netlink, offloads, announcer, again) = opened().inspect_err(|_| {
            if created {
                let _ = namespace.remove_name();
            }
        })?;
        if created {
            self.made.replace(Some(again));
        }
        Ok(Inside {
            namespace,
            netlink,
            offloads,
            announcer,
            created,
        })
    }

    /// Opens what is needed of a namespace that somebody else has opened, to be known by this name.
    ///
    /// # Errors
    /// As [`Namespace::enter`] has it.
    pub(super) fn adopt(
        &self,
        name: &NamespaceName,
        namespace: OwnedFd,
    ) -> Result<Inside, super::LabError> {
        if let Some(broker) = &self.broker {
            return Ok(broker.adopt(name, namespace.as_fd())?);
        }
        let namespace = Namespace::from_descriptor(namespace)?.with_name(name.clone());
        Ok(Inside {
            netlink: Netlink::open_in(&namespace)?,
            offloads: Offloads::open_in(&namespace)?,
            announcer: Announcer::open_in(&namespace)?,
            namespace,
            created: false,
        })
    }

    /// Opens a device of this kind in the switch's namespace, or makes it.
    ///
    /// # Errors
    /// Says why it is not there, cannot be made, or is not one.
    pub(super) fn open_device(&self, kind: &str, name: &str) -> Result<PortParts, super::LabError> {
        match &self.broker {
            Some(broker) => broker.open_device(kind, name),
            None => Ok(open_device(kind, name)?),
        }
    }

    /// The namespace that was made last is to stay: nothing keeps it alive any longer.
    pub(super) fn keep(&self) {
        self.made.take();
        if let Some(broker) = &self.broker {
            broker.keep();
        }
    }

    /// Deletes the namespace that was made last, if its name still leads to it.
    ///
    /// # Errors
    /// As [`Namespace::remove_name`] has it.
    pub(super) fn delete(&self, name: &NamespaceName) -> Result<(), NamespaceError> {
        if let Some(broker) = &self.broker {
            return broker.delete(name);
        }
        let made = self.made.take().filter(|made| made.name() == Some(name));
        made.map_or(Ok(()), |made| made.remove_name())
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
    words.push(format!("--guard={}", config.guard.as_str()).into());
    words
}
