//! The switches of a lab, as their keeper sees them.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;

use super::watch::Place;
use crate::userlab::files::Identity;
use vswitch_control::local_socket::{A_MOMENT, connect};
use vswitch_control::names::SwitchName;
use vswitch_control::runtime_dir::RuntimeDir;

/// What ends a switch (docs/control-protocol.md).
const STOP: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stop\"}\n";

/// A switch of this lab.
#[derive(Debug)]
struct Member {
    name: SwitchName,
    /// Ends with the switch. None of one that was killed: it may be started again, and its
    /// namespaces are to be there then.
    link: Option<UnixStream>,
    /// Its directory, if it could be seen.
    place: Option<Place>,
    /// Whether it was told to stop.
    is_dismissed: bool,
}

/// The switches of this lab, alive or killed, not those that were stopped.
#[derive(Debug, Default)]
pub(super) struct Members(Vec<Member>);

/// What is at a switch's control socket.
enum Found {
    Alive(UnixStream),
    Killed,
    /// No switch, or one that is not in this lab.
    Nothing,
}

impl Members {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What to wait on.
    pub(super) fn links(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0
            .iter()
            .filter_map(|member| Some(member.link.as_ref()?.as_fd()))
    }

    /// Takes note of which links have ended, in their order; whether one has.
    pub(super) fn lose(&mut self, ready: &[bool]) -> bool {
        let mut lost = false;
        let linked = self.0.iter_mut().filter(|member| member.link.is_some());
        for (member, _) in linked.zip(ready).filter(|(_, ready)| **ready) {
            // A switch says nothing to who does not ask: this is its end, or it makes room.
            let mut byte = [0];
            let said = member.link.as_mut().map(|link| link.read(&mut byte));
            if !matches!(said, Some(Ok(1..))) {
                member.link = None;
                lost = true;
            }
        }
        lost
    }

    /// Tells those to stop whose directory was removed: nobody could ask them any more.
    pub(super) fn stop_removed(&mut self) {
        let is_removed = |member: &&mut Member| {
            !member.is_dismissed && member.place.as_ref().is_some_and(Place::is_removed)
        };
        for member in self.0.iter_mut().filter(is_removed) {
            if let Some(link) = &mut member.link {
                // One that has ended by itself need not be told.
                let _ = link.write_all(STOP);
                member.is_dismissed = true;
            }
        }
    }

    /// Looks at all switches of the runtime directory.
    ///
    /// # Errors
    /// Where one can't be seen: it has not gone for that.
    pub(super) fn refresh(&mut self, runtime: &RuntimeDir) -> anyhow::Result<()> {
        let names = runtime.switches()?;
        self.0.retain(|member| names.contains(&member.name));
        for name in names {
            let known = self.0.iter().position(|member| member.name == name);
            if known.is_some_and(|index| self.0[index].link.is_some()) {
                continue;
            }
            let dir = runtime.switch(&name);
            match (look(&dir.socket())?, known) {
                (Found::Alive(link), known) => {
                    let member = Member {
                        name,
                        link: Some(link),
                        place: Place::at(dir.path()).ok(),
                        is_dismissed: false,
                    };
                    match known {
                        Some(index) => self.0[index] = member,
                        None => self.0.push(member),
                    }
                }
                (Found::Nothing, Some(index)) => {
                    self.0.remove(index);
                }
                (Found::Killed, _) | (Found::Nothing, None) => {}
            }
        }
        Ok(())
    }
}

fn look(socket: &Path) -> io::Result<Found> {
    // The keeper waits for nobody: one that has no room is looked at again later.
    match connect(socket, A_MOMENT) {
        Ok(link) if is_inside(&link)? => Ok(Found::Alive(link)),
        Ok(_) => Ok(Found::Nothing),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(Found::Killed),
        Err(error) if is_no_switch(&error) => Ok(Found::Nothing),
        Err(error) => Err(error),
    }
}

/// Whether no switch of ours can be there: nothing is, or something that is somebody else's.
fn is_no_switch(error: &io::Error) -> bool {
    let kinds = [
        Errno::ENOENT,
        Errno::ENOTDIR,
        Errno::EACCES,
        Errno::ELOOP,
        Errno::EPROTOTYPE,
    ];
    // The kind is of a path that is too long for a socket.
    error.kind() == ErrorKind::InvalidInput
        || error
            .raw_os_error()
            .is_some_and(|code| kinds.contains(&Errno::from_raw(code)))
}

/// Whether the process that listens is in the user namespace of this one.
fn is_inside(link: &UnixStream) -> io::Result<bool> {
    let peer = getsockopt(link, PeerCredentials)?;
    let of = |process: &str| Identity::of(format!("/proc/{process}/ns/user").as_ref());
    match of(&peer.pid().to_string()) {
        Ok(theirs) => Ok(theirs == of("self")?),
        // It has ended, or is none that may be looked at from here.
        Err(error) if is_no_switch(&error) => Ok(false),
        Err(error) => Err(error),
    }
}
