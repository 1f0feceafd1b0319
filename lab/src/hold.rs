//! One hand at a time on a lab.
//!
//! Theory of operation. As with the directory of a switch: a lock on a file, which the kernel frees
//! with the process, and which `down` removes ([`vswitch_control::lock_file`]).

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use vswitch_control::lock_file::{ATTEMPTS, leads_to, open, read_pid};
use vswitch_control::names::LabName;
use vswitch_control::runtime_dir::{LabDir, RuntimeDir, RuntimeDirError};

/// A lab's directory, held by this process.
#[derive(Debug)]
pub struct Hold {
    dir: LabDir,
    _lock: Flock<File>,
}

/// Why the lab cannot be changed now.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// Its directory is unusable.
    #[error(transparent)]
    Dir(#[from] RuntimeDirError),
    /// Somebody else is at it.
    #[error(
        "another 'vswitch up' or 'vswitch down' is at work on the lab '{name}'{}: wait until it \
         has ended", with_pid(*pid)
    )]
    Held {
        /// The lab.
        name: LabName,
        /// The process, where it could be read.
        pid: Option<u32>,
    },
    /// A call failed.
    #[error("cannot lock {}: {source}", path.display())]
    Io {
        /// The lock.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn with_pid(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})"))
        .unwrap_or_default()
}

impl Hold {
    /// Takes the lab `name`; makes its directory if there is none.
    ///
    /// # Errors
    /// See [`HoldError`].
    pub fn take(runtime: &RuntimeDir, name: &LabName) -> Result<Self, HoldError> {
        let dir = runtime.lab(name);
        let path = dir.lock();
        let failed = |source| HoldError::Io {
            path: path.clone(),
            source,
        };
        for _ in 0..ATTEMPTS {
            match dir.prepare(runtime) {
                Ok(()) => {}
                // Somebody removes it at this moment.
                Err(RuntimeDirError::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound =>
                {
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            let file = match open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => lock,
                Err((mut file, Errno::EWOULDBLOCK)) => {
                    let name = name.clone();
                    let pid = read_pid(&mut file);
                    return Err(HoldError::Held { name, pid });
                }
                Err((_, errno)) => return Err(failed(errno.into())),
            };
            if leads_to(&path, &lock).map_err(failed)? {
                lock.set_len(0).map_err(failed)?;
                // For those who are refused; on a full file system they are told without.
                let _ = writeln!(lock, "{}", std::process::id());
                return Ok(Self { dir, _lock: lock });
            }
        }
        Err(failed(io::Error::other("others keep removing it")))
    }

    /// The directory.
    pub const fn dir(&self) -> &LabDir {
        &self.dir
    }

    /// Removes the directory and all in it: nothing of the lab is left.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn remove(self) -> io::Result<()> {
        fs::remove_dir_all(self.dir.path())?;
        // Fails as long as there are other labs.
        if let Some(labs) = self.dir.path().parent() {
            let _ = fs::remove_dir(labs);
        }
        Ok(())
    }
}
