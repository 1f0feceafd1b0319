//! The switches that are compared, each built on a stage of its own.
//!
//! - [`stage`]: the namespaces, and cables between them
//! - [`daemon`], [`programs`]: what is not the kernel's
//! - [`kernel`], [`vswitch`], [`ovs`], [`vde`]: one rival each, or two

mod daemon;
mod kernel;
mod ovs;
mod programs;
mod stage;
mod vde;
mod vswitch;

use std::time::{Duration, Instant};

use anyhow::bail;
use nix::unistd::Pid;

use crate::args::Rival;
use crate::measure::{End, Path, Stop, ping};
use daemon::Daemon;
use stage::{A, B, Stage};

/// How long it may take until the first ping comes through.
const PATIENCE: Duration = Duration::from_secs(10);
const BETWEEN_PINGS: Duration = Duration::from_millis(20);
const PING_BYTES: usize = 56;
/// How long setting a rival up takes, about.
pub(super) const SET_UP: Duration = Duration::from_millis(300);

impl Rival {
    /// What it is called, on the command line too.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Bridge => "bridge",
            Self::Vswitch => "vswitch",
            Self::Ovs => "ovs",
            Self::OvsTso => "ovs-tso",
            Self::Vde => "vde",
        }
    }

    /// What it is.
    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::Direct => "a veth pair without a switch",
            Self::Bridge => "Linux bridge",
            Self::Vswitch => "this program",
            Self::Ovs => "Open vSwitch in user space, offloads off",
            Self::OvsTso => "Open vSwitch in user space, userspace-tso-enable",
            Self::Vde => "vde_switch with TAP interfaces",
        }
    }

    /// The programs it needs that are not installed.
    pub(super) fn missing(self) -> Vec<&'static str> {
        let needed: &[_] = match self {
            Self::Direct | Self::Bridge | Self::Vswitch => &[],
            Self::Ovs | Self::OvsTso => &ovs::PROGRAMS,
            Self::Vde => &[vde::PROGRAM],
        };
        let missing = needed.iter().filter(|name| programs::find(name).is_none());
        missing.copied().collect()
    }

    /// Its version; that of the kernel is told with the machine.
    pub(super) fn version(self) -> Option<String> {
        match self {
            Self::Direct | Self::Bridge => None,
            Self::Vswitch => Some(env!("CARGO_PKG_VERSION").to_owned()),
            Self::Ovs | Self::OvsTso => programs::version(ovs::PROGRAMS[0]),
            Self::Vde => programs::version(vde::PROGRAM),
        }
    }

    /// Sets it up and waits until it forwards.
    ///
    /// # Errors
    /// A sentence with its last words; [`crate::measure::Interrupted`] where `stop` was set.
    pub(super) fn start(self, stop: &Stop) -> anyhow::Result<Running> {
        let stage = Stage::new()?;
        let running = match self {
            Self::Direct => kernel::direct(stage),
            Self::Bridge => kernel::bridge(stage),
            Self::Vswitch => vswitch::start(stage, stop),
            Self::Ovs => ovs::start(stage, stop, false),
            Self::OvsTso => ovs::start(stage, stop, true),
            Self::Vde => vde::start(stage, stop),
        }?;
        running.prove(stop)?;
        Ok(running)
    }
}

/// A rival that forwards between A and B. Dropping it removes all of it.
#[derive(Debug)]
pub(super) struct Running {
    // In this order they are dropped.
    pub(super) path: Path,
    daemons: Vec<Daemon>,
    _stage: Stage,
}

impl Running {
    fn new(from: End, to: End, forwarder: Option<Pid>, daemons: Vec<Daemon>, stage: Stage) -> Self {
        let path = Path {
            from,
            to,
            forwarders: forwarder.into_iter().collect(),
        };
        Self {
            path,
            daemons,
            _stage: stage,
        }
    }

    /// Waits until a ping from A to B is answered.
    fn prove(&self, stop: &Stop) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        let ping = || ping::ping(B.address(), 1, PING_BYTES, Duration::ZERO);
        loop {
            stop.check()?;
            match self.path.from.namespace.run(ping)? {
                Ok(report) if report.complete() => return Ok(()),
                _ if Instant::now() < end => stop.pause(BETWEEN_PINGS)?,
                _ => {
                    let words = self.daemons.first().map(Daemon::last_words);
                    bail!(
                        "no ping from {} to {} was answered within {} s{}",
                        A.name,
                        B.name,
                        PATIENCE.as_secs(),
                        words.unwrap_or_default()
                    );
                }
            }
        }
    }
}
