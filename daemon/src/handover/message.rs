//! What predecessor and successor say to each other.

use std::fs::File;
use std::io::{self, IoSlice, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, recv, sendmsg, setsockopt,
    socketpair, sockopt,
};
use nix::sys::time::TimeVal;
use rustix::net::RecvFlags;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use vswitch_switch::BridgeConfig;
use vswitch_switch::port::{LinkState, PortData};

use super::HandoverError;
use crate::lab::Ledger;
use crate::state::{Options, SavedPort, SavedStation};
use vswitch_control::ancillary;

/// No message is longer; what may be goes as a file.
const MAX_BYTES: usize = 64 * 1024;
/// How long a message may wait for the other one to read.
const SEND_PATIENCE_S: i64 = 10;

/// A message. Descriptors come along as told.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Message {
    /// The successor is there.
    Hello {
        /// The form that it knows.
        format: u32,
        /// Its version.
        version: String,
    },
    /// What it gets; as a file, a [`Legacy`], and behind that the descriptors that it lists.
    Welcome,
    /// A port, with its descriptors.
    Port(PortData),
    /// That were all ports.
    Ports,
    /// The successor has put together what it got.
    Prepared,
    /// The switch stands still: as files, where, and its stations; and the [`Token`].
    Standing,
    /// The successor goes on from there.
    Running,
    /// Whoever asks finds it in the place of the predecessor.
    Settled,
    /// A signal has come to the predecessor, and is meant for whoever has the switch.
    Signal(String),
    /// It cannot.
    Failed(String),
}

/// What a successor gets.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Legacy {
    /// The switch's name.
    pub(super) name: String,
    /// How it works, completely.
    pub(super) options: Options,
    /// The same, as the switch itself is set.
    pub(super) bridge: BridgeConfig,
    /// Its ports.
    pub(super) plugs: Vec<HandedPlug>,
    /// Its static stations.
    pub(super) stations: Vec<SavedStation>,
    /// Whether it runs in the background, with a log of its own.
    pub(super) detached: bool,
    /// What the descriptors are.
    pub(super) descriptors: Vec<Descriptor>,
    /// The address of the service manager, as it is told in errors.
    #[serde(default)]
    pub(super) manager: Option<String>,
    /// The period of its watchdog.
    #[serde(default)]
    pub(super) watchdog: Option<Duration>,
}

/// A port beside the switch itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HandedPlug {
    /// As it is kept.
    pub(crate) saved: SavedPort,
    /// The address of its interface.
    pub(crate) mac: Option<[u8; 6]>,
    /// Its link.
    pub(crate) link: LinkState,
    /// What the interface had lost before it was a port, and since: all that versions without a
    /// ledger know of it.
    pub(crate) lost_before: u64,
    pub(crate) lost: u64,
    /// What it has lost since, by reason.
    #[serde(default)]
    pub(crate) ledger: Option<Ledger>,
}

/// What a descriptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Descriptor {
    /// The lock on the switch's directory.
    Lock,
    /// The socket on which it is asked.
    Control,
    /// The socket on which its metrics are.
    Metrics,
    /// The way to the service manager.
    Manager,
    /// The way to the process that waits for its end.
    Waiter,
}

/// One end of the conversation.
#[derive(Debug)]
pub(super) struct Channel(OwnedFd);

impl Channel {
    /// Both ends.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (ours, its) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
        // One that was stopped does not hold the other one up for ever.
        setsockopt(
            &ours,
            sockopt::SendTimeout,
            &TimeVal::new(SEND_PATIENCE_S, 0),
        )?;
        Ok((Self(ours), its))
    }

    /// The end that the predecessor has left as standard input, in whose place comes `/dev/null`.
    pub(super) fn from_stdin() -> io::Result<Self> {
        let ours = io::stdin().as_fd().try_clone_to_owned()?;
        nix::unistd::dup2_stdin(File::open("/dev/null")?)?;
        Ok(Self(ours))
    }

    pub(super) fn send(
        &self,
        message: &Message,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), HandoverError> {
        let bytes = serde_json::to_vec(message).map_err(io::Error::from)?;
        let raw: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&raw)];
        let control = if raw.is_empty() { &[][..] } else { &rights[..] };
        let flags = MsgFlags::MSG_NOSIGNAL;
        loop {
            match sendmsg::<()>(
                self.0.as_raw_fd(),
                &[IoSlice::new(&bytes)],
                control,
                flags,
                None,
            ) {
                Err(Errno::EINTR) => {}
                // So many are on their way that the other one has to take some first.
                Err(Errno::ETOOMANYREFS) => std::thread::sleep(Duration::from_millis(1)),
                Err(Errno::EPIPE | Errno::ECONNRESET) => return Err(self.last_words()),
                other => return Ok(other.map(drop).map_err(io::Error::from)?),
            }
        }
    }

    /// Why the other one has ended, if it has said so.
    fn last_words(&self) -> HandoverError {
        while let Ok((message, _)) = self.receive(Instant::now()) {
            if let Message::Failed(why) = message {
                return HandoverError::Failed(why);
            }
        }
        HandoverError::Ended
    }

    /// The next message, if it comes before `deadline`.
    pub(super) fn receive(
        &self,
        deadline: Instant,
    ) -> Result<(Message, Vec<OwnedFd>), HandoverError> {
        self.wait(deadline)?;
        let mut bytes = vec![0; MAX_BYTES];
        let received = ancillary::receive(self.0.as_fd(), &mut bytes, RecvFlags::DONTWAIT);
        let received = match received {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                return Err(HandoverError::Ended);
            }
            other => other?,
        };
        if received.lacks_descriptors {
            return Err(io::Error::from(Errno::EMFILE).into());
        }
        let descriptors = received.descriptors;
        match received.length {
            0 => Err(HandoverError::Ended),
            length => {
                let message = serde_json::from_slice(&bytes[..length]);
                Ok((message.map_err(|_| HandoverError::Unexpected)?, descriptors))
            }
        }
    }

    /// Waits so long at most; whether there is a message, or the end.
    pub(super) fn has_message(&self, patience: Duration) -> bool {
        !matches!(
            self.wait(Instant::now() + patience),
            Err(HandoverError::Late)
        )
    }

    fn wait(&self, deadline: Instant) -> Result<(), HandoverError> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // Rounded up, so that nothing is asked before its time again and again.
            let millis = left.as_micros().div_ceil(1000);
            let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
            let mut ready = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            match poll(&mut ready, timeout) {
                Err(Errno::EINTR) => {}
                Ok(0) => return Err(HandoverError::Late),
                other => return Ok(other.map(drop).map_err(io::Error::from)?),
            }
        }
    }

    /// The next message, which is to be the one that `wanted` takes.
    pub(super) fn expect<T>(
        &self,
        deadline: Instant,
        wanted: impl FnOnce(Message, Vec<OwnedFd>) -> Option<T>,
    ) -> Result<T, HandoverError> {
        match self.receive(deadline)? {
            (Message::Failed(why), _) => Err(HandoverError::Failed(why)),
            (message, descriptors) => wanted(message, descriptors).ok_or(HandoverError::Unexpected),
        }
    }
}

/// The right to go on with the switch, which one process has: whoever takes it first.
///
/// It is a byte in a socket that both read from. So the successor need not ask whether it still
/// may, for which frames would have to wait, and one that is too late does not.
#[derive(Debug)]
pub(super) struct Token(OwnedFd);

impl Token {
    /// A token that is there to be taken, as long as the second descriptor is open.
    pub(super) fn lay_down() -> io::Result<(Self, OwnedFd)> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (far, near) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
        nix::unistd::write(&far, &[1])?;
        Ok((Self(near), far))
    }

    /// Takes it; whether it was there.
    pub(super) fn take(&self) -> bool {
        let mut byte = [0];
        loop {
            match recv(self.0.as_raw_fd(), &mut byte, MsgFlags::MSG_DONTWAIT) {
                Err(Errno::EINTR) => {}
                taken => return taken == Ok(1),
            }
        }
    }
}

impl AsFd for Token {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Token {
    fn from(descriptor: OwnedFd) -> Self {
        Self(descriptor)
    }
}

/// A file without a name that holds `bytes`.
pub(super) fn file_of(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create(c"vswitch-handover", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file)
}

/// What such a file holds.
pub(super) fn bytes_of(file: OwnedFd) -> io::Result<Vec<u8>> {
    let mut file = File::from(file);
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The same as JSON.
pub(super) fn json_file(value: &impl Serialize) -> io::Result<File> {
    file_of(&serde_json::to_vec(value)?)
}

/// What such a file says.
pub(super) fn json_of<T: DeserializeOwned>(file: OwnedFd) -> Result<T, HandoverError> {
    serde_json::from_slice(&bytes_of(file)?).map_err(|error| {
        HandoverError::Failed(format!("what it is handed makes no sense: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(120)
    }

    fn both() -> (Channel, Channel) {
        let (one, other) = Channel::pair().unwrap();
        (one, Channel(other))
    }

    #[test]
    fn messages_arrive_with_their_descriptors() {
        let (one, other) = both();
        let file = json_file(&["it's-a", "me"]).unwrap();
        one.send(&Message::Welcome, &[file.as_fd()]).unwrap();
        let file = other.expect(soon(), |message, mut descriptors| {
            matches!(message, Message::Welcome).then(|| descriptors.remove(0))
        });
        let said: Vec<String> = json_of(file.unwrap()).unwrap();
        assert_eq!(said, ["it's-a", "me"]);
    }

    #[test]
    fn one_of_two_has_the_token() {
        let (ours, _far) = Token::lay_down().unwrap();
        let theirs = Token::from(ours.as_fd().try_clone_to_owned().unwrap());
        assert!(theirs.take());
        assert!(!ours.take() && !theirs.take());
    }

    #[test]
    fn whoever_ends_says_why_or_not() {
        let nothing = |_, _| None::<()>;
        let (one, other) = both();
        one.send(&Message::Failed("no".to_owned()), &[]).unwrap();
        drop(one);
        let failed = other.expect(soon(), nothing).unwrap_err().to_string();
        assert!(failed.contains("cannot go on: no;"), "{failed}");
        assert!(matches!(
            other.expect(soon(), nothing),
            Err(HandoverError::Ended)
        ));
        assert!(matches!(
            other.send(&Message::Prepared, &[]),
            Err(HandoverError::Ended)
        ));
        let (one, other) = both();
        assert!(matches!(
            other.expect(Instant::now(), nothing),
            Err(HandoverError::Late)
        ));
        one.send(&Message::Prepared, &[]).unwrap();
        assert!(matches!(
            other.expect(soon(), nothing),
            Err(HandoverError::Unexpected)
        ));
    }
}
