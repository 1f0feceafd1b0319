//! Who may ask a switch.

use std::io;
use std::os::fd::AsFd;

use mio::net::UnixStream;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::unistd::geteuid;

use vswitch_control::users;

#[allow(unsafe_code, reason = "a socket option that no crate has")]
mod sys;

/// Who may ask: the switch's own user, root, and the members of a group. The directory keeps all
/// others out; this is for a connection that got past it, as one that was passed on.
///
/// In the lab of an ordinary user, that user has the number 0, and all others of the system, root too,
/// appear as one without a number of its own: none of them may ask.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    own: u32,
    group: Option<u32>,
}

/// Who asks; first who keeps its place where there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// The switch's own user, or root.
    Owner,
    /// Another one who may.
    Member,
}

impl Peers {
    /// This user, root, and the members of this group.
    pub(crate) fn new(group: Option<u32>) -> Self {
        Self {
            own: geteuid().as_raw(),
            group,
        }
    }

    /// Who this is of those who may ask.
    pub(super) fn standing(&self, stream: &UnixStream) -> Standing {
        match getsockopt(stream, PeerCredentials) {
            Ok(peer) if peer.uid() == self.own || peer.uid() == 0 => Standing::Owner,
            _ => Standing::Member,
        }
    }

    /// Has the kernel take descriptors from this one, or refuse them (EPERM, where it can: Linux 6.16).
    /// Where members of a group may ask, the socket that listens refuses them, and those that are
    /// accepted are as it is.
    ///
    /// To close a descriptor can take as long as whoever has passed it likes: a TCP socket lingers, a file of a
    /// file system in user space waits for its process.
    pub(crate) fn let_pass(socket: &impl AsFd, pass: bool) {
        // Fails where the kernel does not know it.
        let _ = sys::let_pass(socket.as_fd(), pass);
    }

    /// Checks who has connected.
    ///
    /// # Errors
    /// Says why they may not ask.
    pub(super) fn check(&self, stream: &UnixStream) -> Result<(), String> {
        let unknown = |error: io::Error| format!("who asks is unknown: {error}");
        let peer = getsockopt(stream, PeerCredentials).map_err(|errno| unknown(errno.into()))?;
        let user = peer.uid();
        if user == self.own || user == 0 {
            return Ok(());
        }
        // Groups that have no number here are not told apart.
        if let Some(group) = self.group.filter(|group| !users::is_unmapped_group(*group)) {
            let groups = sys::groups_of_peer(stream.as_fd()).map_err(unknown)?;
            if peer.gid() == group || groups.contains(&group) {
                return Ok(());
            }
        }
        if users::is_unmapped(user) {
            return Err(
                "this switch is in the lab of an ordinary user, who alone may ask it: run the \
                 command as that user"
                    .to_owned(),
            );
        }
        Err(format!(
            "the user {user} may not ask this switch: it is that of user {}{}",
            self.own,
            self.group
                .map(|group| format!(", and of the group {group}"))
                .unwrap_or_default()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_user_may_and_a_stranger_may_not() {
        let (stream, _other) = UnixStream::pair().unwrap();
        let own = Peers::new(None);
        own.check(&stream).unwrap();
        let stranger = Peers {
            own: 4711,
            group: None,
        };
        let user = geteuid();
        if !user.is_root() {
            let error = stranger.check(&stream).unwrap_err();
            assert!(
                error.contains(&format!("the user {user} may not")),
                "{error}"
            );
            let group = Some(nix::unistd::getegid().as_raw());
            Peers { group, ..stranger }.check(&stream).unwrap();
        }
    }

    #[test]
    fn the_groups_of_a_peer_are_its_own() {
        let (stream, _other) = UnixStream::pair().unwrap();
        let mut found = sys::groups_of_peer(stream.as_fd()).unwrap();
        let own = nix::unistd::getgroups().unwrap();
        let mut own: Vec<u32> = own.into_iter().map(nix::unistd::Gid::as_raw).collect();
        found.sort_unstable();
        own.sort_unstable();
        assert_eq!(found, own);
    }
}
