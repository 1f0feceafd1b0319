//! Telling a service manager how the switch is (`sd_notify(3)`): datagrams to the socket that the
//! environment names. Not an error anywhere: without a manager there is nobody to tell.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The variable that names the manager's socket: by a path, or by an abstract name behind `@`.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// The way to the service manager, if there is one. Opened once, so that it leads there from other
/// namespaces too.
#[derive(Debug)]
pub(crate) struct Notifier(Option<UnixDatagram>);

impl Notifier {
    /// To the manager that the environment names.
    pub(crate) fn from_environment() -> Self {
        let address = env::var_os(VARIABLE).filter(|address| !address.is_empty());
        let opened = address.and_then(|address| {
            let reached = connect(&address);
            reached
                .inspect_err(|error| {
                    log::warn!(
                        "cannot reach the service manager at {}: {error}",
                        address.display()
                    );
                })
                .ok()
        });
        Self(opened)
    }

    /// The switch `name` takes commands.
    pub(crate) fn ready(&self, name: &str) {
        self.tell(&format!("READY=1\nSTATUS=the switch '{name}' forwards\n"));
    }

    /// The switch is ending.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1\n");
    }

    fn tell(&self, message: &str) {
        let Some(manager) = &self.0 else { return };
        if let Err(error) = manager.send(message.as_bytes()) {
            log::warn!("cannot tell the service manager: {error}");
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
        let notifier = Notifier(None);
        notifier.ready("s");
        notifier.stopping();
    }
}
