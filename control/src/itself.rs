//! This very program: starting it again, and finding the one that is installed now.
//!
//! Theory of operation. A path says little about the program that runs: the file may have been
//! deleted, moved or replaced since, and a mount namespace may have ended with the mount that it was
//! on, after which `unshare` leaves the process without any path to it. `/proc/self/exe` is the
//! kernel's own reference to the file (proc(5)); executing it takes no path, so each place that
//! starts this program again does it by [`command`]. A restart is different: it wants the program
//! that is installed by now. [`remember`] notes its path at the start, as long as it leads there.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The kernel's reference to the file that runs.
const ITSELF: &str = "/proc/self/exe";

/// The path that led to this program when it was started; none if no path did.
static STARTED_FROM: OnceLock<Option<PathBuf>> = OnceLock::new();

/// Notes the path of this program. To be called first of all, before the process enters other
/// namespaces or directories.
pub fn remember() {
    started_from();
}

fn started_from() -> Option<&'static Path> {
    STARTED_FROM.get_or_init(path_by_now).as_deref()
}

/// A command that runs this program again, under its usual name.
///
/// # Errors
/// Where there is no way to the program: `/proc` is not mounted and its path leads nowhere.
pub fn command() -> io::Result<Command> {
    let program = if fs::exists(ITSELF).unwrap_or_default() {
        Path::new(ITSELF)
    } else {
        let path = started_from().filter(|path| path.is_file());
        path.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, WITHOUT_PROC))?
    };
    let mut command = Command::new(program);
    command.arg0("vswitch");
    Ok(command)
}

const WITHOUT_PROC: &str = "the program cannot find itself, since /proc is not mounted; mount it (`mount -t proc proc /proc`)";

/// The program that is installed now where this one was started from, which may be another by now.
/// One that was moved is found where it is.
///
/// # Errors
/// Where there is none. What a dead path leads to by accident is never taken.
pub fn installed() -> io::Result<PathBuf> {
    let noted = started_from().filter(|path| path.is_file());
    if let Some(path) = noted.map(Path::to_owned).or_else(path_by_now) {
        return Ok(path);
    }
    let missing = match started_from() {
        Some(path) => format!(
            "there is no program at {} any more; install vswitch there and try again",
            crate::plain::path(path)
        ),
        None => "the program was deleted, moved or unmounted before it was started, so that the \
                 installed one is not known; run the switch again from where vswitch is installed"
            .to_owned(),
    };
    Err(io::Error::new(io::ErrorKind::NotFound, missing))
}

/// The path that leads to this program at the moment. What proc(5) shows of a file that was deleted,
/// or of a mount that has gone, may lead to another file, which is not it.
fn path_by_now() -> Option<PathBuf> {
    let Ok(path) = fs::read_link(ITSELF) else {
        // Without /proc there is only what the program was started as.
        let started_as = rustix::param::linux_execfn().to_bytes();
        let path = std::path::absolute(Path::new(std::ffi::OsStr::from_bytes(started_as))).ok()?;
        return path.is_file().then_some(path);
    };
    (identity(&path)? == identity(Path::new(ITSELF))?).then_some(path)
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_program_leads_to_it() {
        let path = path_by_now().unwrap();
        assert_eq!(identity(&path), identity(Path::new(ITSELF)));
        assert_eq!(installed().unwrap(), path);
        let itself = command().unwrap();
        assert_eq!(itself.get_program(), ITSELF);
    }
}
