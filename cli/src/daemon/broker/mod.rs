//! A helper with the rights that the switch itself has given up.
//!
//! # Theory of operation
//!
//! A running switch keeps two capabilities and cannot enter a namespace any more, nor make one, nor
//! start a program ([`super::guard`]). Before it gives the rest up, and before its first thread, it
//! forks: the child, the broker, keeps `CAP_SYS_ADMIN` and does three things when it is asked to
//! over a pair of sockets that nobody else has: it opens (or makes) a named namespace and hands over
//! descriptors of it and of three sockets in it; it deletes the one that it has made last, for a
//! rollback; it starts the program that is to succeed this switch, whose words were laid down
//! before the fork. It never sees what clients send: only names that have been checked, and it
//! checks them once more. It has no other descriptor, and ends with its switch.
//!
//! One request is under way at a time. Where the kernel takes too long over one, it fails, and so do
//! those that are asked while it does; the broker itself undoes what it has made too late.

mod message;
mod program;
mod serve;
#[allow(unsafe_code, reason = "fork, and what was inherited")]
mod sys;

use std::cell::RefCell;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socketpair, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use vswitch_netns::{Announcer, Namespace, NamespaceError, NamespaceName, Netlink, Offloads};
use vswitch_switch::handover::monotonic;

use message::{Answer, Request};
pub(crate) use program::start as start_program;

/// How long its end is waited for. It ends at once, but where it waits for a lock itself.
const PARTING_MS: u32 = 1000;
/// How long the broker may take for a request, on a machine that is busy. Together with a second one,
/// which undoes the first, it is less than a supervisor waits for a sign of life.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long an answer is waited for that has come too late already.
const BRIEFLY: Duration = Duration::from_millis(50);

/// The switch's end of its broker.
#[derive(Debug)]
pub(crate) struct Broker {
    /// None once it is to end.
    socket: Option<OwnedFd>,
    pid: Pid,
    patience: Duration,
    /// What was asked for and not answered in time.
    owed: RefCell<Option<Request>>,
}

impl Drop for Broker {
    /// Waits for its end: after a switch there is no process of it.
    fn drop(&mut self) {
        self.socket = None;
        for _ in 0..PARTING_MS {
            match waitpid(self.pid, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                _ => return,
            }
        }
    }
}

/// A namespace, as far as a switch needs it.
#[derive(Debug)]
pub(crate) struct Inside {
    /// The namespace itself.
    pub(crate) namespace: Namespace,
    /// Requests to the kernel about it.
    pub(crate) netlink: Netlink,
    /// The offloads of its interfaces.
    pub(crate) offloads: Offloads,
    /// Announces addresses of its interfaces.
    pub(crate) announcer: Announcer,
    /// Whether it was made for this.
    pub(crate) created: bool,
}

impl Broker {
    /// Forks the broker. `words` is how the successor is started, without the program's name.
    ///
    /// To be called while the process has one thread.
    ///
    /// # Errors
    /// Where the system gives no process or socket.
    pub(crate) fn start(words: &[OsString]) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (ours, its) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
        let parent = nix::unistd::getpid();
        match sys::fork()? {
            Some(pid) => Ok(Self::on(ours, pid)),
            None => serve::serve(its, parent, words),
        }
    }

    const fn on(socket: OwnedFd, pid: Pid) -> Self {
        Self {
            socket: Some(socket),
            pid,
            patience: PATIENCE,
            owed: RefCell::new(None),
        }
    }

    /// Its process.
    pub(crate) const fn pid(&self) -> Pid {
        self.pid
    }

    /// Opens a named namespace; makes it where there is none, if `create`.
    ///
    /// # Errors
    /// As [`Namespace::open`] and [`Namespace::create`] have it.
    pub(crate) fn open(
        &self,
        name: &NamespaceName,
        create: bool,
    ) -> Result<Inside, NamespaceError> {
        let request = Request::Open {
            name: name.to_string(),
            create,
            until: monotonic() + self.patience,
        };
        let (answer, descriptors) = self.ask(request, &[])?;
        let Answer::Opened { created } = answer else {
            return Err(unexpected());
        };
        Self::inside(name, created, descriptors).inspect_err(|_| {
            if created && let Err(error) = self.delete(name) {
                log::warn!("the namespace {name} is left: {error}");
            }
        })
    }

    fn inside(
        name: &NamespaceName,
        created: bool,
        descriptors: Vec<OwnedFd>,
    ) -> Result<Inside, NamespaceError> {
        // They come with each such answer, unless there is no number for one of them here.
        if descriptors.is_empty() {
            return Err(system("take a namespace over", Errno::EMFILE));
        }
        let [namespace, netlink, offloads, announcer]: [OwnedFd; 4] =
            descriptors.try_into().map_err(|_| unexpected())?;
        let netlink = Netlink::from_descriptor(netlink).map_err(|error| {
            system(
                "use a socket of the helper",
                error.errno().unwrap_or(Errno::EIO),
            )
        })?;
        Ok(Inside {
            namespace: Namespace::from_descriptor(namespace)?.with_name(name.clone()),
            netlink,
            offloads: Offloads::from_descriptor(offloads),
            announcer: Announcer::from_descriptor(announcer),
            created,
        })
    }

    /// Deletes the namespace that [`Self::open`] has made last.
    ///
    /// # Errors
    /// As [`Namespace::delete`] has it; that it is another one.
    pub(crate) fn delete(&self, name: &NamespaceName) -> Result<(), NamespaceError> {
        let name = name.to_string();
        self.ask(Request::Delete { name }, &[]).map(drop)
    }

    /// Starts the program that is installed now, with the words that were laid down, to succeed
    /// this switch. The three descriptors become its standard input, output and error. It is a
    /// child of the broker, and once that has ended, of whom the system gives orphans to.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn start_successor(&self, standard: [BorrowedFd<'_>; 3]) -> io::Result<Pid> {
        let answer = self.ask(Request::Start, &standard);
        match answer.map_err(|error| io::Error::other(error.to_string()))? {
            (Answer::Started { pid }, _) => Ok(Pid::from_raw(pid)),
            _ => Err(io::Error::other(unexpected().to_string())),
        }
    }

    fn ask(
        &self,
        request: Request,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(Answer, Vec<OwnedFd>), NamespaceError> {
        self.settle()?;
        match self.exchange(request, descriptors)? {
            (Answer::Refused(refusal), _) => Err(refusal.into()),
            answered => Ok(answered),
        }
    }

    /// Takes the answer that came too late, if one did. Where it has not come yet, the broker is busy.
    fn settle(&self) -> Result<(), NamespaceError> {
        let owed = self.owed.borrow().clone();
        let Some(request) = owed else { return Ok(()) };
        let answer = self.receive(Instant::now() + BRIEFLY)?;
        // A successor that nobody talks to ends by itself.
        if let (Request::Open { name, .. }, (Answer::Opened { created: true }, _)) =
            (request, answer)
        {
            log::warn!("the namespace {name} was made at the last moment, and is left");
        }
        Ok(())
    }

    fn exchange(
        &self,
        request: Request,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(Answer, Vec<OwnedFd>), NamespaceError> {
        let deadline = Instant::now() + self.patience;
        sys::send(self.socket()?, &request.encode(), descriptors).map_err(failed)?;
        self.owed.replace(Some(request));
        self.receive(deadline)
    }

    /// Waits for the answer that is owed, until then.
    fn receive(&self, deadline: Instant) -> Result<(Answer, Vec<OwnedFd>), NamespaceError> {
        let socket = self.socket()?;
        let left = deadline.saturating_duration_since(Instant::now());
        // Zero would be for ever.
        let left = i64::try_from(left.as_millis()).unwrap_or(i64::MAX).max(1);
        let left = TimeVal::milliseconds(left);
        setsockopt(&socket, sockopt::ReceiveTimeout, &left).map_err(failed)?;
        let received = sys::receive(socket);
        if !matches!(received, Err(Errno::EAGAIN)) {
            self.owed.take();
        }
        let (bytes, descriptors) = received.map_err(failed)?;
        if bytes.is_empty() {
            return Err(failed(Errno::EPIPE));
        }
        let answer = Answer::decode(&bytes).ok_or_else(unexpected)?;
        Ok((answer, descriptors))
    }

    fn socket(&self) -> Result<BorrowedFd<'_>, NamespaceError> {
        self.socket.as_ref().map(AsFd::as_fd).ok_or_else(unexpected)
    }
}

fn failed(errno: Errno) -> NamespaceError {
    match errno {
        Errno::EAGAIN => system(
            "ask the helper process, which does not answer in time",
            Errno::ETIMEDOUT,
        ),
        Errno::EPIPE | Errno::ECONNRESET => system(
            "ask the helper process, which has ended: kill the switch's process too and run it \
             again, which keeps all that it has",
            errno,
        ),
        _ => system("ask the helper process", errno),
    }
}

fn system(action: &str, errno: Errno) -> NamespaceError {
    NamespaceError::System {
        action: action.to_owned(),
        errno,
    }
}

fn unexpected() -> NamespaceError {
    system("understand the helper process", Errno::EPROTO)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::message::Refusal;
    use super::*;

    /// A broker in the place of the process, of which there is none.
    fn pair() -> (Broker, OwnedFd) {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (ours, its) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap();
        (Broker::on(ours, Pid::from_raw(i32::MAX)), its)
    }

    fn heard(socket: &OwnedFd) -> Request {
        let (bytes, _) = sys::receive(socket.as_fd()).unwrap();
        Request::decode(&bytes).unwrap()
    }

    fn say(socket: &OwnedFd, answer: &Answer) {
        sys::send(socket.as_fd(), &answer.encode(), &[]).unwrap();
    }

    #[test]
    fn an_answer_that_is_late_is_not_taken_for_another() {
        let (mut broker, its) = pair();
        broker.patience = Duration::from_millis(5);
        let (late, next) = (
            NamespaceName::new("late").unwrap(),
            NamespaceName::new("next").unwrap(),
        );
        let error = broker.open(&late, true).unwrap_err().to_string();
        assert!(error.contains("does not answer in time"), "{error}");
        // Nothing else is asked meanwhile.
        broker.delete(&next).unwrap_err();
        assert!(matches!(heard(&its), Request::Open { name, .. } if name == "late"));

        broker.patience = Duration::from_secs(600);
        say(&its, &Answer::Refused(Refusal::NotFound("late".to_owned())));
        let helper = thread::spawn(move || {
            let name = "next".to_owned();
            assert_eq!(heard(&its), Request::Delete { name });
            say(&its, &Answer::Deleted);
        });
        broker.delete(&next).unwrap();
        helper.join().unwrap();
        let error = broker.delete(&next).unwrap_err().to_string();
        assert!(error.contains("has ended"), "{error}");
    }
}
