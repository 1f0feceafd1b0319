//! Why a switch could not run, or did not run on.

use std::io;
use std::path::PathBuf;

use vswitch_switch::SwitchError;

use super::detach::DetachError;
use super::handover::HandoverError;
use super::lab::LabError;
use super::lock::LockError;
use super::state::StateError;
use vswitch_control::exit;
use vswitch_control::names::SwitchName;
use vswitch_control::rights::MissingRights;

/// Why a switch could not run, or did not run on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The process may not.
    #[error(transparent)]
    Rights(#[from] MissingRights),
    /// Its directory is taken or unusable.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// It could not go to the background.
    #[error(transparent)]
    Detach(#[from] DetachError),
    /// The control socket could not be made.
    #[error("cannot listen on {}: {source}", path.display())]
    Socket {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The group could not be let in.
    #[error(
        "cannot give the group {group} access to the switch: {source}; only root can, outside of user namespaces: start the switch as root, or without --group"
    )]
    Group {
        /// Its number.
        group: u32,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no descriptor or thread.
    #[error("cannot start the switch: {0}")]
    System(#[from] io::Error),
    /// The switch could not be made, or has failed.
    #[error(transparent)]
    Switch(#[from] SwitchError),
    /// What a killed one of its name has kept is lost, or nothing can be kept.
    #[error(transparent)]
    State(#[from] StateError),
    /// The interfaces cannot be managed.
    #[error(transparent)]
    Lab(Box<LabError>),
    /// It cannot go on in the place of another process.
    #[error(transparent)]
    Succession(Box<HandoverError>),
    /// It cannot give up what it is to.
    #[error("cannot run a switch with all its limits, as --guard required asks: {0}")]
    Guard(String),
    /// The process is gone that somebody waits for.
    #[error("the process that was started first, and waited for this one, is gone")]
    Orphaned,
    /// The switch's thread panicked.
    #[error("the forwarding thread panicked; see its log, and please report it")]
    Panicked,
    /// The system has failed a switch that ran.
    #[error("the switch '{name}' has ended: {source}; 'vswitch run {name}' restores it")]
    WhileRunning {
        /// The switch.
        name: SwitchName,
        /// What has failed.
        source: Box<DaemonError>,
    },
}

impl DaemonError {
    /// The exit status that goes with it.
    #[must_use]
    pub const fn status(&self) -> u8 {
        match self {
            Self::Panicked => exit::FAULT,
            Self::WhileRunning { source, .. } => match **source {
                Self::Panicked => exit::FAULT,
                _ => exit::SYSTEM,
            },
            _ => exit::FAILURE,
        }
    }
}

impl From<LabError> for DaemonError {
    fn from(error: LabError) -> Self {
        Self::Lab(Box::new(error))
    }
}
