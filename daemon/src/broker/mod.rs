//! Helpers with the rights that the switch itself has given up.
//!
//! # Theory of operation
//!
//! A running switch keeps two capabilities and cannot enter a namespace any more, nor make one, nor
//! start a program ([`super::guard`]). Before it gives the rest up, and before its first thread, it
//! forks: the child, the broker, keeps `CAP_SYS_ADMIN` and does six things when it is asked to
//! over a pair of sockets that nobody else has: it opens (or makes) a named namespace and hands over
//! descriptors of it and of three sockets in it; it opens such sockets in one that a client has passed
//! to the switch; it opens the device of a port, such as a TAP device; it deletes the one that it has made last, for a
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
//! time all the same is left alone until it does. What a client waits for, the control loop does not: it
//! calls again when there is an answer ([`later`]).

mod device;
mod helper;
mod later;
mod limit;
mod losses;
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
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::Pid;
use vswitch_netns::{Announcer, Namespace, NamespaceError, NamespaceName, Netlink, Offloads};
use vswitch_switch::handover::monotonic;

use helper::{Failure, Health, Helper, Late};
use later::{Later, Outcome, Wanted};
use message::{Answer, Request};
pub(crate) use program::start as start_program;
use vswitch_control::metrics::{Remove, SocketFile};

/// How many there are.
const HELPERS: usize = 2;
/// How long its end is waited for. It ends at once, but where it waits for a lock itself.
const PARTING_MS: u32 = 1000;
/// How long a helper may take for a request, on a machine that is busy. Together with a second one,
/// which undoes the first, it is less than a supervisor waits for a sign of life.
const PATIENCE: Duration = Duration::from_secs(3);
/// The same for what a client waits for (for a minute), and the switch does not.
const LONG: Duration = Duration::from_secs(45);
/// What is answered within this time is not put off.
const AT_ONCE: Duration = Duration::from_millis(100);
/// How long an answer is waited for that has come too late already.
const BRIEFLY: Duration = Duration::from_millis(50);

/// The switch's end of its helpers.
#[derive(Debug)]
pub(crate) struct Broker {
    helpers: Vec<Helper>,
    patience: Duration,
    /// Which one has made the last namespace.
    maker: Cell<Option<usize>>,
    later: Later,
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

    fn of(helpers: Vec<Helper>) -> Self {
        Self {
            helpers,
            patience: PATIENCE,
            maker: Cell::new(None),
            later: Later::default(),
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
            self.arrived(index, late);
        } else if helper.health() == Health::Ended && self.later.is_waiting_for(index) {
            self.later.lost();
        }
        self.log_losses();
    }

    /// An answer has come after its request was left: it is kept for who waits for it, or undone.
    fn arrived(&self, index: usize, (request, answer, descriptors): Late) {
        if self.later.is_waiting_for(index) {
            self.later.answered(Ok((answer, descriptors)));
        } else {
            self.undo(index, (request, answer));
        }
    }

    /// Whether requests for namespaces may be put off from here on.
    pub(crate) fn let_put_off(&self, may: bool) {
        self.later.is_allowed.set(may);
    }

    /// Whether one was, since this was asked last. Then it has failed, and is to be made again when
    /// [`Self::take_due`] says so.
    pub(crate) fn take_put_off(&self) -> bool {
        self.later.take_put_off()
    }

    /// Whether what was put off is to be tried again. To be asked after [`Self::notice`], and at the
    /// [deadline](Self::deadline).
    pub(crate) fn take_due(&self) -> bool {
        self.later.take_due()
    }

    /// When to ask whether something is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.later.deadline()
    }

    /// All that was put off was tried again. Takes back what nobody came for.
    pub(crate) fn tidy_up(&self) {
        if let Some((index, wanted, outcome)) = self.later.take_rest()
            && let (Wanted::Named(name, create), Ok((answer, _))) = (wanted, outcome)
        {
            let until = Duration::ZERO;
            self.undo(
                index,
                (
                    Request::Open {
                        name,
                        create,
                        until,
                    },
                    answer,
                ),
            );
        }
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
                self.arrived(index, late);
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
        let request = |until| Request::Open {
            name: name.to_string(),
            create,
            until,
        };
        let (answer, descriptors) = self.ask_for_namespace(request, None)?;
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
        let request = |until| Request::Adopt { until };
        let (_, descriptors) = self.ask_for_namespace(request, Some(namespace))?;
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

    /// Asks for a namespace. Puts it off where that may be and it is not answered at once.
    fn ask_for_namespace(
        &self,
        request: impl Fn(Duration) -> Request,
        passed: Option<BorrowedFd<'_>>,
    ) -> Result<(Answer, Vec<OwnedFd>), NamespaceError> {
        let patience = if self.later.is_allowed.get() {
            LONG
        } else {
            self.patience
        };
        // It is given up earlier than it is waited for.
        let request = || request(monotonic() + patience * 2 / 3);
        let descriptors: Vec<_> = passed.into_iter().collect();
        let wanted = Wanted::of(&request(), passed.as_ref());
        let Some(wanted) = wanted.filter(|_| self.later.is_allowed.get()) else {
            return self.ask(request, &descriptors);
        };
        if let Some((index, outcome)) = self.later.take(&wanted) {
            self.note_maker(index, &outcome);
            return understood(outcome);
        }
        if !self.later.is_idle() {
            self.later.put_off();
            return Err(failed(Failure::Late));
        }
        let (index, asked) = self.ask_within(AT_ONCE, request, &descriptors)?;
        if matches!(asked, Err(Failure::Late)) {
            self.later.wait(index, wanted, Instant::now() + LONG);
        }
        understood(asked)
    }

    fn ask(
        &self,
        request: impl Fn() -> Request,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(Answer, Vec<OwnedFd>), NamespaceError> {
        understood(self.ask_within(self.patience, request, descriptors)?.1)
    }

    /// Asks the first helper that is well; the next, if it ends meanwhile.
    fn ask_within(
        &self,
        patience: Duration,
        request: impl Fn() -> Request,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(usize, Outcome), NamespaceError> {
        self.keep();
        loop {
            let index = self.choose()?;
            let asked = self.helpers[index].ask(request(), descriptors, patience);
            if matches!(asked, Err(Failure::Ended)) {
                self.log_losses();
                continue;
            }
            self.note_maker(index, &asked);
            return Ok((index, asked));
        }
    }

    fn note_maker(&self, index: usize, asked: &Outcome) {
        if matches!(asked, Ok((Answer::Opened { created: true }, _))) {
            self.maker.set(Some(index));
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
