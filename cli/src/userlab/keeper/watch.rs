//! Hearing that something in a directory was removed (inotify(7)).

#[allow(unsafe_code, reason = "two system calls that no crate in use wraps")]
mod sys;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// How much is read at once of what nobody looks at.
const CHUNK_BYTES: usize = 4096;

/// Readable when an entry of a directory was removed.
#[derive(Debug)]
pub(super) struct Watch(OwnedFd);

impl Watch {
    /// Watches a directory.
    ///
    /// # Errors
    /// Where there are too many watches already (`fs.inotify.max_user_instances`), or no such directory.
    pub(super) fn on(directory: &Path) -> io::Result<Self> {
        let watch = sys::new()?;
        sys::watch_removals(watch.as_fd(), directory)?;
        Ok(Self(watch))
    }

    /// Forgets what was heard until now.
    pub(super) fn clear(&self) {
        let mut events = [0; CHUNK_BYTES];
        while nix::unistd::read(&self.0, &mut events).is_ok_and(|length| length > 0) {}
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A directory, wherever it is moved.
#[derive(Debug)]
pub(super) struct Place(File);

impl Place {
    /// The directory at this path.
    ///
    /// # Errors
    /// Where there is none.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let mut options = File::options();
        let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW;
        options.read(true).custom_flags(flags).open(path).map(Self)
    }

    /// Whether it was removed. One that was moved was not.
    pub(super) fn is_removed(&self) -> bool {
        self.0.metadata().is_ok_and(|found| found.nlink() == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::fs;

    fn is_heard(watch: &Watch) -> bool {
        let mut fds = [PollFd::new(watch.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).unwrap() > 0
    }

    #[test]
    fn a_removal_is_heard_and_a_move_is_none() {
        let base = crate::testing::directory().unwrap();
        let (path, moved) = (base.path().join("a"), base.path().join("b"));
        fs::create_dir(&path).unwrap();
        let watch = Watch::on(base.path()).unwrap();
        let place = Place::at(&path).unwrap();
        assert!(!is_heard(&watch) && !place.is_removed());
        fs::rename(&path, &moved).unwrap();
        assert!(!place.is_removed());
        watch.clear();
        fs::remove_dir(&moved).unwrap();
        assert!(is_heard(&watch) && place.is_removed());
        watch.clear();
        assert!(!is_heard(&watch));
        assert!(Watch::on(&path).is_err() && Place::at(&path).is_err());
    }
}
