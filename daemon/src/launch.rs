//! What a switch is started with, as its process in the background gets it: over a socket, which is its
//! standard input.

use std::fs::File;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::unistd::dup2_stdin;
use rustix::net::RecvFlags;
use serde::{Deserialize, Serialize};

use super::state::Options;
use vswitch_control::ancillary;
use vswitch_control::metrics::Listener;

/// What a switch is started with, besides its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// What is decided of how it works.
    pub options: Options,
    /// Whether what a killed one has kept is discarded.
    pub fresh: bool,
}

impl Launch {
    /// Puts this into a socket, and the socket for metrics with it. The other end is the standard
    /// input of a process that is yet to be started.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn send(&self, metrics: Option<&Listener>) -> io::Result<OwnedFd> {
        let (near, far) = UnixStream::pair()?;
        let bytes = serde_json::to_vec(self)?;
        let metrics = metrics.map(Listener::to_descriptor).transpose()?;
        let raw: Vec<_> = metrics.iter().map(AsRawFd::as_raw_fd).collect();
        let with = [ControlMessage::ScmRights(&raw)];
        let with = if raw.is_empty() { &[][..] } else { &with[..] };
        // Nobody reads yet: a socket that cannot hold it refuses it, and is not waited for.
        let flags = MsgFlags::MSG_DONTWAIT;
        let sent = sendmsg::<()>(near.as_raw_fd(), &[IoSlice::new(&bytes)], with, flags, None)?;
        if sent < bytes.len() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        near.shutdown(Shutdown::Write)?;
        Ok(far.into())
    }

    /// What the parent has put into the standard input of this process, in whose place comes
    /// `/dev/null`.
    ///
    /// # Errors
    /// Where it is not that.
    pub fn receive() -> io::Result<(Self, Option<Listener>)> {
        let received = Self::receive_from(&io::stdin());
        dup2_stdin(File::open("/dev/null")?)?;
        received
    }

    fn receive_from(socket: &impl AsFd) -> io::Result<(Self, Option<Listener>)> {
        let (mut bytes, mut metrics) = (Vec::new(), None);
        let mut buffer = [0; 4096];
        loop {
            let received = ancillary::receive(socket.as_fd(), &mut buffer, RecvFlags::empty())?;
            metrics = received.descriptors.into_iter().next().or(metrics);
            match &buffer[..received.length] {
                [] => break,
                some => bytes.extend_from_slice(some),
            }
        }
        let metrics = metrics.map(Listener::inherited).transpose()?;
        Ok((serde_json::from_slice(&bytes)?, metrics))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_arrives_as_it_was_sent() {
        let settings = r#"{"ageing_s":7,"subnet":"10.0.0.0/24","receive":"ring","group":104,
            "metrics":"127.0.0.1:1","guard":"off","protection":{"loop_guard":false}}"#;
        let launch = Launch {
            options: Options {
                settings: serde_json::from_str(settings).unwrap(),
                lab: Some("my_lab".to_owned()),
            },
            fresh: true,
        };
        let address = "127.0.0.1:0".parse().unwrap();
        let listener = Listener::bind(&address).unwrap();
        let socket = launch.send(Some(&listener)).unwrap();
        let (arrived, metrics) = Launch::receive_from(&socket).unwrap();
        assert_eq!(arrived, launch);
        assert_eq!(metrics.unwrap().address(), listener.address());
        let socket = Launch::default().send(None).unwrap();
        let (arrived, metrics) = Launch::receive_from(&socket).unwrap();
        assert!(arrived == Launch::default() && metrics.is_none());
        let (near, far) = UnixStream::pair().unwrap();
        drop(near);
        assert!(Launch::receive_from(&far).is_err());
    }
}
