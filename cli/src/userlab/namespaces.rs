//! The three namespaces that a lab is made of, as descriptors.

use std::env;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use rustix::net::RecvFlags;

use super::UserLabError;
use super::files::Identity;
use vswitch_control::ancillary;

/// Their names in `/proc/PID/ns`, in the order in which they are entered: the first gives the
/// rights to the others.
const KINDS: [(&str, CloneFlags); 3] = [
    ("user", CloneFlags::CLONE_NEWUSER),
    ("mnt", CloneFlags::CLONE_NEWNS),
    ("net", CloneFlags::CLONE_NEWNET),
];
/// Goes with the descriptors, since a message without a byte carries none.
const GREETING: &[u8] = b"1";

/// User, mount and network namespace of one lab.
#[derive(Debug)]
pub(super) struct Namespaces([File; 3]);

impl Namespaces {
    /// Those of a process: "self", or its number.
    pub(super) fn of(process: &str) -> io::Result<Self> {
        let open = |index: usize| File::open(format!("/proc/{process}/ns/{}", KINDS[index].0));
        Ok(Self([open(0)?, open(1)?, open(2)?]))
    }

    /// Whether the calling process is in the user namespace.
    pub(super) fn are_ours(&self) -> io::Result<bool> {
        Ok(Identity::of(Path::new("/proc/self/ns/user"))? == Identity::of_file(&self.0[0])?)
    }

    /// Moves the process into them, but the working directory, which stays where its path leads.
    ///
    /// To be called while the process has one thread.
    pub(super) fn enter(&self) -> Result<(), UserLabError> {
        let directory = env::current_dir();
        for (namespace, (_, kind)) in self.0.iter().zip(KINDS) {
            setns(namespace, kind).map_err(|errno| UserLabError::Enter(errno.into()))?;
        }
        // Entering a mount namespace has led to its root. What is not to be seen there (a
        // directory in the host's /run) cannot be worked in.
        if let Ok(directory) = directory {
            let _ = env::set_current_dir(directory);
        }
        Ok(())
    }

    /// Hands them to a process that connected.
    pub(super) fn send(&self, stream: &UnixStream) -> io::Result<()> {
        let descriptors = self.0.each_ref().map(AsRawFd::as_raw_fd);
        sendmsg::<()>(
            stream.as_raw_fd(),
            &[IoSlice::new(GREETING)],
            &[ControlMessage::ScmRights(&descriptors)],
            MsgFlags::MSG_NOSIGNAL,
            None,
        )?;
        Ok(())
    }

    /// Takes them from a keeper; `None` from one that is ending.
    pub(super) fn receive(stream: &UnixStream) -> io::Result<Option<Self>> {
        let mut greeting = [0; GREETING.len()];
        let received = ancillary::receive(stream.as_fd(), &mut greeting, RecvFlags::empty());
        let received = match received {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
            other => other?,
        };
        if received.lacks_descriptors {
            return Err(Errno::EMFILE.into());
        }
        let descriptors = received.descriptors;
        if descriptors.is_empty() {
            return Ok(None);
        }
        let files: Vec<File> = descriptors.into_iter().map(OwnedFd::into).collect();
        let files = <[File; 3]>::try_from(files);
        let unknown = |_| io::Error::other("it speaks another language: is it of another version?");
        files.map(Self).map(Some).map_err(unknown)
    }
}
