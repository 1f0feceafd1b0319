//! Distinguishes a network namespace from every other kind of file.
//!
//! # Theory of operation
//!
//! Opening an unknown file can block (a FIFO), have side effects (a device) or fail for unrelated
//! reasons (a file without permissions). So the path is resolved with `O_PATH` (open(2)), which
//! does not open the file itself, and the result is examined. Only a file of the kernel's namespace
//! file system is then opened, by descriptor and not by path again. The kernel reports the kind of
//! namespace (`NS_GET_NSTYPE`, `ioctl_nsfs`(2)).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::stat::{SFlag, fstat};
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};

use crate::rights::errno_of;
use crate::sys;

/// The kind of file that a path refers to.
#[derive(Debug)]
pub(crate) enum Probed {
    /// A network namespace.
    Network(OwnedFd),
    /// A regular file: what remains of a namespace whose mount is gone.
    Plain,
    /// Another kind of file, with its article.
    Other(&'static str),
}

/// Determines the kind of file that a path refers to. Never blocks on the file.
///
/// # Errors
/// If the path does not exist or must not be searched.
pub(crate) fn probe(path: &Path) -> Result<Probed, Errno> {
    let place = match resolve(path, 0) {
        Ok(place) => place,
        Err(Errno::ELOOP) => return Ok(Probed::Other("a symbolic link that leads to itself")),
        Err(Errno::ENOENT) if is_link(path) => {
            return Ok(Probed::Other("a symbolic link that leads nowhere"));
        }
        Err(errno) => return Err(errno),
    };
    if !is_of_nsfs(&place)? {
        return kind_of_file(&place);
    }
    let opened = File::open(by_descriptor(&place)).map_err(|error| errno_of(&error))?;
    Ok(match kind_of_namespace(&opened)? {
        None => Probed::Network(opened.into()),
        Some(other) => Probed::Other(other),
    })
}

/// Resolves a path with `flags` in addition to `O_PATH`.
///
/// # Errors
/// The error of open(2).
pub(crate) fn resolve(path: &Path, flags: i32) -> Result<File, Errno> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_PATH | flags);
    options.open(path).map_err(|error| errno_of(&error))
}

/// Returns a path that refers to the descriptor's file and to no other.
pub(crate) fn by_descriptor(fd: &impl AsRawFd) -> String {
    format!("/proc/thread-self/fd/{}", fd.as_raw_fd())
}

/// Reports whether the last component of a path is a symbolic link.
fn is_link(path: &Path) -> bool {
    path.symlink_metadata()
        .is_ok_and(|found| found.is_symlink())
}

/// Reports whether a descriptor is a namespace file of any kind.
fn is_of_nsfs(fd: &impl AsFd) -> Result<bool, Errno> {
    Ok(fstatfs(fd)?.filesystem_type() == NSFS_MAGIC)
}

/// Returns the kind of an open file if it is not a network namespace.
///
/// # Errors
/// The error of the system call that examines the file.
pub(crate) fn other_than_network(file: &File) -> Result<Option<&'static str>, Errno> {
    if is_of_nsfs(file)? {
        return kind_of_namespace(file);
    }
    Ok(match kind_of_file(file)? {
        Probed::Other(what) => Some(what),
        _ => Some("a regular file"),
    })
}

fn kind_of_file(fd: &impl AsFd) -> Result<Probed, Errno> {
    let mode = SFlag::from_bits_truncate(fstat(fd)?.st_mode) & SFlag::S_IFMT;
    let kinds = [
        (SFlag::S_IFDIR, "a directory"),
        (SFlag::S_IFIFO, "a FIFO"),
        (SFlag::S_IFSOCK, "a socket"),
        (SFlag::S_IFCHR, "a character device"),
        (SFlag::S_IFBLK, "a block device"),
    ];
    let known = kinds.iter().find(|(kind, _)| *kind == mode);
    Ok(match known {
        Some((_, what)) => Probed::Other(what),
        None if mode == SFlag::S_IFREG => Probed::Plain,
        // No file type at all, as for a kernel-internal descriptor (anon_inode).
        None => Probed::Other("a file of another kind"),
    })
}

/// Returns the kind of a namespace file if it is not a network namespace.
fn kind_of_namespace(file: &File) -> Result<Option<&'static str>, Errno> {
    let kind = sys::kind_of_namespace(file.as_fd()).map_err(|error: io::Error| errno_of(&error))?;
    Ok(match kind {
        libc::CLONE_NEWNET => None,
        libc::CLONE_NEWNS => Some("a mount namespace"),
        libc::CLONE_NEWUSER => Some("a user namespace"),
        libc::CLONE_NEWPID => Some("a PID namespace"),
        libc::CLONE_NEWUTS => Some("a UTS namespace"),
        libc::CLONE_NEWIPC => Some("an IPC namespace"),
        libc::CLONE_NEWCGROUP => Some("a cgroup namespace"),
        _ => Some("a namespace of another kind"),
    })
}
