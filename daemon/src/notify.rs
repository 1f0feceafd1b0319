//! Telling a service manager how the switch is (`sd_notify(3)`): datagrams to the socket that the
//! environment names. Not an error anywhere: without a manager there is nobody to tell.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::Pid;
use vswitch_switch::handover::monotonic;

/// The variable that names the manager's socket: by a path, or by an abstract name behind `@`.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// The way to the service manager, if there is one. It leads there from other namespaces too, so it
/// is to be opened before any is entered.
#[derive(Clone, Debug, Default)]
pub struct Notifier(Option<Arc<Manager>>);

/// A service manager, or why it cannot be reached, which is told when there is a log.
#[derive(Debug)]
struct Manager {
    address: OsString,
    socket: io::Result<UnixDatagram>,
    /// How long it may hear nothing before it takes the switch for hung.
    watchdog: Option<Duration>,
}

impl Notifier {
    /// To the manager that the environment names.
    #[must_use]
    pub fn from_environment() -> Self {
        let address = env::var_os(VARIABLE).filter(|address| !address.is_empty());
        Self(address.map(|address| {
            let socket = connect(&address);
            let watchdog = watchdog(|name| env::var(name).ok());
            Arc::new(Manager {
                address,
                socket,
                watchdog,
            })
        }))
    }

    /// The switch `name` takes commands.
    pub(super) fn ready(&self, name: &str) {
        self.tell(&format!("READY=1\nSTATUS=the switch '{name}' forwards\n"));
    }

    /// To the manager that another process has known, over the same socket.
    pub(super) fn handed_over(
        address: Option<String>,
        socket: Option<OwnedFd>,
        watchdog: Option<Duration>,
    ) -> Self {
        let manager = address.zip(socket).map(|(address, socket)| Manager {
            address: address.into(),
            socket: Ok(socket.into()),
            watchdog,
        });
        Self(manager.map(Arc::new))
    }

    /// Whether there is one that hears.
    pub(super) fn is_there(&self) -> bool {
        self.descriptor().is_some()
    }

    /// Its socket.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_ref()?.socket.as_ref().ok()?.as_fd())
    }

    /// Its address, for people.
    pub(super) fn address(&self) -> Option<String> {
        let manager = self.0.as_ref()?;
        Some(manager.address.to_string_lossy().into_owned())
    }

    /// Another process is about to go on with the switch.
    pub(super) fn reloading(&self) {
        let now = monotonic().as_micros();
        self.tell(&format!(
            "RELOADING=1\nMONOTONIC_USEC={now}\nSTATUS=another process will take over\n"
        ));
    }

    /// Another process goes on with the switch; it will say that it is ready.
    pub(super) fn succeeded_by(&self, pid: Pid) {
        self.tell(&format!("MAINPID={pid}\n"));
    }

    /// How long it may hear nothing, if it listens for signs of life.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.0.as_ref()?.watchdog
    }

    /// The switch forwards.
    pub(super) fn alive(&self) {
        self.tell("WATCHDOG=1\n");
    }

    /// The switch is ending, for this reason.
    pub(super) fn stopping(&self, why: &str) {
        self.tell(&format!("STOPPING=1\nSTATUS=ending: {why}\n"));
    }

    /// The process ends at once, for this reason.
    pub(super) fn failing(&self, why: &str) {
        self.tell(&format!("STATUS=ended: {why}\n"));
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

/// The period of the watchdog (`sd_watchdog_enabled(3)`), unless another process is meant.
fn watchdog(variable: impl Fn(&str) -> Option<String>) -> Option<Duration> {
    let is_another = |pid: String| pid.parse() != Ok(process::id());
    if variable("WATCHDOG_PID").is_some_and(is_another) {
        return None;
    }
    let micros = variable("WATCHDOG_USEC")?.parse().ok()?;
    Some(Duration::from_micros(micros)).filter(|period| !period.is_zero())
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
        notifier.stopping("as asked");
        notifier.alive();
        assert_eq!(notifier.watchdog(), None);
    }

    #[test]
    fn the_watchdog_is_ours_if_the_environment_says_so() {
        let given = |usec: &'static str, pid: Option<u32>| {
            watchdog(move |name| match name {
                "WATCHDOG_USEC" => Some(usec.to_owned()),
                "WATCHDOG_PID" => pid.map(|pid| pid.to_string()),
                _ => None,
            })
        };
        let second = Some(Duration::from_secs(1));
        assert_eq!(given("1000000", None), second);
        assert_eq!(given("1000000", Some(process::id())), second);
        assert_eq!(given("1000000", Some(process::id() + 1)), None);
        for wrong in ["", "0", "-1", "often"] {
            assert_eq!(given(wrong, None), None);
        }
    }
}
