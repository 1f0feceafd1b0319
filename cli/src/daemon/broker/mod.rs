//! Helpers with the rights that the switch itself has given up.
//!
//! # Theory of operation
//!
//! A running switch keeps two capabilities and cannot enter a namespace any more, nor make one, nor
//! start a program ([`super::guard`]). Before it gives the rest up, and before its first thread, it
//! forks: the child, the broker, keeps `CAP_SYS_ADMIN` and does five things when it is asked to
//! over a pair of sockets that nobody else has: it opens (or makes) a named namespace and hands over
//! descriptors of it and of three sockets in it; it opens such sockets in one that a client has passed
//! to the switch; it deletes the one that it has made last, for a
//! rollback; it starts the program that is to succeed this switch, whose words were laid down
//! before the fork; it removes the file of the socket for metrics, which was laid down too. It never sees what clients send: only names that have been checked, and it
//! checks them once more. It has no other descriptor, and ends with its switch.
//!
//! There are two of them ([`helper`]), because a switch that has given up the right to fork cannot
//! replace one that was killed, or stopped. The first that is well is asked. When one ends, the kernel
//! tells the switch by its socket. What is wrong is a warning in the log and in `show`.
//!
//! Each helper has one request under way at a time, and bounds it in time ([`work`]): what takes
//! longer goes on in a thread of its own, which undoes what it has made. A helper that does not answer in
//! time all the same is left alone until it does.

mod helper;
mod limit;
mod message;
mod program;
mod serve;
#[allow(unsafe_code, reason = "fork, and what was inherited")]
mod sys;
mod work;

use std::cell::Cell;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::Pid;
use vswitch_netns::{Announcer, Namespace, NamespaceError, NamespaceName, Netlink, Offloads};
use vswitch_switch::handover::monotonic;

use crate::metrics::{Remove, SocketFile};
use helper::{Failure, Health, Helper};
use message::{Answer, Request};
pub(crate) use program::start as start_program;

/// How many there are.
const HELPERS: usize = 2;
/// How long its end is waited for. It ends at once, but where it waits for a lock itself.
const PARTING_MS: u32 = 1000;
/// How long a helper may take for a request, on a machine that is busy. Together with a second one,
/// which undoes the first, it is less than a supervisor waits for a sign of life.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long an answer is waited for that has come too late already.
const BRIEFLY: Duration = Duration::from_millis(50);

/// The switch's end of its helpers.
#[derive(Debug)]
pub(crate) struct Broker {
    helpers: Vec<Helper>,
    patience: Duration,
    /// Which one has made the last namespace.
    maker: Cell<Option<usize>>,
}

impl Drop for Broker {
    /// Waits for their end: after a switch there is no process of it.
    fn drop(&mut self) {
        self.helpers.iter().for_each(Helper::dismiss);
        for helper in &self.helpers {
            // One that was stopped ends with this process, by the kernel.
            if helper.health() != Health::Stopped {
                helper.await_end(PARTING_MS);
            }
        }
    }
}

/// Has the helpers remove the file of the socket for metrics, which the switch itself may not.
#[derive(Debug)]
pub(crate) struct Remover(Vec<OwnedFd>);

impl Remove for Remover {
    /// All are told: one may have been stopped, and to remove it twice does no harm. They do it before
    /// they end, for which their switch waits.
    fn remove(&self) -> io::Result<()> {
        let mut outcome = Err(Errno::EPIPE);
        for way in &self.0 {
            let told = sys::send(way.as_fd(), &Request::RemoveSocket.encode(), &[]);
            outcome = outcome.or(told);
        }
        Ok(outcome?)
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
    /// Forks the helpers. `words` is how the successor is started, without the program's name; `file`
    /// is that of the socket for metrics, if it has one.
    ///
    /// To be called while the process has one thread.
    ///
    /// # Errors
    /// Where the system gives no process or socket.
    pub(crate) fn start(words: &[OsString], file: Option<SocketFile>) -> io::Result<Self> {
        let parent = nix::unistd::getpid();
        let mut helpers = Vec::new();
        for _ in 0..HELPERS {
            let flags = SockFlag::SOCK_CLOEXEC;
            let (ours, its) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
            match sys::fork()? {
                Some(pid) => helpers.push(Helper::on(ours, pid)),
                None => serve::serve(its, parent, words, file),
            }
        }
        Ok(Self::of(helpers))
    }

    const fn of(helpers: Vec<Helper>) -> Self {
        Self {
            helpers,
            patience: PATIENCE,
            maker: Cell::new(None),
        }
    }

    /// What has the file removed that was laid down.
    ///
    /// # Errors
    /// Where there is no descriptor left.
    pub(crate) fn remover(&self) -> io::Result<Remover> {
        let ways = self.helpers.iter().map(Helper::another_way);
        ways.collect::<Result<_, _>>().map(Remover)
    }

    /// The process that is asked next, if one is left.
    pub(crate) fn pid(&self) -> Option<Pid> {
        let well = self.ready().map(|index| self.helpers[index].pid());
        let alive = |helper: &&Helper| helper.health() != Health::Ended;
        well.or_else(|| self.helpers.iter().find(alive).map(Helper::pid))
    }

    /// Those that live.
    pub(crate) fn pids(&self) -> Vec<i32> {
        let helpers = self.helpers.iter();
        let alive = helpers.filter(|helper| helper.health() != Health::Ended);
        alive.map(|helper| helper.pid().as_raw()).collect()
    }

    /// Descriptors that become readable when one of them has ended, or says something late. They stay
    /// the same.
    pub(crate) fn fds(&self) -> impl Iterator<Item = RawFd> {
        self.helpers.iter().map(Helper::fd)
    }

    /// Takes note of what the helper of this index has said unasked: its end, as a rule.
    pub(crate) fn notice(&self, index: usize) {
        let Some(helper) = self.helpers.get(index) else {
            return;
        };
        if let Some(late) = helper.notice() {
            self.undo(index, late);
        }
        self.log_losses();
    }

    fn log_losses(&self) {
        for helper in self.helpers.iter().filter(|helper| helper.is_news()) {
            log::warn!("{}", self.loss(helper));
        }
    }

    /// What is wrong with them, a sentence each.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.log_losses();
        let all = self.helpers.iter();
        if all.clone().all(|helper| helper.health() == Health::Ended) {
            return vec![self.all_lost()];
        }
        all.filter_map(|helper| match helper.health() {
            Health::Well => None,
            Health::Ended => Some(self.loss(helper)),
            Health::Stopped => Some(format!(
                "the helper process {0} was stopped by a signal, and does not answer: \
                 'kill -CONT {0}' lets it go on",
                helper.pid()
            )),
            Health::Busy => Some(format!(
                "the helper process {} does not answer, and is not asked until it does; if it stays so, \
                 'vswitch restart' starts another",
                helper.pid()
            )),
        })
        .collect()
    }

    /// What the end of a helper means.
    fn loss(&self, ended: &Helper) -> String {
        let left = self
            .helpers
            .iter()
            .find(|helper| helper.pid() != ended.pid() && helper.health() != Health::Ended);
        match left {
            Some(left) => format!(
                "the helper process {} has ended, and process {} does its work alone: \
                 'vswitch restart' starts both again",
                ended.pid(),
                left.pid()
            ),
            None => self.all_lost(),
        }
    }

    #[expect(clippy::unused_self, reason = "it is about its helpers")]
    fn all_lost(&self) -> String {
        "both helper processes have ended: namespaces cannot be attached by name, and 'vswitch \
         restart' does not work; kill the switch's process too and run it again, which keeps all \
         that it has"
            .to_owned()
    }

    /// The first that can be asked now.
    fn ready(&self) -> Option<usize> {
        let mut healths = self.helpers.iter().map(Helper::health);
        healths.position(|health| health == Health::Well)
    }

    /// The first that can be asked, after those that owe an answer had a moment for it.
    fn choose(&self) -> Result<usize, NamespaceError> {
        if let Some(index) = self.ready() {
            return Ok(index);
        }
        for (index, helper) in self.helpers.iter().enumerate() {
            if helper.health() == Health::Busy
                && let Some(late) = helper.settle(BRIEFLY)
            {
                self.undo(index, late);
            }
        }
        let has_ended = |helper: &Helper| helper.health() == Health::Ended;
        let failure = if self.helpers.iter().all(has_ended) {
            Failure::Ended
        } else {
            Failure::Late
        };
        self.ready().ok_or_else(|| failed(failure))
    }

    /// Takes back what a helper has done too late.
    fn undo(&self, index: usize, (request, answer): (Request, Answer)) {
        // A successor that nobody talks to ends by itself.
        let (Request::Open { name, .. }, Answer::Opened { created: true }) = (request, answer)
        else {
            return;
        };
        let helper = &self.helpers[index];
        let delete = Request::Delete { name: name.clone() };
        match helper.ask(delete, &[], BRIEFLY) {
            Ok((Answer::Deleted, _)) => {}
            _ => log::warn!("the namespace {name} was made at the last moment, and is left"),
        }
    }

    /// Opens a named namespace; makes it where there is none, if `create`. One that was made can be
    /// deleted until [`Self::keep`] is called, or another one is asked for.
    ///
    /// # Errors
    /// As [`Namespace::open`] and [`Namespace::create`] have it.
    pub(crate) fn open(
        &self,
        name: &NamespaceName,
        create: bool,
    ) -> Result<Inside, NamespaceError> {
        let request = || Request::Open {
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

    /// Opens sockets in a namespace that somebody else has opened, to be known by this name.
    ///
    /// # Errors
    /// As [`Namespace::enter`] has it.
    pub(crate) fn adopt(
        &self,
        name: &NamespaceName,
        namespace: BorrowedFd<'_>,
    ) -> Result<Inside, NamespaceError> {
        let (_, descriptors) = self.ask(|| Request::Adopt, &[namespace])?;
        Self::inside(name, false, descriptors)
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
    /// As [`Namespace::remove_name`] has it; that it is another one.
    pub(crate) fn delete(&self, name: &NamespaceName) -> Result<(), NamespaceError> {
        let Some(index) = self.maker.take() else {
            return Err(system("delete a namespace that is not ours", Errno::EPERM));
        };
        let name = name.to_string();
        let asked = self.helpers[index].ask(Request::Delete { name }, &[], self.patience);
        understood(asked).map(drop)
    }

    /// The namespace that was made last is to stay: nothing keeps it alive any longer that is the
    /// helper's.
    pub(crate) fn keep(&self) {
        if let Some(index) = self.maker.take() {
            // One that has ended keeps nothing; one that does not read lets go at the next request.
            let _ = self.helpers[index].tell(&Request::Keep, &[]);
        }
    }

    /// Starts the program that is installed now, with the words that were laid down, to succeed
    /// this switch. The three descriptors become its standard input, output and error. It is a
    /// child of the helper, and once that has ended, of whom the system gives orphans to.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn start_successor(&self, standard: [BorrowedFd<'_>; 3]) -> io::Result<Pid> {
        let answer = self.ask(|| Request::Start, &standard);
        match answer.map_err(|error| io::Error::other(error.to_string()))? {
            (Answer::Started { pid }, _) => Ok(Pid::from_raw(pid)),
            _ => Err(io::Error::other(unexpected().to_string())),
        }
    }

    /// Asks the first helper that is well; the next, if it ends meanwhile.
    fn ask(
        &self,
        request: impl Fn() -> Request,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(Answer, Vec<OwnedFd>), NamespaceError> {
        self.keep();
        loop {
            let index = self.choose()?;
            let asked = self.helpers[index].ask(request(), descriptors, self.patience);
            if matches!(asked, Err(Failure::Ended)) {
                self.log_losses();
                continue;
            }
            if matches!(asked, Ok((Answer::Opened { created: true }, _))) {
                self.maker.set(Some(index));
            }
            return understood(asked);
        }
    }
}

fn understood(
    asked: Result<(Answer, Vec<OwnedFd>), Failure>,
) -> Result<(Answer, Vec<OwnedFd>), NamespaceError> {
    match asked.map_err(failed)? {
        (Answer::Refused(refusal), _) => Err(refusal.into()),
        answered => Ok(answered),
    }
}

fn failed(failure: Failure) -> NamespaceError {
    match failure {
        Failure::Late => system(
            "ask the helper process, which does not answer in time",
            Errno::ETIMEDOUT,
        ),
        Failure::Ended => system(
            "ask the helper process, which has ended: kill the switch's process too and run it \
             again, which keeps all that it has",
            Errno::EPIPE,
        ),
        Failure::Nonsense => unexpected(),
        Failure::System(errno) => system("ask the helper process", errno),
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
mod tests;
