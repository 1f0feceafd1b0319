//! The file of a Unix socket, which goes with the socket.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Where a socket is, and which one it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    /// The socket that is there now, if one is.
    pub fn at(path: &Path) -> Option<Self> {
        let metadata = fs::symlink_metadata(path).ok()?;
        (path.is_absolute() && metadata.file_type().is_socket()).then(|| Self {
            path: path.to_owned(),
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }

    /// Removes it, unless somebody else's file is in its place by now.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self) -> io::Result<()> {
        if self.is_there() {
            return fs::remove_file(&self.path);
        }
        Ok(())
    }

    /// Whether it is where it was.
    pub fn is_there(&self) -> bool {
        Self::at(&self.path).as_ref() == Some(self)
    }
}

/// Removes the file for a process that may not.
pub trait Remove: fmt::Debug + Send {
    /// Has it removed.
    ///
    /// # Errors
    /// Where nobody is left who does.
    fn remove(&self) -> io::Result<()>;
}
