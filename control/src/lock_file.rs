//! Files that are locked and may be removed by whoever holds the lock.
//!
//! flock(2) locks a file, not its path: who opened a file just before its holder removed it locks
//! one that nobody else can find. So after locking, the path must still lead to that file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Attempts to lock a file that others keep removing.
pub const ATTEMPTS: usize = 100;

/// Opens the file to be locked, making it where there is none.
///
/// # Errors
/// What the system says.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
}

/// Whether the path leads to this file, still.
///
/// # Errors
/// What the system says.
pub fn leads_to(path: &Path, file: &File) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes a file; that there is none is no error.
///
/// # Errors
/// What the system says.
pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The process that the file at `path` tells of, if it does.
pub fn holder(path: &Path) -> Option<u32> {
    let mut options = OpenOptions::new();
    // Of a pipe nobody waits for the other end.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let mut file = options.read(true).custom_flags(flags).open(path).ok()?;
    let is_ours = file.metadata().is_ok_and(|found| found.is_file());
    is_ours.then(|| read_pid(&mut file))?
}

/// The process that the file tells of, if it tells of one.
pub fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
