//! Why there is no lab to work in.

use std::io;
use std::path::PathBuf;

use vswitch_control::runtime_dir::RuntimeDirError;

/// Why a lab could not be made, found or entered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UserLabError {
    /// The runtime directory is unusable.
    #[error(transparent)]
    Dir(#[from] RuntimeDirError),
    /// The lock could not be had.
    #[error("cannot lock {}: {source}", path.display())]
    Lock {
        /// The lock's path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no keeper.
    #[error("cannot start the keeper of your lab: {0}")]
    Start(#[source] io::Error),
    /// The keeper did not come up, and said why.
    #[error("cannot make a lab that works without root: {0}")]
    Refused(String),
    /// The keeper could not be spoken with.
    #[error("cannot reach the keeper of your lab at {}: {source}", path.display())]
    Keeper {
        /// Its socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The lab could not be entered.
    #[error(
        "cannot enter your lab: {0}; another user made it, or it is in another container: \
         choose another --runtime-dir"
    )]
    Enter(#[source] io::Error),
}
