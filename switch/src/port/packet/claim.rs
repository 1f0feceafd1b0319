//! Locks an interface for one switch.
//!
//! Every packet socket on an interface gets a copy of each frame, so two switches with the same
//! port would duplicate all traffic. The process that opens a port therefore holds an abstract Unix
//! socket named after the interface's index. Such names belong to the network namespace, as the
//! index does, are taken atomically, and disappear with the process however it ends.
//!
//! Any process can take such a name, even one without the right to open ports. So a lock is valid
//! only if its holder is root or this user, or has a packet socket on the interface, which needs
//! `CAP_NET_RAW`. A name held by another process is skipped, and the next of a few names, which all
//! switches check, is used.
//!
//! A sandboxed process that may not connect to sockets cannot query who holds a name. The kernel's
//! tables tell it whether a name is held, and whether there is a packet socket on the interface; if
//! there is, the lock is valid. A switch takes its lock first and opens its sockets at once, so a
//! name without a packet socket is skipped after a while.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::geteuid;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::descriptors::closed_first;

/// The lock on an interface; released when dropped.
#[derive(Debug)]
pub(super) struct Claim {
    listener: UnixListener,
}

/// Reports why an interface could not be locked.
#[derive(Debug)]
pub(super) enum Refused {
    /// Another switch holds the lock; with its process, if that can be determined.
    Taken(Option<i32>),
    /// The kernel refused the check.
    Io(io::Error),
}

/// The number of names for the lock on an interface.
const NAMES: usize = 4;
/// How long a switch may take from its lock to its packet socket, as seen by a process that cannot
/// query the holder.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it checks meanwhile.
const INTERVAL: Duration = Duration::from_millis(10);

impl Claim {
    /// Closed before the sockets of any port if this process is killed, so that a successor does
    /// not have to wait for those.
    fn held_by(listener: OwnedFd) -> Self {
        Self {
            listener: closed_first(listener).into(),
        }
    }

    /// Locks the interface with this index in the thread's network namespace.
    pub(super) fn new(ifindex: u32) -> Result<Self, Refused> {
        let names: Vec<String> = (0..NAMES).map(|number| name(ifindex, number)).collect();
        for name in &names {
            refuse_held(name, ifindex)?;
        }
        for name in &names {
            match bind(name) {
                Ok(claim) => return Ok(claim),
                // Perhaps taken in this moment, by a valid holder.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    refuse_held(name, ifindex)?;
                }
                Err(error) => return Err(Refused::Io(error)),
            }
        }
        log::warn!(
            "a process without rights holds the names with which switches lock the interface of \
             index {ifindex}: another switch could use it at the same time"
        );
        // A name that no process can know beforehand.
        bind(&format!(
            "{}/{:x}",
            names[0],
            RandomState::new().hash_one(ifindex)
        ))
        .map_err(Refused::Io)
    }
}

/// The first is the one that every version uses.
fn name(ifindex: u32, number: usize) -> String {
    match number {
        0 => format!("vswitch/port/{ifindex}"),
        _ => format!("vswitch/port/{ifindex}/{number}"),
    }
}

fn bind(name: &str) -> io::Result<Claim> {
    let address = SocketAddr::from_abstract_name(name)?;
    let listener = UnixListener::bind_addr(&address)?;
    Ok(Claim::held_by(listener.into()))
}

/// Fails if a valid holder has locked an interface under this name.
fn refuse_held(name: &str, ifindex: u32) -> Result<(), Refused> {
    match holder_of(name) {
        Ok(holder) if may_claim(holder.user, ifindex) => Err(Refused::Taken(holder.process)),
        // The listen queue of the holder is full, so the kernel no longer names it.
        Err(error)
            if error.kind() == io::ErrorKind::WouldBlock
                && has_socket(&table("packet"), None, ifindex) =>
        {
            Err(Refused::Taken(None))
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            refuse_unasked(name, ifindex)
        }
        // There is no holder, or no valid one.
        _ => Ok(()),
    }
}

/// Does so by the kernel's tables.
fn refuse_unasked(name: &str, ifindex: u32) -> Result<(), Refused> {
    let deadline = Instant::now() + PATIENCE;
    while is_bound(&table("unix"), name) {
        if has_socket(&table("packet"), None, ifindex) {
            return Err(Refused::Taken(None));
        }
        if Instant::now() >= deadline {
            break;
        }
        thread::sleep(INTERVAL);
    }
    Ok(())
}

fn may_claim(user: u32, ifindex: u32) -> bool {
    user == 0 || user == geteuid().as_raw() || has_socket(&table("packet"), Some(user), ifindex)
}

/// Lists the sockets of one kind in the thread's network namespace.
fn table(kind: &str) -> String {
    fs::read_to_string(format!("/proc/thread-self/net/{kind}")).unwrap_or_default()
}

/// Reports whether a socket has this abstract name, in the kernel's table of all Unix sockets of a
/// namespace: the name is the last column, after `@` (`unix_seq_show` in Linux).
fn is_bound(sockets: &str, name: &str) -> bool {
    let is_it = |line: &str| {
        line.rsplit_once(" @")
            .is_some_and(|(_, bound)| bound == name)
    };
    sockets.lines().any(is_it)
}

/// Reports whether a user, or any user, has a packet socket on an interface, in the kernel's table
/// of a namespace: the 5th column is the index, the 8th the user (`packet_seq_show` in Linux).
fn has_socket(sockets: &str, user: Option<u32>, ifindex: u32) -> bool {
    sockets.lines().any(|line| {
        let number = |column: usize| line.split_whitespace().nth(column)?.parse().ok();
        number(4) == Some(ifindex) && (user.is_none() || number(7) == user)
    })
}

impl AsFd for Claim {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl From<OwnedFd> for Claim {
    /// Takes over the lock of another process, which releases it by exiting.
    fn from(descriptor: OwnedFd) -> Self {
        let socket = Socket::from(descriptor);
        // From now on the kernel names this process as the holder.
        if let Err(error) = socket.listen(1) {
            log::debug!("others are told of the process before as the holder of a port: {error}");
        }
        Self::held_by(socket.into())
    }
}

/// The process that listens on an abstract name.
struct Holder {
    user: u32,
    /// `None` if this process's PID namespace does not contain it.
    process: Option<i32>,
}

/// Returns the process that listens on the abstract name. It never accepts; the kernel answers for
/// it (`SO_PEERCRED`, unix(7)).
fn holder_of(name: &str) -> io::Result<Holder> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    socket.connect(&SockAddr::unix(format!("\0{name}"))?)?;
    let peer = getsockopt(&socket, sockopt::PeerCredentials)?;
    Ok(Holder {
        user: peer.uid(),
        process: (peer.pid() > 0).then_some(peer.pid()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_a_socket_there_counts() {
        let sockets = "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n\
                       0000 3 3 0003 7 1 0 995 12345\n\
                       0000 3 3 0003 8 1 0 0 12346\n";
        assert!(has_socket(sockets, Some(995), 7));
        assert!(!has_socket(sockets, Some(995), 8));
        assert!(!has_socket(sockets, Some(996), 7));
        assert!(has_socket(sockets, None, 8) && !has_socket(sockets, None, 9));
    }

    #[test]
    fn a_name_is_seen_in_the_table_of_all() {
        let sockets = "Num       RefCount Protocol Flags    Type St Inode Path\n\
                       0000: 00000002 00000000 00010000 0001 01 17 @vswitch/port/7\n\
                       0000: 00000002 00000000 00010000 0001 01 18 /run/@vswitch/port/8\n";
        assert!(is_bound(sockets, "vswitch/port/7"));
        assert!(!is_bound(sockets, "vswitch/port/8") && !is_bound(sockets, "vswitch/port"));
        let claim = Claim::new(u32::MAX / 2 - std::process::id()).unwrap();
        let name = name(u32::MAX / 2 - std::process::id(), 0);
        assert!(is_bound(&table("unix"), &name));
        // Held by a process without a packet socket there.
        refuse_unasked(&name, u32::MAX / 2 - std::process::id()).unwrap();
        drop(claim);
        assert!(!is_bound(&table("unix"), &name));
    }

    #[test]
    fn a_claim_is_held_until_it_is_dropped() {
        // No interface has such an index; the names are the same in each namespace.
        let ifindex = u32::MAX - std::process::id();
        let claim = Claim::new(ifindex).unwrap();
        let Err(Refused::Taken(holder)) = Claim::new(ifindex) else {
            panic!("claimed twice");
        };
        assert_eq!(holder, Some(std::process::id().cast_signed()));
        drop(claim);
        // If an invalid holder has the first name, the next name is as good.
        let second = bind(&name(ifindex, 1)).unwrap();
        assert!(matches!(Claim::new(ifindex), Err(Refused::Taken(_))));
        drop(second);
        Claim::new(ifindex).unwrap();
    }
}
