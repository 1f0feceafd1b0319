//! The broker itself: one request after the other, until its switch has gone.

use std::ffi::{CStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use caps::Capability;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, getppid, setsid};
use vswitch_netns::{
    Announcer, Namespace, NamespaceError, NamespaceName, Netlink, NetlinkError, Offloads,
};
use vswitch_switch::handover::monotonic;

use super::message::{Answer, Refusal, Request};
use super::{program, sys};
use crate::daemon::guard::keep;

/// What entering and mounting namespaces, and opening sockets in them, takes. The successor, which
/// is started from here, begins with them too.
const KEPT: &[Capability] = &[
    Capability::CAP_NET_ADMIN,
    Capability::CAP_NET_RAW,
    Capability::CAP_SYS_ADMIN,
];

/// As what `ps` shows it.
const NAME: &CStr = c"vswitch-broker";

/// How a namespace is recognised: its name and its inode.
type Made = (NamespaceName, u64);

/// Serves the switch at the other end of `socket`, whose process is `parent`.
pub(super) fn serve(socket: OwnedFd, parent: Pid, words: &[OsString]) -> ! {
    let code = match settle(socket, parent) {
        Ok(socket) => {
            let mut made = None;
            while answer_next(socket.as_fd(), words, &mut made).is_ok() {}
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
    keep(KEPT, true)?;
    prctl::set_no_new_privs()?;
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

/// Answers one request; an error where there will be no other.
fn answer_next(
    socket: BorrowedFd<'_>,
    words: &[OsString],
    made: &mut Option<Made>,
) -> Result<(), Errno> {
    let (bytes, descriptors) = sys::receive(socket)?;
    if bytes.is_empty() {
        return Err(Errno::EPIPE);
    }
    reap();
    let mut handed = Vec::new();
    let done = match Request::decode(&bytes) {
        Some(Request::Open {
            name,
            create,
            until,
        }) => open(&name, create, until, made, &mut handed),
        Some(Request::Delete { name }) => delete(&name, made),
        Some(Request::Start) => start(words, descriptors),
        None => Err(system("understand a request", Errno::EPROTO)),
    };
    let answer = done.unwrap_or_else(|error| Answer::Refused(Refusal::from(error)));
    let handed: Vec<BorrowedFd<'_>> = handed.iter().map(AsFd::as_fd).collect();
    sys::send(socket, &answer.encode(), &handed)
}

fn open(
    name: &str,
    create: bool,
    until: Duration,
    made: &mut Option<Made>,
    handed: &mut Vec<OwnedFd>,
) -> Result<Answer, NamespaceError> {
    let mut created = false;
    let namespace = match Namespace::open(name) {
        Err(NamespaceError::NotFound { .. }) if create => {
            let namespace = Namespace::create(name)?;
            created = true;
            let known = namespace.name().cloned();
            *made = known.map(|name| (name, namespace.inode()));
            namespace
        }
        other => other?,
    };
    let sockets = sockets_in(&namespace);
    let is_late = created && monotonic() > until;
    if created && (sockets.is_err() || is_late) {
        Namespace::delete(name)?;
    }
    if is_late {
        return Err(system("make a namespace in time", Errno::ETIMEDOUT));
    }
    let sockets = sockets?;
    handed.push(namespace.into());
    handed.extend(sockets);
    Ok(Answer::Opened { created })
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

/// Deletes the namespace that was made last, if its name still leads to it.
fn delete(name: &str, made: &mut Option<Made>) -> Result<Answer, NamespaceError> {
    let last = made.take().filter(|(known, _)| known.as_str() == name);
    let Some((_, inode)) = last else {
        return Err(system("delete a namespace that is not ours", Errno::EPERM));
    };
    if Namespace::open(name)?.inode() != inode {
        return Err(system(
            "delete a namespace that is another by now",
            Errno::EPERM,
        ));
    }
    Namespace::delete(name)?;
    Ok(Answer::Deleted)
}

fn start(words: &[OsString], descriptors: Vec<OwnedFd>) -> Result<Answer, NamespaceError> {
    let [input, output, error]: [OwnedFd; 3] = descriptors
        .try_into()
        .map_err(|_| system("start a program without its descriptors", Errno::EBADF))?;
    let standard = [input.as_fd(), output.as_fd(), error.as_fd()];
    let child = program::start(words, standard).map_err(|error| match error.raw_os_error() {
        Some(errno) => system("start the successor", Errno::from_raw(errno)),
        None => system(&format!("start the successor: {error}"), Errno::ENOENT),
    })?;
    Ok(Answer::Started {
        pid: child.as_raw(),
    })
}

/// Takes note of the end of successors that have failed.
fn reap() {
    while let Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) =
        waitpid(None, Some(WaitPidFlag::WNOHANG))
    {}
}

fn system(action: &str, errno: Errno) -> NamespaceError {
    NamespaceError::System {
        action: action.to_owned(),
        errno,
    }
}
