//! What unit tests stand on.

use std::env;
use std::io;
use std::path::PathBuf;

use tempfile::TempDir;

/// The path of a Unix socket has at most 107 bytes (unix(7)): what is left is for names inside.
const LONGEST: usize = 40;

/// Makes a throw-away directory in which sockets can be bound, however long `TMPDIR` is.
pub(crate) fn directory() -> io::Result<TempDir> {
    let mut parent = env::temp_dir();
    if parent.as_os_str().len() > LONGEST {
        parent = PathBuf::from("/tmp");
    }
    tempfile::tempdir_in(parent)
}
