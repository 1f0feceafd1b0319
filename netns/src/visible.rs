//! Determines whether the rest of the system sees a namespace name that is created here.
//!
//! # Theory of operation
//!
//! A name is a file and a mount on it. Every process that sees the directory sees the file. The
//! mount is seen by processes whose mount of the directory is in the same peer group
//! (`mount_namespaces`(7)). In a mount namespace that was copied from the system's and is a slave
//! of it (`ip netns exec`, a service with a private view of files), a mount on `/run/netns` stays
//! inside: outside, the name would refer to nothing, and the namespace would disappear with the
//! last process inside. That is the case if the directory is a slave mount, or if process 1 has the
//! same directory through a mount of another peer group. In a container, which has a directory of
//! its own, neither is true.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use nix::mount::{MntFlags, umount2};
use rustix::fs::{CWD, Mode, OFlags, open};
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

use crate::namespace::NETNS_DIR;

/// The mount table of the calling thread.
const OWN: &str = "/proc/thread-self/mountinfo";
/// The mount table of process 1.
const PROCESS_1: &str = "/proc/1/mountinfo";

/// The properties of a mount that matter here.
#[derive(Debug, Default, PartialEq, Eq)]
struct MountInfo {
    /// Whether the directory itself is the mount point.
    is_mount_point: bool,
    /// The peer group of the mount.
    group: Option<u32>,
    /// Whether the mount is a slave of another peer group.
    is_slave: bool,
}

/// Reports whether a mount under `/run/netns` would be hidden from the rest of the system. The
/// directory must exist.
pub(crate) fn is_hidden() -> bool {
    let Some(own) = mount_of(NETNS_DIR, OWN) else {
        return false;
    };
    if own.is_mount_point && own.is_slave {
        return true;
    }
    is_same_elsewhere()
        && mount_of(&path_in_process_1(), PROCESS_1)
            .is_some_and(|first| first.group.is_none() || first.group != own.group)
}

/// Returns the path of the directory as process 1 sees it.
fn path_in_process_1() -> String {
    format!("/proc/1/root{NETNS_DIR}")
}

/// Reports whether process 1 has another mount namespace but the same directory.
fn is_same_elsewhere() -> bool {
    let of = |path: &str| {
        fs::metadata(path)
            .ok()
            .map(|found| (found.dev(), found.ino()))
    };
    let differ = |one: &str, other: &str| match (of(one), of(other)) {
        (Some(one), Some(other)) => Some(one != other),
        // This process may not examine it.
        _ => None,
    };
    differ("/proc/1/ns/mnt", "/proc/thread-self/ns/mnt") == Some(true)
        && differ(&path_in_process_1(), NETNS_DIR) == Some(false)
}

/// Finds the mount in `table` that contains the directory at `path`.
fn mount_of(path: &str, table: &str) -> Option<MountInfo> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = open(path, flags, Mode::empty()).ok()?;
    // The kernel reports which of several stacked mounts it is (proc_pid_fdinfo(5)).
    let fdinfo = format!("/proc/thread-self/fdinfo/{}", directory.as_raw_fd());
    let fdinfo = fs::read_to_string(fdinfo).ok()?;
    let id = fdinfo
        .lines()
        .find_map(|line| line.strip_prefix("mnt_id:"))?;
    let table = fs::read_to_string(table).ok()?;
    let with_id = |line: &&str| line.split(' ').next() == Some(id.trim());
    table.lines().find(with_id).and_then(parse)
}

/// Parses a line of a mount table: `36 35 98:0 /root /point options [field...] - type source
/// options` (`proc_pid_mountinfo`(5)).
fn parse(line: &str) -> Option<MountInfo> {
    let mut fields = line.split(' ').skip(4);
    let mut mount = MountInfo {
        is_mount_point: fields.next()? == NETNS_DIR,
        ..MountInfo::default()
    };
    for field in fields.skip(1).take_while(|field| *field != "-") {
        match field.split_once(':') {
            Some(("shared", group)) => mount.group = group.parse().ok(),
            Some(("master", _)) => mount.is_slave = true,
            _ => {}
        }
    }
    Some(mount)
}

/// A copy of the mount of `/run/netns`, to be put back after all mounts were made slaves.
pub(crate) struct SharedMount(OwnedFd);

/// Copies the directory's mount; the copy is in the same peer group unless its propagation is
/// changed. `None` if the kernel lacks `open_tree`(2) (before Linux 5.2).
pub(crate) fn copy_shared_mount() -> Option<SharedMount> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(CWD, NETNS_DIR, flags).ok().map(SharedMount)
}

impl SharedMount {
    /// Mounts the copy in its place, so that names that are created here are visible outside.
    pub(crate) fn put_back(self) {
        // Removes the mount below it, which serves no purpose. In a user namespace it may be
        // locked, and stays.
        let _ = umount2(NETNS_DIR, MntFlags::MNT_DETACH);
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        if let Err(errno) = move_mount(&self.0, "", CWD, NETNS_DIR, flags) {
            log::debug!("namespaces created here are not visible outside: {errno}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_mount_table_is_parsed() {
        let mount = |line: &str| parse(line).unwrap();
        let run = mount("23 22 0:21 / /run rw,nosuid shared:5 - tmpfs tmpfs rw");
        assert_eq!(
            (run.is_mount_point, run.group, run.is_slave),
            (false, Some(5), false)
        );
        let own = mount("25 23 0:21 /netns /run/netns rw shared:7 master:5 - tmpfs shared:1 rw");
        assert_eq!(
            (own.is_mount_point, own.group, own.is_slave),
            (true, Some(7), true)
        );
        let private = mount("25 23 0:21 /netns /run/netns rw - tmpfs tmpfs rw");
        assert_eq!((private.group, private.is_slave), (None, false));
        assert_eq!(parse("1 2 3"), None);
    }

    #[test]
    fn the_mount_of_a_directory_is_found() {
        assert!(mount_of("/proc", OWN).is_some());
        assert_eq!(mount_of("/nothing/is/here", OWN), None);
    }
}
