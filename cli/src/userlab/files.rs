//! What a lab has in the runtime directory: `.lab/` with the keeper's socket and a lock.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::UserLabError;
use vswitch_control::lock_file::{leads_to, open, remove_if_there};
use vswitch_control::runtime_dir::{RuntimeDir, private_directory};

/// Attempts to lock a file that others keep removing.
const ATTEMPTS: usize = 1000;

/// The directory of the lab that belongs to a runtime directory. It need not exist.
#[derive(Clone, Debug)]
pub(super) struct LabDir(PathBuf);

/// The right to make or end the lab, which one process at a time has.
#[derive(Debug)]
pub(super) struct LabLock {
    dir: LabDir,
    _lock: Flock<File>,
}

impl LabDir {
    pub(super) fn of(runtime: &RuntimeDir) -> Self {
        // No switch is called like that: their names do not begin with a dot.
        Self(runtime.path().join(".lab"))
    }

    /// The directory itself.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Where the keeper listens.
    pub(super) fn socket(&self) -> PathBuf {
        self.0.join("keeper.sock")
    }

    fn lock_path(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Makes the directory where there is none, and waits for the lock.
    pub(super) fn lock(&self, runtime: &RuntimeDir) -> Result<LabLock, UserLabError> {
        for _ in 0..ATTEMPTS {
            runtime.prepare()?;
            private_directory(&self.0)?;
            let file = match open(&self.lock_path()) {
                // Whoever ends a lab removes the directory too.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(|source| self.error(source))?,
            };
            match Flock::lock(file, FlockArg::LockExclusive) {
                Err((_, Errno::EINTR)) => {}
                Err((_, errno)) => return Err(self.error(errno.into())),
                Ok(lock) => {
                    if leads_to(&self.lock_path(), &lock).map_err(|source| self.error(source))? {
                        return Ok(LabLock {
                            dir: self.clone(),
                            _lock: lock,
                        });
                    }
                }
            }
        }
        Err(self.error(io::Error::other("others keep removing it")))
    }

    /// The lock if nobody has it. Makes nothing.
    pub(super) fn try_lock(&self) -> Option<LabLock> {
        let file = File::open(self.lock_path()).ok()?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()?;
        let found = leads_to(&self.lock_path(), &lock).unwrap_or(false);
        found.then(|| LabLock {
            dir: self.clone(),
            _lock: lock,
        })
    }

    fn error(&self, source: io::Error) -> UserLabError {
        UserLabError::Lock {
            path: self.lock_path(),
            source,
        }
    }
}

impl LabLock {
    /// Removes a socket that nobody listens on any more.
    pub(super) fn remove_socket(&self) -> Result<(), UserLabError> {
        remove_if_there(&self.dir.socket()).map_err(|source| self.dir.error(source))
    }

    /// Removes all that the lab has in the runtime directory.
    pub(super) fn remove(self) {
        let files = [self.dir.socket(), self.dir.lock_path()];
        // What cannot be removed is taken over by the next lab.
        let _ = files.iter().try_for_each(|path| remove_if_there(path));
        let _ = fs::remove_dir(&self.dir.0);
    }
}

/// A file as the system tells it from others, whatever its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

impl Identity {
    /// Of what the path leads to.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|found| Self(found.dev(), found.ino()))
    }

    /// Of an open file.
    pub(super) fn of_file(file: &File) -> io::Result<Self> {
        file.metadata().map(|found| Self(found.dev(), found.ino()))
    }
}
