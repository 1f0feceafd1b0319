//! A switch that is put to the test, of whatever make.

use std::fmt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vswitch_netns::{InterfaceName, LinkChange, LinkLocal, Namespace, Netlink, VethEnd};

use super::scene::Host;
use crate::harness::{PATIENCE, sys, wait_until};

/// What a step of a fault gives; the error is a sentence.
pub(crate) type Res<T = ()> = Result<T, String>;

/// Who can be put to the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rival {
    Vswitch,
    Ovs,
    Bridge,
}

impl fmt::Display for Rival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vswitch => "vswitch",
            Self::Ovs => "Open vSwitch",
            Self::Bridge => "bridge",
        })
    }
}

/// Who has hosts attached to a switch.
pub(crate) trait Client: Send {
    /// Lays a cable to a host and plugs it in.
    fn attach(&mut self, host: Host) -> Res;
    /// The reverse.
    fn detach(&mut self, host: Host) -> Res;
}

/// What all of them can. What one cannot, it refuses with [`CANNOT`].
pub(crate) trait Forwarder: Client {
    /// Another client, for another thread.
    fn client(&self) -> Res<Box<dyn Client>>;
    /// Plugs in an interface that is there.
    fn add_port(&mut self, interface: &str) -> Res;
    /// Forgets such a port, whose interface may be gone.
    fn remove_port(&mut self, interface: &str) -> Res;
    /// Kills it and starts it again: once it is gone, as a supervisor does, or at once.
    fn kill_and_run(&mut self, at_once: bool) -> Res;
    /// Starts it anew, as its makers mean that to be done.
    fn restart(&mut self) -> Res;
    /// The process that forwards, if one does.
    fn pid(&self) -> Option<u32>;
    /// How many stations it remembers.
    fn stations(&mut self) -> Res<usize>;
    /// More about it, for the faults that are of its own kind.
    fn as_vswitch(&mut self) -> Option<&mut super::vswitch::Vswitch> {
        None
    }
}

/// What a rival says to a fault that it has no part in.
pub(crate) const CANNOT: &str = "-";

/// A child process that ends with this value, and whose output goes into a file.
pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts a program from the calling thread, with which it ends.
    pub(crate) fn start(mut command: Command, log: PathBuf) -> Res<Self> {
        let output = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&log);
        let output = output.map_err(|error| format!("{}: {error}", log.display()))?;
        sys::die_with_parent(&mut command);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output);
        let child = command
            .spawn()
            .map_err(|error| format!("cannot start {command:?}: {error}"))?;
        Ok(Self { child, log })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until something holds, as long as the process lives.
    pub(crate) fn until(&mut self, what: &str, mut ready: impl FnMut() -> bool) -> Res {
        let end = Instant::now() + PATIENCE;
        while !ready() {
            let ended = self.child.try_wait().ok().flatten();
            if let Some(status) = ended {
                return Err(format!("it ended with {status}: {}", self.last_words()));
            }
            if Instant::now() > end {
                return Err(format!("{what} takes too long: {}", self.last_words()));
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        Ok(())
    }

    pub(crate) fn signal(&self, signal: Signal) -> Res {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).map_err(|e| e.to_string())
    }

    /// Ends it with a signal and waits for that.
    pub(crate) fn end(&mut self, signal: Signal) -> Res {
        self.signal(signal)?;
        let ended = wait_until(PATIENCE, || self.has_ended());
        if ended {
            Ok(())
        } else {
            Err(format!("it outlives {signal}"))
        }
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().ok().flatten().is_some()
    }

    /// The end of what it said.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().next_back().unwrap_or_default().to_owned()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A cable to a host as an administrator lays it: both ends up, the near one without a stack.
pub(crate) fn lay_cable(host: Host) -> Res {
    let mut here = Netlink::open().map_err(|error| error.to_string())?;
    let named = |name: &str| InterfaceName::new(name).map_err(|error| error.to_string());
    let near = VethEnd::new(named(&host.outside())?);
    let far = VethEnd::new(named(&host.inside())?).mac(host.mac());
    let namespace = Namespace::open(&host.name()).map_err(|error| error.to_string())?;
    let near = here
        .create_veth(&near, &far, Some(&namespace))
        .map_err(|error| error.to_string())?;
    let mute = LinkChange::new().arp(false).link_local(LinkLocal::None);
    here.change_link(&near, &mute).map_err(|e| e.to_string())?;
    here.set_up(&near).map_err(|e| e.to_string())?;
    let mut inside = Netlink::open_in(&namespace).map_err(|e| e.to_string())?;
    let far = inside.link(&host.inside()).map_err(|e| e.to_string())?;
    inside.set_up(&far).map_err(|e| e.to_string())
}

/// Deletes an interface of this namespace.
pub(crate) fn delete(interface: &str) -> Res {
    let mut here = Netlink::open().map_err(|error| error.to_string())?;
    let link = here.link(interface).map_err(|error| error.to_string())?;
    here.delete_link(&link).map_err(|error| error.to_string())
}
