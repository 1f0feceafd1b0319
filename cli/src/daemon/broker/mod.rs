//! A helper with the rights that the switch itself has given up.
//!
//! # Theory of operation
//!
//! A running switch keeps two capabilities and cannot enter a namespace any more, nor make one, nor
//! start a program ([`super::guard`]). Before it gives the rest up, and before its first thread, it
//! forks: the child, the broker, keeps `CAP_SYS_ADMIN` and does three things when it is asked to
//! over a pair of sockets that nobody else has: it opens (or makes) a named namespace and hands over
//! descriptors of it and of two sockets in it; it deletes the one that it has made last, for a
//! rollback; it starts the program that is to succeed this switch, whose words were laid down
//! before the fork. It never sees what clients send: only names that have been checked, and it
//! checks them once more. It has no other descriptor, and ends with its switch.

mod message;
mod program;
mod serve;
#[allow(unsafe_code, reason = "fork, and descriptors that come over a socket")]
mod sys;

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Shutdown, SockFlag, SockType, setsockopt, shutdown, socketpair, sockopt,
};
use nix::sys::time::TimeVal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use vswitch_netns::{Namespace, NamespaceError, NamespaceName, Netlink, Offloads};

use message::{Answer, Request};
pub(crate) use program::start as start_program;

/// How long its end is waited for. It ends at once, but where it waits for a lock itself.
const PARTING_MS: u32 = 1000;
/// How long the broker may take, on a machine that is busy: less than a supervisor waits for a sign
/// of life.
const PATIENCE: Duration = Duration::from_secs(5);

/// The switch's end of its broker.
#[derive(Debug)]
pub(crate) struct Broker {
    /// None once it is to end.
    socket: Option<OwnedFd>,
    pid: Pid,
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
            Some(pid) => {
                let patience = TimeVal::new(PATIENCE.as_secs().cast_signed(), 0);
                setsockopt(&ours, sockopt::ReceiveTimeout, &patience)?;
                let socket = Some(ours);
                Ok(Self { socket, pid })
            }
            None => serve::serve(its, parent, words),
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
        };
        let (answer, descriptors) = self.ask(&request, &[])?;
        let Answer::Opened { created } = answer else {
            return Err(unexpected());
        };
        let [namespace, netlink, offloads]: [OwnedFd; 3] =
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
            created,
        })
    }

    /// Deletes the namespace that [`Self::open`] has made last.
    ///
    /// # Errors
    /// As [`Namespace::delete`] has it; that it is another one.
    pub(crate) fn delete(&self, name: &NamespaceName) -> Result<(), NamespaceError> {
        let name = name.to_string();
        self.ask(&Request::Delete { name }, &[]).map(drop)
    }

    /// Starts the program that is installed now, with the words that were laid down, to succeed
    /// this switch. The three descriptors become its standard input, output and error. It is a
    /// child of the broker, and once that has ended, of whom the system gives orphans to.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn start_successor(&self, standard: [BorrowedFd<'_>; 3]) -> io::Result<Pid> {
        let answer = self.ask(&Request::Start, &standard);
        match answer.map_err(|error| io::Error::other(error.to_string()))? {
            (Answer::Started { pid }, _) => Ok(Pid::from_raw(pid)),
            _ => Err(io::Error::other(unexpected().to_string())),
        }
    }

    fn ask(
        &self,
        request: &Request,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(Answer, Vec<OwnedFd>), NamespaceError> {
        let Some(socket) = self.socket.as_ref().map(AsFd::as_fd) else {
            return Err(unexpected());
        };
        let failed = |errno| match errno {
            // What answers too late would be taken for the answer to the next request.
            Errno::EAGAIN => {
                let _ = shutdown(socket.as_raw_fd(), Shutdown::Both);
                system(
                    "ask the helper process, which does not answer",
                    Errno::ETIMEDOUT,
                )
            }
            Errno::EPIPE | Errno::ECONNRESET => system(
                "ask the helper process, which has ended: kill the switch's process too and run it \
                 again, which keeps all that it has",
                errno,
            ),
            _ => system("ask the helper process", errno),
        };
        sys::send(socket, &request.encode(), descriptors).map_err(failed)?;
        let (bytes, descriptors) = sys::receive(socket).map_err(failed)?;
        if bytes.is_empty() {
            return Err(failed(Errno::EPIPE));
        }
        let answer = Answer::decode(&bytes).ok_or_else(unexpected)?;
        match answer {
            Answer::Refused(refusal) => Err(refusal.into()),
            other => Ok((other, descriptors)),
        }
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
