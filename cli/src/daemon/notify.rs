//! Telling a service manager how the switch is (`sd_notify(3)`): datagrams to the socket that the
//! environment names. Not an error anywhere: without a manager there is nobody to tell.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;

/// The variable that names the manager's socket: by a path, or by an abstract name behind `@`.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// The way to the service manager, if there is one. It leads there from other namespaces too, so it
/// is to be opened before any is entered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notifier(Option<Arc<Manager>>);

/// A service manager, or why it cannot be reached, which is told when there is a log.
#[derive(Debug)]
struct Manager {
    address: OsString,
    socket: io::Result<UnixDatagram>,
}

impl Notifier {
    /// To the manager that the environment names.
    pub(crate) fn from_environment() -> Self {
        let address = env::var_os(VARIABLE).filter(|address| !address.is_empty());
        Self(address.map(|address| {
            let socket = connect(&address);
            Arc::new(Manager { address, socket })
        }))
    }

    /// The switch `name` takes commands.
    pub(super) fn ready(&self, name: &str) {
        self.tell(&format!("READY=1\nSTATUS=the switch '{name}' forwards\n"));
    }

    /// The switch is ending.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\n");
    }

    fn tell(&self, message: &str) {
        let Some(manager) = &self.0 else { return };
        let told = match &manager.socket {
            Ok(socket) => socket.send(message.as_bytes()).map(drop),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        if let Err(error) = told {
            let address = manager.address.display();
            log::warn!("cannot tell the service manager at {address}: {error}");
        }
    }
}

fn connect(address: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    // A manager that hangs does not hold up the switch.
    socket.set_nonblocking(true)?;
    match address.as_bytes() {
        [b'@', name @ ..] => socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?,
        [b'/', ..] => socket.connect(address)?,
        _ => {
            return Err(io::Error::other(
                "it is neither a path nor an abstract name",
            ));
        }
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_sockets_are_known() {
        for address in ["", "notify", "vsock:2:1234"] {
            assert!(connect(OsStr::new(address)).is_err(), "{address}");
        }
    }

    #[test]
    fn without_a_manager_nothing_is_told() {
        let notifier = Notifier::default();
        notifier.ready("s");
        notifier.stopping();
    }
}
