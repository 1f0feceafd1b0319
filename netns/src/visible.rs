//! Whether a name that is made here is seen by the rest of the system.
//!
//! # Theory of operation
//!
//! A name is a file and a mount on it. The file is seen by all who see the directory; the mount by
//! those whose mount of the directory is in the same peer group (`mount_namespaces`(7)). In a mount
//! namespace that was made of the system's and only follows it (`ip netns exec`, a service with a
//! private view of files), a mount on `/run/netns` stays inside: outside there would be a name that
//! leads nowhere, and the namespace would go with the last process inside. That is the case where the
//! directory is a mount that follows another, or where process 1 has the same directory
//! through a mount of another group. A container has a directory of its own, and is none of both.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use nix::mount::{MntFlags, umount2};
use rustix::fs::{CWD, Mode, OFlags, open};
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

use crate::namespace::NETNS_DIR;

/// The mount table of the calling thread.
const OWN: &str = "/proc/thread-self/mountinfo";
/// That of the process which everything begins with.
const FIRST: &str = "/proc/1/mountinfo";

/// A mount, as far as it matters here.
#[derive(Debug, Default, PartialEq, Eq)]
struct Place {
    /// Whether it is the directory itself.
    is_own: bool,
    /// The peer group that it is in.
    group: Option<u32>,
    /// Whether it follows another group.
    follows: bool,
}

/// Whether what is mounted under `/run/netns` now would stay hidden from the rest of the system.
/// The directory has to be there.
pub(crate) fn is_hidden() -> bool {
    let Some(own) = place(NETNS_DIR, OWN) else {
        return false;
    };
    if own.is_own && own.follows {
        return true;
    }
    is_same_elsewhere()
        && place(&in_first(), FIRST)
            .is_some_and(|first| first.group.is_none() || first.group != own.group)
}

/// The directory as process 1 sees it.
fn in_first() -> String {
    format!("/proc/1/root{NETNS_DIR}")
}

/// Whether process 1 has other mounts, and the same directory.
fn is_same_elsewhere() -> bool {
    let of = |path: &str| {
        fs::metadata(path)
            .ok()
            .map(|found| (found.dev(), found.ino()))
    };
    let differ = |one: &str, other: &str| match (of(one), of(other)) {
        (Some(one), Some(other)) => Some(one != other),
        // It may not be looked at.
        _ => None,
    };
    differ("/proc/1/ns/mnt", "/proc/thread-self/ns/mnt") == Some(true)
        && differ(&in_first(), NETNS_DIR) == Some(false)
}

/// The mount that the directory at `path` is, or is in, of the mounts in `table`.
fn place(path: &str, table: &str) -> Option<Place> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = open(path, flags, Mode::empty()).ok()?;
    // Which of several that are mounted on each other it is, the kernel says (proc_pid_fdinfo(5)).
    let told = format!("/proc/thread-self/fdinfo/{}", directory.as_raw_fd());
    let told = fs::read_to_string(told).ok()?;
    let id = told.lines().find_map(|line| line.strip_prefix("mnt_id:"))?;
    let table = fs::read_to_string(table).ok()?;
    let with_id = |line: &&str| line.split(' ').next() == Some(id.trim());
    table.lines().find(with_id).and_then(parse)
}

/// A line of a mount table: `36 35 98:0 /root /point options [field...] - type source options`
/// (`proc_pid_mountinfo`(5)).
fn parse(line: &str) -> Option<Place> {
    let mut fields = line.split(' ').skip(4);
    let mut place = Place {
        is_own: fields.next()? == NETNS_DIR,
        ..Place::default()
    };
    for field in fields.skip(1).take_while(|field| *field != "-") {
        match field.split_once(':') {
            Some(("shared", group)) => place.group = group.parse().ok(),
            Some(("master", _)) => place.follows = true,
            _ => {}
        }
    }
    Some(place)
}

/// The mount of the directory with all names, to be put back once all mounts follow the system's.
pub(crate) struct Shared(OwnedFd);

/// Takes a copy of the directory's mount, which is in the same peer group as long as nobody
/// changes that. None where the kernel has no such call (before Linux 5.2).
pub(crate) fn keep_shared() -> Option<Shared> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(CWD, NETNS_DIR, flags).ok().map(Shared)
}

impl Shared {
    /// Puts it in its place, so that names that are made here are seen outside.
    pub(crate) fn put_back(self) {
        // What is covered would only be in the way. In a user namespace it may be locked, and stays.
        let _ = umount2(NETNS_DIR, MntFlags::MNT_DETACH);
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        if let Err(errno) = move_mount(&self.0, "", CWD, NETNS_DIR, flags) {
            log::debug!("namespaces that are made here are not seen outside: {errno}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_is_taken_apart() {
        let place = |line: &str| parse(line).unwrap();
        let run = place("23 22 0:21 / /run rw,nosuid shared:5 - tmpfs tmpfs rw");
        assert_eq!(
            (run.is_own, run.group, run.follows),
            (false, Some(5), false)
        );
        let own = place("25 23 0:21 /netns /run/netns rw shared:7 master:5 - tmpfs shared:1 rw");
        assert_eq!((own.is_own, own.group, own.follows), (true, Some(7), true));
        let private = place("25 23 0:21 /netns /run/netns rw - tmpfs tmpfs rw");
        assert_eq!((private.group, private.follows), (None, false));
        assert_eq!(parse("1 2 3"), None);
    }

    #[test]
    fn a_directory_is_found_in_the_table() {
        assert!(place("/proc", OWN).is_some());
        assert_eq!(place("/nothing/is/here", OWN), None);
    }
}
