//! One switch per interface.
//!
//! Every packet socket on an interface gets a copy of each frame, so that two switches on one
//! port would duplicate all traffic. Who opens a port therefore holds an abstract Unix socket
//! named after the interface's index: such names belong to the network namespace, as the index
//! does, are taken atomically, and vanish with the process however it ends.
//!
//! Anybody may take such a name, also who may not have ports at all. So a claim counts if its
//! holder is root or this very user, or has a packet socket on the interface, which takes
//! `CAP_NET_RAW`. Whatever else holds a name is passed over, to the next of a few names that are
//! looked at by all.
//!
//! A process that may not connect to sockets any more cannot ask who holds a name. The kernel's tables
//! tell it that a name is held, and whether there is a packet socket on the interface: then the claim
//! counts. A switch takes its claim first and opens its sockets at once, so a name without one is
//! passed over after a while.

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

/// The claim on an interface; given up when dropped.
#[derive(Debug)]
pub(super) struct Claim {
    listener: UnixListener,
}

/// Why an interface could not be claimed.
#[derive(Debug)]
pub(super) enum Refused {
    /// Somebody else has it: this process, if that can be told.
    Taken(Option<i32>),
    /// The kernel did not let us ask.
    Io(io::Error),
}

/// So many names there are for the claim on an interface.
const NAMES: usize = 4;
/// How long a switch may take from its claim to its packet socket, as seen by one that cannot ask.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it looks meanwhile.
const INTERVAL: Duration = Duration::from_millis(10);

impl Claim {
    /// Given up before the sockets of any port, where this process is killed: nobody waits for those.
    fn held_by(listener: OwnedFd) -> Self {
        Self {
            listener: closed_first(listener).into(),
        }
    }

    /// Claims the interface with this index in the thread's network namespace.
    pub(super) fn new(ifindex: u32) -> Result<Self, Refused> {
        let names: Vec<String> = (0..NAMES).map(|number| name(ifindex, number)).collect();
        for name in &names {
            refuse_held(name, ifindex)?;
        }
        for name in &names {
            match bind(name) {
                Ok(claim) => return Ok(claim),
                // Perhaps in this very moment, by somebody who counts.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    refuse_held(name, ifindex)?;
                }
                Err(error) => return Err(Refused::Io(error)),
            }
        }
        log::warn!(
            "somebody without rights holds the names by which switches claim the interface of \
             index {ifindex}: another switch could use it at the same time"
        );
        // A name that nobody can know beforehand.
        bind(&format!(
            "{}/{:x}",
            names[0],
            RandomState::new().hash_one(ifindex)
        ))
        .map_err(Refused::Io)
    }
}

/// The first is the one that every version knows.
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

/// Refuses an interface that is claimed under this name by somebody who counts.
fn refuse_held(name: &str, ifindex: u32) -> Result<(), Refused> {
    match holder_of(name) {
        Ok(holder) if may_claim(holder.user, ifindex) => Err(Refused::Taken(holder.process)),
        // So many have asked that the kernel does not tell any more.
        Err(error)
            if error.kind() == io::ErrorKind::WouldBlock
                && has_socket(&table("packet"), None, ifindex) =>
        {
            Err(Refused::Taken(None))
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            refuse_unasked(name, ifindex)
        }
        // Nobody, or nobody who counts.
        _ => Ok(()),
    }
}

/// The same, by what the kernel's tables tell.
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

/// The sockets of one kind in the thread's network namespace.
fn table(kind: &str) -> String {
    fs::read_to_string(format!("/proc/thread-self/net/{kind}")).unwrap_or_default()
}

/// Whether some socket has this abstract name, in what the kernel tells of all Unix sockets of a namespace:
/// the name is the last column, behind `@` (`unix_seq_show` in Linux).
fn is_bound(sockets: &str, name: &str) -> bool {
    let is_it = |line: &str| {
        line.rsplit_once(" @")
            .is_some_and(|(_, bound)| bound == name)
    };
    sockets.lines().any(is_it)
}

/// Whether a user, or anybody, has a packet socket on an interface, in what the kernel tells of all of a
/// namespace: the 5th column is the index, the 8th the user (`packet_seq_show` in Linux).
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
    /// The claim that another process has, and gives up by ending.
    fn from(descriptor: OwnedFd) -> Self {
        let socket = Socket::from(descriptor);
        // From now on the kernel names this process to those who ask.
        if let Err(error) = socket.listen(1) {
            log::debug!("others are told of the process before as the holder of a port: {error}");
        }
        Self::held_by(socket.into())
    }
}

/// Who listens on an abstract name.
struct Holder {
    user: u32,
    /// None of a process that cannot be seen from this process namespace.
    process: Option<i32>,
}

/// Who listens on the abstract name. It never accepts; the kernel answers for it (`SO_PEERCRED`,
/// unix(7)).
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
        // Held, by somebody without a packet socket there.
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
        // In the place of one whom nobody has to heed, the next name is as good.
        let second = bind(&name(ifindex, 1)).unwrap();
        assert!(matches!(Claim::new(ifindex), Err(Refused::Taken(_))));
        drop(second);
        Claim::new(ifindex).unwrap();
    }
}
