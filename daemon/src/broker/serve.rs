//! The broker itself: one request after the other, until its switch has gone.

use std::ffi::{CStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caps::Capability;
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, getppid, setsid};
use rustix::net::RecvFlags;
use vswitch_netns::{Announcer, Namespace, NamespaceError, Netlink, NetlinkError, Offloads};
use vswitch_switch::handover::monotonic;
use vswitch_switch::port::PortParts;

use super::limit::Starts;
use super::message::{Answer, Refusal, Request};
use super::work::{Undone, Worker};
use super::{program, sys};
use crate::fault;
use crate::guard::{keep, restrict_broker};
use crate::lab::open_device;
use vswitch_control::metrics::SocketFile;

/// What entering and mounting namespaces, and opening sockets in them, takes. The successor, which
/// is started from here, begins with them too.
const KEPT: &[Capability] = &[
    Capability::CAP_NET_ADMIN,
    Capability::CAP_NET_RAW,
    Capability::CAP_SYS_ADMIN,
];

/// As what `ps` shows it.
const NAME: &CStr = c"vswitch-broker";

/// How long a request may take that does not say it: less than the switch waits for its answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked whether a successor has ended, while there may be one.
const LOOK_AGAIN_S: i64 = 1;

/// What a broker has.
struct Broker {
    /// With which words the successor is started.
    words: Arc<[OsString]>,
    /// The file of the socket for metrics.
    file: Option<SocketFile>,
    /// The namespace that was made last, until the switch says that it is to stay. While this handle is open
    /// no other one can have its inode number.
    made: Option<Namespace>,
    starts: Starts,
    worker: Worker,
}

/// A namespace that was opened.
struct Opened {
    namespace: Namespace,
    /// Sockets in it: for requests, for offloads, for announcements.
    sockets: [OwnedFd; 3],
    created: bool,
}

/// Serves the switch at the other end of `socket`, whose process is `parent`.
pub(super) fn serve(
    socket: OwnedFd,
    parent: Pid,
    words: &[OsString],
    file: Option<SocketFile>,
) -> ! {
    let code = match settle(socket, parent) {
        Ok(socket) => {
            let mut broker = Broker {
                words: words.into(),
                file,
                made: None,
                starts: Starts::default(),
                worker: Worker::default(),
            };
            while broker.answer_next(socket.as_fd()).is_ok() {}
            0
        }
        Err(_) => 1,
    };
    sys::leave(code)
}

/// Lets go of all that is the switch's: descriptors, terminal, signals, and every right but three.
fn settle(socket: OwnedFd, parent: Pid) -> io::Result<OwnedFd> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    if getppid() != parent {
        return Err(io::Error::other("the switch has ended"));
    }
    // Away from the terminal's signals. Not the leader of a group: it was just forked.
    setsid()?;
    prctl::set_name(NAME)?;
    // Of use to people alone.
    let _ = call_itself(NAME.to_bytes());
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&nothing)?;
    dup2_stdout(&nothing)?;
    dup2_stderr(&nothing)?;
    drop(nothing);
    let socket = sys::close_all_but(socket);
    // What is refused here is refused to the switch too, which warns of it or does not start.
    let _ = keep(KEPT, true);
    let _ = prctl::set_no_new_privs();
    let _ = restrict_broker();
    Ok(socket)
}

/// Puts a name in the place of the words that the process was started with, which are those of
/// the switch: `ps` shows them, and so they are told apart. (proc(5): `arg_start` and `arg_end`.)
fn call_itself(name: &[u8]) -> io::Result<()> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The second field may hold blanks, and ends with the last parenthesis.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let field = |number: usize| {
        fields
            .split_whitespace()
            .nth(number - 3)?
            .parse::<u64>()
            .ok()
    };
    let (Some(start), Some(end)) = (field(48), field(49)) else {
        return Err(io::Error::other(
            "/proc/self/stat tells less than it should",
        ));
    };
    let room = usize::try_from(end.saturating_sub(start)).unwrap_or_default();
    let mut words = vec![0; room];
    let length = name.len().min(room.saturating_sub(1));
    words[..length].copy_from_slice(&name[..length]);
    let memory = File::options().write(true).open("/proc/self/mem")?;
    memory.write_all_at(&words, start)
}

impl Broker {
    /// Answers one request; an error where there will be no other.
    fn answer_next(&mut self, socket: BorrowedFd<'_>) -> Result<(), Errno> {
        let (bytes, descriptors) = self.next_message(socket)?;
        if bytes.is_empty() {
            return Err(Errno::EPIPE);
        }
        let mut handed = Vec::new();
        let done = match Request::decode(&bytes) {
            Some(Request::Open {
                name,
                create,
                until,
            }) => self.open(name, create, until, &mut handed),
            Some(Request::Adopt { until }) => self.adopt(descriptors, until, &mut handed),
            Some(Request::Device { kind, name }) => self.open_device(kind, name, &mut handed),
            Some(Request::Delete { name }) => self.delete(&name),
            Some(Request::Keep) => {
                self.made = None;
                return Ok(());
            }
            Some(Request::Start) => self.start(descriptors),
            Some(Request::RemoveSocket) => {
                // That of somebody else is left, and so is one that cannot be removed: the next switch
                // of this name takes its place.
                let _ = self.file.take().map(|file| file.remove());
                return Ok(());
            }
            None => Err(system("understand a request", Errno::EPROTO)),
        };
        let answer = done.unwrap_or_else(|error| Answer::Refused(Refusal::from(error)));
        let handed: Vec<BorrowedFd<'_>> = handed.iter().map(AsFd::as_fd).collect();
        sys::send(socket, &answer.encode(), &handed)
    }

    /// The next message. Successors that end meanwhile are taken note of.
    fn next_message(&mut self, socket: BorrowedFd<'_>) -> Result<(Vec<u8>, Vec<OwnedFd>), Errno> {
        loop {
            self.starts.reap();
            // Zero is for ever.
            let interval = i64::from(self.starts.has_some()) * LOOK_AGAIN_S;
            setsockopt(
                &socket,
                sockopt::ReceiveTimeout,
                &TimeVal::seconds(interval),
            )?;
            match sys::receive(socket, RecvFlags::empty()) {
                Err(Errno::EAGAIN) => {}
                other => return other,
            }
        }
    }

    fn open(
        &mut self,
        name: String,
        create: bool,
        until: Duration,
        handed: &mut Vec<OwnedFd>,
    ) -> Result<Answer, NamespaceError> {
        self.made = None;
        // Nothing is begun for which nobody waits any more.
        if left(until).is_zero() {
            return Err(late());
        }
        let action = format!("open the network namespace {name}");
        let work = move || open(&name, create, until);
        let undo = |late: Result<Opened, NamespaceError>| {
            if let Ok(late) = late
                && late.created
            {
                // What cannot be undone is left: nobody is there to be told.
                let _ = late.namespace.remove_name();
            }
        };
        let opened = self.worker.within(left(until), work, undo);
        let opened = opened.map_err(|undone| not_done(&action, undone))??;
        handed.push(opened.namespace.try_clone()?.into());
        handed.extend(opened.sockets);
        if opened.created {
            self.made = Some(opened.namespace);
        }
        Ok(Answer::Opened {
            created: opened.created,
        })
    }

    fn adopt(
        &mut self,
        descriptors: Vec<OwnedFd>,
        until: Duration,
        handed: &mut Vec<OwnedFd>,
    ) -> Result<Answer, NamespaceError> {
        let [namespace]: [OwnedFd; 1] = descriptors
            .try_into()
            .map_err(|_| system("open a namespace without its descriptor", Errno::EBADF))?;
        let opened = self
            .worker
            .within(left(until), move || adopt(namespace), drop);
        let opened = opened.map_err(|undone| not_done("open a namespace", undone))??;
        handed.push(opened.namespace.into());
        handed.extend(opened.sockets);
        Ok(Answer::Opened { created: false })
    }

    /// Opens a device of the namespace that this process is in. What comes too late goes with its
    /// descriptors.
    fn open_device(
        &mut self,
        kind: String,
        name: String,
        handed: &mut Vec<OwnedFd>,
    ) -> Result<Answer, NamespaceError> {
        let action = format!("open the device {name}");
        let work = move || open_device(&kind, &name);
        let opened = self.worker.within(PATIENCE, work, drop);
        Ok(match opened.map_err(|undone| not_done(&action, undone))? {
            Ok(PortParts { data, descriptors }) => {
                handed.extend(descriptors);
                Answer::Device(data)
            }
            Err(error) => Answer::NoDevice(error),
        })
    }

    /// Deletes the namespace that was made last, if its name still leads to it.
    fn delete(&mut self, name: &str) -> Result<Answer, NamespaceError> {
        let is_meant = |made: &Namespace| made.name().is_some_and(|known| known.as_str() == name);
        let Some(made) = self.made.take().filter(is_meant) else {
            return Err(system("delete a namespace that is not ours", Errno::EPERM));
        };
        let work = move || made.remove_name();
        let removed = self.worker.within(PATIENCE, work, drop);
        removed.map_err(|undone| not_done("delete the network namespace", undone))??;
        Ok(Answer::Deleted)
    }

    fn start(&mut self, descriptors: Vec<OwnedFd>) -> Result<Answer, NamespaceError> {
        let standard: [OwnedFd; 3] = descriptors
            .try_into()
            .map_err(|_| system("start a program without its descriptors", Errno::EBADF))?;
        let now = Instant::now();
        let permit = self.starts.permit(now);
        permit.map_err(|why| system(&why, Errno::EAGAIN))?;
        self.starts.note_attempt(now);
        let words = Arc::clone(&self.words);
        let work = move || program::start(&words, standard.each_ref().map(AsFd::as_fd));
        // One that nobody talks to ends by itself, and its end is taken note of.
        let late = self.starts.late();
        let undo = |started: io::Result<Pid>| {
            if let Ok(pid) = started {
                late.note(pid);
            }
        };
        let started = self.worker.within(PATIENCE, work, undo);
        let started = started.map_err(|undone| not_done("start the successor", undone))?;
        let child = started.map_err(|error| match error.raw_os_error() {
            Some(errno) => system("start the successor", Errno::from_raw(errno)),
            None => system(&format!("start the successor: {error}"), Errno::ENOENT),
        })?;
        self.starts.note(child);
        Ok(Answer::Started {
            pid: child.as_raw(),
        })
    }
}

/// How long it is until then.
fn left(until: Duration) -> Duration {
    until.saturating_sub(monotonic())
}

fn late() -> NamespaceError {
    system("open a namespace in time", Errno::ETIMEDOUT)
}

/// Takes long, where a test wants it, and as long as it wants.
fn linger() {
    while fault::is_wanted("broker-slow") && Path::new("/run/hold").exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Opens a namespace, or makes it; what is made too late is removed again.
fn open(name: &str, create: bool, until: Duration) -> Result<Opened, NamespaceError> {
    linger();
    let (namespace, created) = match Namespace::open(name) {
        Err(NamespaceError::NotFound { .. }) if create => (Namespace::create(name)?, true),
        other => (other?, false),
    };
    let sockets = sockets_in(&namespace);
    let is_late = monotonic() > until;
    if created && (sockets.is_err() || is_late) {
        namespace.remove_name()?;
    }
    if is_late {
        return Err(late());
    }
    Ok(Opened {
        namespace,
        sockets: sockets?,
        created,
    })
}

/// Opens sockets in a namespace that was handed over. What it is, the kernel says when it is
/// entered; that takes rights over it, which somebody who has a descriptor need not have.
fn adopt(namespace: OwnedFd) -> Result<Opened, NamespaceError> {
    let namespace = Namespace::from_descriptor(namespace)?;
    linger();
    Ok(Opened {
        sockets: sockets_in(&namespace)?,
        namespace,
        created: false,
    })
}

fn sockets_in(namespace: &Namespace) -> Result<[OwnedFd; 3], NamespaceError> {
    let _inside = namespace.enter()?;
    let action = "open a socket in a network namespace";
    let netlink = Netlink::open().map_err(|error| match error {
        NetlinkError::Namespace(error) => error,
        other => system(action, other.errno().unwrap_or(Errno::EIO)),
    })?;
    let offloads = Offloads::open().map_err(|_| system(action, Errno::last()))?;
    let announcer = Announcer::open().map_err(|_| system(action, Errno::last()))?;
    Ok([
        netlink.into_descriptor(),
        offloads.into_descriptor(),
        announcer.into_descriptor(),
    ])
}

fn not_done(action: &str, undone: Undone) -> NamespaceError {
    match undone {
        Undone::Late => system(&format!("{action}, which takes too long"), Errno::ETIMEDOUT),
        Undone::Crowded => system(
            &format!("{action}, while too many that were asked for before hang"),
            Errno::EBUSY,
        ),
        Undone::NoThread => system(action, Errno::EAGAIN),
    }
}

fn system(action: &str, errno: Errno) -> NamespaceError {
    NamespaceError::System {
        action: action.to_owned(),
        errno,
    }
}

#[cfg(test)]
mod tests {
    use nix::sched::{CloneFlags, unshare};
    use vswitch_netns::userns;

    use super::*;

    /// Does `work` where it may make namespaces, if it may anywhere.
    fn where_allowed(work: impl FnOnce() + Send) {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let flags = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS;
                let allowed = unshare(flags).is_ok()
                    && userns::private_mounts().is_ok()
                    && userns::private_run().is_ok();
                if allowed {
                    work();
                } else {
                    eprintln!("no namespaces can be made here: nothing was tried");
                }
            });
            thread.join().unwrap();
        });
    }

    fn broker() -> Broker {
        Broker {
            words: Vec::new().into(),
            file: None,
            made: None,
            starts: Starts::default(),
            worker: Worker::default(),
        }
    }

    fn make(broker: &mut Broker, name: &str) -> bool {
        let until = monotonic() + Duration::from_secs(600);
        let opened = broker.open(name.to_owned(), true, until, &mut Vec::new());
        matches!(opened.unwrap(), Answer::Opened { created: true })
    }

    #[test]
    fn the_namespace_of_a_stranger_is_left() {
        where_allowed(|| {
            let mut broker = broker();
            assert!(make(&mut broker, "mario"));
            // Somebody else has that name now, and would have the inode number.
            Namespace::delete("mario").unwrap();
            let theirs = Namespace::create("mario").unwrap();
            let error = broker.delete("mario").unwrap_err();
            assert!(matches!(error, NamespaceError::Replaced { .. }), "{error}");
            assert_eq!(Namespace::open("mario").unwrap(), theirs);
            // Nor is one that was there before, or another one, or the same one twice.
            assert!(!make(&mut broker, "mario"));
            broker.delete("mario").unwrap_err();
            assert!(make(&mut broker, "luigi"));
            broker.delete("mario").unwrap_err();
            assert!(make(&mut broker, "toad"));
            broker.delete("toad").unwrap();
            broker.delete("toad").unwrap_err();
            assert!(Namespace::exists("mario") && Namespace::exists("luigi"));
        });
    }

    #[test]
    fn what_comes_too_late_is_not_done() {
        where_allowed(|| {
            let before = monotonic().saturating_sub(Duration::from_secs(1));
            let opened = broker().open("mario".to_owned(), true, before, &mut Vec::new());
            assert!(opened.unwrap_err().to_string().contains("in time"));
            assert!(!Namespace::exists("mario"));
        });
    }
}
