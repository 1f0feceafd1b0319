//! Why a TAP port could not be created.

use std::io;

/// Why [`TapPort::create`](super::TapPort::create) failed. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TapError {
    /// The name is none that an interface could have.
    #[error(
        "'{interface}' is not an interface name: use 1 to 15 bytes without '/', ':' or white space"
    )]
    InvalidName {
        /// The name as given.
        interface: String,
    },
    /// There is no `/dev/net/tun`, or nothing behind it.
    #[error(
        "cannot create TAP device '{interface}': /dev/net/tun is missing: load the module tun, or give the container that device"
    )]
    NoTunDevice {
        /// The interface.
        interface: String,
    },
    /// The rights are missing.
    #[error(
        "creating TAP device '{interface}' needs the capability CAP_NET_ADMIN and access to /dev/net/tun: run as root, or inside a user namespace that owns the network namespace"
    )]
    NoPermission {
        /// The interface.
        interface: String,
    },
    /// Another program has this TAP device.
    #[error(
        "TAP device '{interface}' is in use by another program: end that one, or choose another name"
    )]
    InUse {
        /// The interface.
        interface: String,
    },
    /// An interface of this name is something else, or a TAP device with several queues.
    #[error(
        "the interface '{interface}' exists already and is not a TAP device with a single queue: choose another name"
    )]
    NotTap {
        /// The interface.
        interface: String,
    },
    /// Any other failure of a system call.
    #[error("cannot create TAP device '{interface}': {operation} failed: {source}")]
    Io {
        /// The interface.
        interface: String,
        /// What was being done.
        operation: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

/// The interface that errors speak of.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) interface: &'a str,
}

impl Context<'_> {
    pub(super) fn invalid_name(self) -> TapError {
        TapError::InvalidName {
            interface: self.interface.to_owned(),
        }
    }

    pub(super) fn open(self, error: io::Error) -> TapError {
        let interface = self.interface.to_owned();
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => TapError::NoTunDevice { interface },
            Some(libc::EPERM | libc::EACCES) => TapError::NoPermission { interface },
            _ => self.io("opening /dev/net/tun", error),
        }
    }

    pub(super) fn attach(self, error: io::Error) -> TapError {
        let interface = self.interface.to_owned();
        match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => TapError::NoPermission { interface },
            Some(libc::EBUSY) => TapError::InUse { interface },
            Some(libc::EINVAL) => TapError::NotTap { interface },
            _ => self.io("TUNSETIFF", error),
        }
    }

    pub(super) fn io(self, operation: &'static str, source: io::Error) -> TapError {
        TapError::Io {
            interface: self.interface.to_owned(),
            operation,
            source,
        }
    }
}
