//! This program, as its users run it.

use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::forwarder::{Client, Daemon, Forwarder, Res};
use super::scene::Host;
use crate::harness::program::{run_vswitch, runtime_dir, vswitch};
use crate::harness::rpc::Rpc;

pub(crate) const NAME: &str = "lab";

/// A switch under test.
pub(crate) struct Vswitch {
    pub(crate) daemon: Daemon,
    /// The process that forwards: another one after a planned restart.
    pid: u32,
    /// Those before, whose end nobody has waited for.
    killed: Vec<Daemon>,
}

impl Vswitch {
    /// Starts a switch with further options of `run`.
    pub(crate) fn start(options: &[&str]) -> Res<Self> {
        let options: Vec<String> = options.iter().map(ToString::to_string).collect();
        let daemon = start(&options)?;
        Ok(Self {
            pid: daemon.pid(),
            daemon,
            killed: Vec::new(),
        })
    }

    /// A client of its own.
    pub(crate) fn rpc() -> Res<Rpc> {
        Rpc::connect(&socket())
    }

    /// Asks for something.
    pub(crate) fn call(method: &str, params: Value) -> Res<Value> {
        Self::rpc()?.call(method, params)
    }

    /// Its log.
    pub(crate) fn log() -> String {
        std::fs::read_to_string(log()).unwrap_or_default()
    }

    /// Kills the process that forwards; where another waits for it, that ends too.
    pub(crate) fn kill(&mut self) -> Res {
        self.kill_without_waiting()?;
        self.daemon.end(Signal::SIGKILL)
    }

    fn kill_without_waiting(&mut self) -> Res {
        if self.pid != self.daemon.pid() {
            let pid = Pid::from_raw(self.pid.cast_signed());
            kill(pid, Signal::SIGKILL).map_err(|error| error.to_string())?;
        }
        self.daemon.signal(Signal::SIGKILL)
    }

    /// Starts it again after it was killed.
    pub(crate) fn run_again(&mut self) -> Res {
        // Nothing is said anew: it knows its options.
        let killed = std::mem::replace(&mut self.daemon, start(&[])?);
        self.killed.push(killed);
        self.pid = self.daemon.pid();
        Ok(())
    }

    /// Counters and states of all ports.
    pub(crate) fn show() -> Res<Value> {
        Self::call("show", json!({}))
    }

    /// A port as `show` has it.
    pub(crate) fn port(name: &str) -> Res<Value> {
        let show = Self::show()?;
        let ports = show["ports"].as_array().cloned().unwrap_or_default();
        let found = ports.into_iter().find(|port| port["name"] == name);
        found.ok_or_else(|| format!("it has no port {name}"))
    }
}

/// Where it listens.
pub(crate) fn socket() -> PathBuf {
    runtime_dir().join(NAME).join("control.sock")
}

fn log() -> PathBuf {
    PathBuf::from("/run/vswitch.log")
}

fn start(options: &[String]) -> Res<Daemon> {
    let mut command: Command = vswitch(["run", NAME]);
    command.args(options);
    let mut daemon = Daemon::start(command, log())?;
    daemon.until("starting", || Vswitch::call("version", json!({})).is_ok())?;
    Ok(daemon)
}

impl Drop for Vswitch {
    /// A process that a planned restart has started is nobody's child.
    fn drop(&mut self) {
        if self.pid != self.daemon.pid() {
            let _ = Self::call("stop", json!({}));
        }
    }
}

impl Client for Vswitch {
    fn attach(&mut self, host: Host) -> Res {
        Self::rpc()?.attach(host)
    }

    fn detach(&mut self, host: Host) -> Res {
        Self::rpc()?.detach(host)
    }
}

impl Client for Rpc {
    fn attach(&mut self, host: Host) -> Res {
        let params = json!({"namespace": host.name(), "mac": host.mac_text()});
        self.call("attach", params).map(drop)
    }

    fn detach(&mut self, host: Host) -> Res {
        self.call("detach", json!({"namespace": host.name()}))
            .map(drop)
    }
}

impl Forwarder for Vswitch {
    fn client(&self) -> Res<Box<dyn Client>> {
        Ok(Box::new(Self::rpc()?))
    }

    fn add_port(&mut self, interface: &str) -> Res {
        Self::call("port.add", json!({"interface": interface})).map(drop)
    }

    fn remove_port(&mut self, interface: &str) -> Res {
        Self::call("port.del", json!({"name": interface})).map(drop)
    }

    fn kill_and_run(&mut self, at_once: bool) -> Res {
        if at_once {
            self.kill_without_waiting()?;
        } else {
            self.kill()?;
        }
        self.run_again()
    }

    fn restart(&mut self) -> Res {
        let output = run_vswitch(["restart", NAME]);
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        let pid = Self::show()?["pid"].as_u64().unwrap_or_default();
        self.pid = u32::try_from(pid).unwrap_or_default();
        Ok(())
    }

    fn pid(&self) -> Option<u32> {
        Some(self.pid)
    }

    fn stations(&mut self) -> Res<usize> {
        let macs = Self::show()?["macs"].as_u64().unwrap_or_default();
        Ok(usize::try_from(macs).unwrap_or(usize::MAX))
    }

    fn as_vswitch(&mut self) -> Option<&mut Self> {
        Some(self)
    }
}
