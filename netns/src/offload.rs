//! Segmentation offloads of the inside end, and which of them a switch can forward.
//!
//! A veth device lets its stack hand over super-frames of any kind, to be segmented later. A packet
//! socket describes such a frame with a `virtio_net_hdr` (virtio 1.2, 5.1.6), which covers TCP over
//! IPv4 and IPv6 and, since Linux 6.2, UDP. For other kinds (SCTP, ESP) `recvmsg` returns EINVAL,
//! and the frame is lost. TCP in a tunnel (VXLAN, GRE, IP in IP) is described as TCP, without the
//! tunnel, and the kernel refuses to send that (ENOMEM of `validate_xmit_skb`, measured on 6.18):
//! pings pass, but transfers are very slow. So those offloads must be disabled on the end whose
//! stack sends; the stack then segments the frames itself.

use std::io;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::utsname::uname;
use socket2::{Domain, Socket, Type};
use thiserror::Error;

use crate::namespace::{Namespace, NamespaceError};
use crate::rights::{errno_of, remedy};
use crate::sys;

/// Segmentation offloads that a `virtio_net_hdr` describes, and the feature that enables all of
/// them.
const DESCRIBABLE: [&str; 5] = [
    "tx-generic-segmentation",
    "tx-tcp-segmentation",
    "tx-tcp-ecn-segmentation",
    "tx-tcp-mangleid-segmentation",
    "tx-tcp6-segmentation",
];
/// Describable since Linux 6.2.
const UDP_SEGMENTATION: &str = "tx-udp-segmentation";

/// Reports why the offloads of an interface cannot be read or set.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OffloadError {
    /// The kernel refused.
    #[error("cannot {action} the offloads of {interface}: {errno}{}", remedy(*.errno, "CAP_NET_ADMIN"))]
    Refused {
        /// The operation, as a verb.
        action: &'static str,
        /// The interface.
        interface: String,
        /// The error from the kernel.
        errno: Errno,
    },
    /// No socket can be opened.
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
    /// The name in the kernel, such as `tx-tcp-segmentation`.
    pub name: String,
    /// Whether it is enabled.
    pub active: bool,
    /// Whether it can be changed.
    pub changeable: bool,
}

/// Reads and sets the offloads of the interfaces of one namespace.
#[derive(Debug)]
pub struct Offloads {
    socket: Socket,
    /// The names of the features, by number; read when first needed.
    names: Vec<String>,
}

impl Offloads {
    /// Opens a socket for the interfaces of the calling thread's namespace.
    pub fn open() -> Result<Self, OffloadError> {
        // Any socket works. A Unix socket would let its owner send datagrams to every named service
        // of the machine; a netlink socket only reaches the kernel.
        let netlink = Domain::from(libc::AF_NETLINK);
        let socket = Socket::new(netlink, Type::RAW, None).map_err(OffloadError::Socket)?;
        Ok(Self {
            socket,
            names: Vec::new(),
        })
    }

    /// Opens a socket for the interfaces of `namespace`.
    pub fn open_in(namespace: &Namespace) -> Result<Self, OffloadError> {
        let _inside = namespace.enter()?;
        Self::open()
    }

    /// Takes over a socket that another process opened with [`Offloads::open_in`].
    #[must_use]
    pub fn from_descriptor(fd: OwnedFd) -> Self {
        Self {
            socket: Socket::from(fd),
            names: Vec::new(),
        }
    }

    /// Returns the socket, to hand it to another process.
    #[must_use]
    pub fn into_descriptor(self) -> OwnedFd {
        self.socket.into()
    }

    /// Lists all features of an interface.
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

    /// Disables features by name. Names that this kernel does not have are ignored.
    pub fn switch_off(&mut self, interface: &str, names: &[String]) -> Result<(), OffloadError> {
        self.features(interface)?;
        let wanted = |name: &String| names.contains(name);
        let numbers: Vec<_> = (0..self.names.len())
            .filter(|&n| wanted(&self.names[n]))
            .collect();
        sys::switch_features_off(&self.socket, interface, self.names.len(), &numbers)
            .map_err(|error| refused("set", interface, &error))
    }

    /// Disables every segmentation offload that a packet socket could not forward, and returns
    /// their names. TCP and UDP segmentation stay as they are.
    pub fn keep_describable(&mut self, interface: &str) -> Result<Vec<String>, OffloadError> {
        let undescribable = self.undescribable(interface)?;
        if !undescribable.is_empty() {
            self.switch_off(interface, &undescribable)?;
        }
        Ok(undescribable)
    }

    /// Lists the segmentation offloads that are enabled, can be disabled, and that a packet socket
    /// could not forward.
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

/// Reports whether this kernel's `virtio_net_hdr` describes UDP segmentation: Linux 6.2 and later.
fn describes_udp() -> bool {
    let Ok(system) = uname() else { return false };
    version(&system.release().to_string_lossy()) >= (6, 2)
}

/// Parses the first two numbers of a kernel release.
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
    fn only_offloads_that_a_virtio_header_describes_are_kept() {
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
