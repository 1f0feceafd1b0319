//! Segmentation that an inside end may leave to the device, and what of it a switch can carry.
//!
//! A veth device lets its stack hand over super-frames of any kind, to be cut up later. A packet
//! socket describes such a frame with a `virtio_net_hdr` (virtio 1.2, 5.1.6), which knows TCP over
//! IPv4 and IPv6 and, since Linux 6.2, UDP. Of other kinds (SCTP, ESP) `recvmsg` gives EINVAL, and
//! the frame is lost. TCP in a tunnel (VXLAN, GRE, IP in IP) is described as TCP without a word of
//! the tunnel, and the kernel refuses to send that on (ENOMEM of `validate_xmit_skb`, measured on
//! 6.18): pings pass, transfers crawl. So the end whose stack sends must not be offered those
//! kinds. The stack then cuts them up itself.

use std::io;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::utsname::uname;
use socket2::{Domain, Socket, Type};
use thiserror::Error;

use crate::namespace::{Namespace, NamespaceError};
use crate::rights::{errno_of, remedy};
use crate::sys;

/// Kinds of segmentation that a `virtio_net_hdr` describes, and the switch that rules all.
const DESCRIBABLE: [&str; 5] = [
    "tx-generic-segmentation",
    "tx-tcp-segmentation",
    "tx-tcp-ecn-segmentation",
    "tx-tcp-mangleid-segmentation",
    "tx-tcp6-segmentation",
];
/// Describable since Linux 6.2.
const UDP_SEGMENTATION: &str = "tx-udp-segmentation";

/// Why the offloads of an interface cannot be read or set.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OffloadError {
    /// The kernel refused.
    #[error("cannot {action} the offloads of {interface}: {errno}{}", remedy(*.errno, "CAP_NET_ADMIN"))]
    Refused {
        /// What was being done.
        action: &'static str,
        /// The interface.
        interface: String,
        /// Why not.
        errno: Errno,
    },
    /// There is no socket to ask with.
    #[error("cannot open a socket for the offloads of interfaces: {0}")]
    Socket(#[source] io::Error),
    /// The namespace cannot be entered.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
}

/// A feature of an interface, as `ethtool -k` lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Feature {
    /// Its name in the kernel: `tx-tcp-segmentation`, say.
    pub name: String,
    /// Whether it is on.
    pub active: bool,
    /// Whether it can be changed.
    pub changeable: bool,
}

/// Asks about and sets the offloads of the interfaces of one namespace.
#[derive(Debug)]
pub struct Offloads {
    socket: Socket,
    /// The names of the features, by number; read when first needed.
    names: Vec<String>,
}

impl Offloads {
    /// For the interfaces of the calling thread's namespace.
    pub fn open() -> Result<Self, OffloadError> {
        // Any socket does. A Unix socket would let its owner send datagrams to every service of the
        // machine that has a name; this one reaches the kernel alone.
        let netlink = Domain::from(libc::AF_NETLINK);
        let socket = Socket::new(netlink, Type::RAW, None).map_err(OffloadError::Socket)?;
        Ok(Self {
            socket,
            names: Vec::new(),
        })
    }

    /// For the interfaces of a namespace.
    pub fn open_in(namespace: &Namespace) -> Result<Self, OffloadError> {
        let _inside = namespace.enter()?;
        Self::open()
    }

    /// Takes over a socket that somebody else has opened with [`Offloads::open_in`].
    #[must_use]
    pub fn from_descriptor(fd: OwnedFd) -> Self {
        Self {
            socket: Socket::from(fd),
            names: Vec::new(),
        }
    }

    /// The socket alone, to be handed to somebody else.
    #[must_use]
    pub fn into_descriptor(self) -> OwnedFd {
        self.socket.into()
    }

    /// All features of an interface.
    pub fn features(&mut self, interface: &str) -> Result<Vec<Feature>, OffloadError> {
        let failed = |error| refused("read", interface, &error);
        if self.names.is_empty() {
            self.names = sys::feature_names(&self.socket, interface).map_err(failed)?;
        }
        let states = sys::features(&self.socket, interface, self.names.len()).map_err(failed)?;
        let named = self.names.iter().zip(states);
        let features = named.map(|(name, (changeable, active))| Feature {
            name: name.clone(),
            active,
            changeable,
        });
        Ok(features.collect())
    }

    /// Switches features off, by name. Names that this kernel does not know are passed over.
    pub fn switch_off(&mut self, interface: &str, names: &[String]) -> Result<(), OffloadError> {
        self.features(interface)?;
        let wanted = |name: &String| names.contains(name);
        let numbers: Vec<_> = (0..self.names.len())
            .filter(|&n| wanted(&self.names[n]))
            .collect();
        sys::switch_features_off(&self.socket, interface, self.names.len(), &numbers)
            .map_err(|error| refused("set", interface, &error))
    }

    /// Switches off every kind of segmentation that a packet socket could not pass on, and gives
    /// their names. TCP and UDP stay as they are.
    pub fn keep_describable(&mut self, interface: &str) -> Result<Vec<String>, OffloadError> {
        let undescribable = self.undescribable(interface)?;
        if !undescribable.is_empty() {
            self.switch_off(interface, &undescribable)?;
        }
        Ok(undescribable)
    }

    /// The kinds of segmentation that are on, could be switched off, and that a packet socket could
    /// not pass on.
    pub fn undescribable(&mut self, interface: &str) -> Result<Vec<String>, OffloadError> {
        let udp = describes_udp();
        let features = self.features(interface)?.into_iter();
        let undescribable = features
            .filter(|feature| feature.active && feature.changeable)
            .map(|feature| feature.name)
            .filter(|name| is_segmentation(name) && !is_describable(name, udp));
        Ok(undescribable.collect())
    }
}

fn is_segmentation(name: &str) -> bool {
    let of_sending = name.starts_with("tx-") && name.ends_with("-segmentation");
    of_sending || name == "tx-gso-list" || name == "tx-gso-partial"
}

fn is_describable(name: &str, udp: bool) -> bool {
    DESCRIBABLE.contains(&name) || (udp && name == UDP_SEGMENTATION)
}

/// Whether this kernel's `virtio_net_hdr` knows UDP segmentation: Linux 6.2 and later.
fn describes_udp() -> bool {
    let Ok(system) = uname() else { return false };
    version(&system.release().to_string_lossy()) >= (6, 2)
}

/// The first two numbers of a kernel release.
fn version(release: &str) -> (u32, u32) {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn refused(action: &'static str, interface: &str, error: &io::Error) -> OffloadError {
    OffloadError::Refused {
        action,
        interface: interface.to_owned(),
        errno: errno_of(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_as_numbers() {
        assert_eq!(version("6.18.44-fc-v595"), (6, 18));
        assert_eq!(version("6.2-rc1"), (6, 2));
        assert!(version("5.15.0") < (6, 2));
        assert!(version("6.18") >= (6, 2));
        assert_eq!(version("odd"), (0, 0));
    }

    #[test]
    fn only_what_a_virtio_header_knows_is_kept() {
        assert!(
            is_segmentation("tx-sctp-segmentation")
                && !is_describable("tx-sctp-segmentation", true)
        );
        assert!(is_segmentation("tx-udp_tnl-segmentation"));
        assert!(is_segmentation("tx-gso-list"));
        assert!(!is_segmentation("tx-checksum-ip-generic"));
        assert!(is_describable("tx-tcp6-segmentation", false));
        assert!(is_describable("tx-udp-segmentation", true));
        assert!(!is_describable("tx-udp-segmentation", false));
    }
}
