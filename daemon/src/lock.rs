//! One living daemon for each switch's name.
//!
//! Theory of operation. The lock is an flock(2) on a file in the switch's directory: the kernel
//! frees it with the process, however that ended, so a killed daemon leaves a directory but no
//! lock. The directory is removed by the daemon that holds the lock ([`vswitch_control::lock_file`]).

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use vswitch_switch::descriptors::closed_first;

use super::dying::is_dying;
use super::state;
use vswitch_control::local_socket::{A_MOMENT, connect};
use vswitch_control::lock_file::{ATTEMPTS, holder, leads_to, open, read_pid, remove_if_there};
use vswitch_control::names::SwitchName;
use vswitch_control::runtime_dir::{RuntimeDir, RuntimeDirError, SwitchDir};

/// How long one that was killed may take to be gone.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often to look.
const INTERVAL: Duration = Duration::from_millis(2);

/// A switch's directory, held by this process.
#[derive(Debug)]
pub(crate) struct DirLock {
    dir: SwitchDir,
    lock: Option<Flock<File>>,
    recovered: bool,
    /// Whether what a killed daemon has kept is nobody's any more.
    discards: bool,
}

/// Why the switch's directory could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The directory is unusable.
    #[error(transparent)]
    Dir(#[from] RuntimeDirError),
    /// Another daemon lives.
    #[error("a switch named '{name}' is already running{}: stop it with 'vswitch stop {name}', or choose another name", with_pid(*pid))]
    Held {
        /// The switch.
        name: SwitchName,
        /// Its process, where it could be read.
        pid: Option<u32>,
    },
    /// It is not a switch's.
    #[error(
        "the directory {path} holds files that no switch has left: choose another name, or another --runtime-dir"
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// A call failed.
    #[error("cannot lock {path}: {source}")]
    Io {
        /// The lock's path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn with_pid(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})"))
        .unwrap_or_default()
}

impl DirLock {
    /// Creates and locks the directory of the switch `name`; takes it over from a daemon that
    /// no longer lives. What is not a switch's is left as it is.
    ///
    /// # Errors
    /// See [`LockError`].
    pub(crate) fn acquire(runtime: &RuntimeDir, name: &SwitchName) -> Result<Self, LockError> {
        let dir = runtime.switch(name);
        let path = dir.lock();
        let io_error = |source| LockError::Io {
            path: path.clone(),
            source,
        };
        for _ in 0..ATTEMPTS {
            dir.prepare(runtime)?;
            let file = match open_ours(&dir) {
                Ok(Some(file)) => file,
                Ok(None) => return Err(foreign(&dir)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(io_error(error)),
            };
            let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => lock,
                Err((mut file, Errno::EWOULDBLOCK)) => {
                    return Err(LockError::Held {
                        name: name.clone(),
                        pid: read_pid(&mut file),
                    });
                }
                Err((_, errno)) => return Err(io_error(errno.into())),
            };
            if !leads_to(&path, &lock).map_err(io_error)? {
                continue;
            }
            if !tells_a_pid_or_nothing(&mut lock).map_err(io_error)? {
                return Err(foreign(&dir));
            }
            let recovered = dir.socket().symlink_metadata().is_ok() || state::is_kept(dir.path());
            write_pid(&mut lock).map_err(io_error)?;
            return Ok(Self {
                dir,
                lock: Some(lock),
                recovered,
                discards: !recovered,
            });
        }
        Err(io_error(io::Error::other("others keep removing it")))
    }

    /// The same, but waits a moment for one that was killed and is not gone yet: it takes the kernel
    /// a while to close what it had, the lock perhaps last.
    ///
    /// # Errors
    /// See [`LockError`].
    pub(crate) fn acquire_patiently(
        runtime: &RuntimeDir,
        name: &SwitchName,
    ) -> Result<Self, LockError> {
        let deadline = Instant::now() + PATIENCE;
        // At first it is one that ends just now.
        let mut is_leaving = true;
        loop {
            match Self::acquire(runtime, name) {
                Err(LockError::Held { .. }) if is_leaving && Instant::now() < deadline => {
                    is_leaving = was_killed(&runtime.switch(name));
                    thread::sleep(INTERVAL);
                }
                other => return other,
            }
        }
    }

    /// The directory.
    pub(crate) const fn dir(&self) -> &SwitchDir {
        &self.dir
    }

    /// Whether a daemon that was killed had left the directory.
    pub(crate) const fn recovered(&self) -> bool {
        self.recovered
    }

    /// The directory that another process has held locked, with its lock.
    ///
    /// # Errors
    /// [`LockError::Io`] where that is no lock.
    pub(crate) fn handed_over(
        runtime: &RuntimeDir,
        name: &SwitchName,
        lock: OwnedFd,
    ) -> Result<Self, LockError> {
        let dir = runtime.switch(name);
        // It is locked, and stays so: the lock belongs to the open file, whoever has it.
        let locked = Flock::lock(File::from(lock), FlockArg::LockExclusiveNonblock);
        let lock = locked.map_err(|(_, errno)| LockError::Io {
            path: dir.lock(),
            source: errno.into(),
        })?;
        Ok(Self {
            dir,
            // It is not freed again, unless the other process ends too.
            lock: Some(lock),
            recovered: false,
            discards: false,
        })
    }

    /// The lock, for another process. While it is open and this one is killed, the lock is free before
    /// all ports are closed.
    ///
    /// # Errors
    /// Where there is no descriptor left.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        let lock = self.lock.as_ref().ok_or(io::ErrorKind::NotFound)?;
        Ok(closed_first(lock.try_clone()?.into()))
    }

    /// This process has what another one had: it is named in the lock.
    ///
    /// # Errors
    /// Where the lock cannot be written.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        self.lock.as_mut().map_or(Ok(()), |lock| write_pid(lock))
    }

    /// The switch runs, or is not wanted any more: what is kept goes with it. Otherwise, what a
    /// killed one has kept stays for another try.
    pub(crate) const fn take_over(&mut self) {
        self.discards = true;
    }

    /// Leaves the directory as it is, for the next daemon of its name.
    pub(crate) fn leave(mut self) {
        // Freed with the end of the process.
        std::mem::forget(self.lock.take());
        std::mem::forget(self);
    }

    /// Removes the directory now and frees the lock with the end of the process, so that who
    /// waits for the lock knows that all is over.
    pub(crate) fn remove_and_hold(mut self) {
        std::mem::forget(self.lock.take());
    }
}

impl Drop for DirLock {
    /// Removes all that is in the directory, and it; the lock last, when it is of no use.
    fn drop(&mut self) {
        if !self.discards {
            // Freed with the end of the process: it may be another's too, who goes on.
            std::mem::forget(self.lock.take());
            return;
        }
        if let Err(error) = state::discard(self.dir.path()) {
            log::warn!("cannot remove what was kept: {error}");
        }
        for path in [self.dir.socket(), self.dir.log(), self.dir.lock()] {
            if let Err(error) = remove_if_there(&path) {
                log::warn!("cannot remove {}: {error}", path.display());
            }
        }
        if let Err(error) = fs::remove_dir(self.dir.path()) {
            log::warn!("cannot remove {}: {error}", self.dir.path().display());
        }
    }
}

/// Removes what killed daemons left in the directories of their switches. For when all else that
/// they made has gone with their lab.
pub fn clear_killed(runtime: &RuntimeDir) {
    for name in runtime.switches().unwrap_or_default() {
        // The runtime directory may be one like /tmp, with much in it that is not ours.
        if was_killed(&runtime.switch(&name)) {
            // What cannot be removed is told when it is in the way.
            if let Ok(mut lock) = DirLock::acquire(runtime, &name) {
                lock.take_over();
            }
        }
    }
}

/// Whether it has a socket on which nobody listens any more, or whose process was killed and is not
/// gone yet.
pub(super) fn was_killed(dir: &SwitchDir) -> bool {
    let socket = dir.socket();
    let found = socket.symlink_metadata();
    let refuses = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    found.is_ok_and(|found| found.file_type().is_socket())
        && (holder(&dir.lock()).is_some_and(is_dying)
            || connect(&socket, A_MOMENT).is_err_and(refuses))
}

fn foreign(dir: &SwitchDir) -> LockError {
    let path = dir.path().to_owned();
    LockError::Foreign { path }
}

/// Opens the lock, making it where there is none; `None` where there are other files instead. A
/// daemon makes its lock before all else, and removes it last.
fn open_ours(dir: &SwitchDir) -> io::Result<Option<File>> {
    let path = dir.lock();
    let entries: Vec<_> = fs::read_dir(dir.path())?.collect::<Result<_, _>>()?;
    // Not looked for a second time: whoever holds it may be removing it.
    let found = entries.iter().find(|entry| entry.path() == path);
    let is_ours = match found {
        Some(entry) => entry.file_type()?.is_file(),
        None => entries.is_empty(),
    };
    is_ours.then(|| open(&path)).transpose()
}

/// Whether this is what a daemon writes into its lock, or one that was killed before it did.
fn tells_a_pid_or_nothing(file: &mut File) -> io::Result<bool> {
    let mut text = Vec::new();
    file.take(32).read_to_end(&mut text)?;
    let digits = text.trim_ascii_end();
    Ok(digits.iter().all(u8::is_ascii_digit))
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    fn runtime(base: &Path) -> RuntimeDir {
        RuntimeDir::resolve(Some(base.to_owned()), |_| None).unwrap()
    }

    #[test]
    fn a_second_lock_is_refused_and_names_the_holder() {
        let base = crate::testing::directory().unwrap();
        let runtime = runtime(base.path());
        let name: SwitchName = "s".parse().unwrap();
        let held = DirLock::acquire(&runtime, &name).unwrap();
        assert!(!held.recovered());
        let error = DirLock::acquire(&runtime, &name).unwrap_err();
        let pid = std::process::id();
        assert!(
            error.to_string().contains(&format!("(process {pid})")),
            "{error}"
        );
        drop(held);
        assert!(!runtime.switch(&name).path().exists());
        drop(DirLock::acquire(&runtime, &name).unwrap());
    }

    #[test]
    fn what_a_killed_daemon_left_is_taken_over() {
        let base = crate::testing::directory().unwrap();
        let runtime = runtime(base.path());
        let name: SwitchName = "s".parse().unwrap();
        let dir = runtime.switch(&name);
        dir.prepare(&runtime).unwrap();
        for left in [dir.lock(), dir.socket(), dir.log()] {
            fs::write(left, "12345\n").unwrap();
        }
        let lock = DirLock::acquire(&runtime, &name).unwrap();
        assert!(lock.recovered());
        assert!(dir.log().exists(), "its last words are kept");
        let pid = fs::read_to_string(dir.lock()).unwrap();
        assert_eq!(pid.trim(), std::process::id().to_string());
    }

    #[test]
    fn what_no_switch_has_left_is_not_touched() {
        let base = crate::testing::directory().unwrap();
        let runtime = runtime(base.path());
        let make = |name: &str, files: &[&str]| {
            let name: SwitchName = name.parse().unwrap();
            let dir = runtime.switch(&name);
            dir.prepare(&runtime).unwrap();
            for file in files {
                fs::write(dir.path().join(file), "mine").unwrap();
            }
            (name, dir)
        };
        let (logs, logs_dir) = make("logs", &["log", "control.sock"]);
        let (locked, locked_dir) = make("locked", &["log", "lock"]);
        let (_, empty_dir) = make("empty", &[]);
        let (_, killed_dir) = make("killed", &[]);
        fs::write(killed_dir.lock(), "12345\n").unwrap();
        drop(UnixListener::bind(killed_dir.socket()).unwrap());

        // A child that another test is starting may have the socket for a moment.
        let is_cleared = (0..1000).any(|_| {
            clear_killed(&runtime);
            std::thread::yield_now();
            !killed_dir.path().exists()
        });
        assert!(is_cleared);
        for name in [logs, locked] {
            let error = DirLock::acquire(&runtime, &name).unwrap_err();
            assert!(error.to_string().contains("no switch has left"), "{error}");
        }
        for file in [
            logs_dir.log(),
            logs_dir.socket(),
            locked_dir.log(),
            locked_dir.lock(),
        ] {
            assert_eq!(fs::read_to_string(file).unwrap(), "mine");
        }
        assert!(empty_dir.path().exists());
        assert!(!logs_dir.lock().exists());
    }
}
