//! The directory of one lab.

use std::path::{Path, PathBuf};

use super::{RuntimeDir, RuntimeDirError, private_directory, trust};
use crate::names::LabName;

/// The directory of one lab of `vswitch up`. It need not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabDir(PathBuf);

impl LabDir {
    /// That of the lab `name` among those in `labs`.
    pub(super) fn in_directory(labs: &Path, name: &LabName) -> Self {
        Self(labs.join(name.as_str()))
    }

    /// Creates the directory, and those above it, unless it exists and is ours alone.
    ///
    /// # Errors
    /// See [`RuntimeDirError`].
    pub fn prepare(&self, parent: &RuntimeDir) -> Result<(), RuntimeDirError> {
        parent.prepare()?;
        private_directory(self.above())?;
        for path in [self.0.clone(), self.commands(), self.logs()] {
            private_directory(&path)?;
        }
        Ok(())
    }

    /// Refuses it where somebody else could have written what is in it. In a directory such as `/tmp` anybody may
    /// have made it.
    ///
    /// # Errors
    /// As [`RuntimeDir::require_safe`].
    pub fn require_safe(&self) -> Result<(), RuntimeDirError> {
        trust::require(self.runtime())?;
        trust::require_last(self.above())?;
        trust::require_last(&self.0)
    }

    /// What the labs are in.
    fn above(&self) -> &Path {
        self.0.parent().unwrap_or(&self.0)
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The runtime directory that it is in.
    pub fn runtime(&self) -> &Path {
        let mut above = self.0.ancestors();
        above.nth(2).unwrap_or(&self.0)
    }

    /// The file that whoever changes the lab holds locked.
    pub fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// The record of what was made.
    pub fn journal(&self) -> PathBuf {
        self.0.join("journal")
    }

    /// One file for each command that runs.
    pub fn commands(&self) -> PathBuf {
        self.0.join("commands")
    }

    /// What the commands print.
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }
}
