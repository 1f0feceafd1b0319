//! Open vSwitch in user space and the kernel's bridge.

use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;
use vswitch_netns::{InterfaceName, Netlink};

use super::forwarder::{CANNOT, Client, Daemon, Forwarder, Res, delete, lay_cable};
use super::scene::Host;

/// Open vSwitch with a database of its own, its user-space datapath (`datapath_type=netdev`).
pub(crate) struct Ovs {
    _database: Daemon,
    switch: Daemon,
    /// Those before, whose end nobody has waited for.
    killed: Vec<Daemon>,
}

const DIR: &str = "/run/ovs";

impl Ovs {
    pub(crate) fn start() -> Res<Self> {
        std::fs::create_dir_all(DIR).map_err(|error| error.to_string())?;
        run(command("ovsdb-tool").args(["create", "conf.db"]))?;
        let mut server = command("ovsdb-server");
        server.args([
            "conf.db",
            "--unixctl=db.ctl",
            "--remote=punix:/run/ovs/db.sock",
        ]);
        let mut database = Daemon::start(server, PathBuf::from("/run/ovs/db.log"))?;
        database.until("the database", || {
            PathBuf::from("/run/ovs/db.sock").exists()
        })?;
        vsctl(&["--no-wait", "init"])?;
        let switch = Self::daemon()?;
        let bridge = [
            "add-br",
            "br0",
            "--",
            "set",
            "Bridge",
            "br0",
            "datapath_type=netdev",
        ];
        vsctl(&bridge)?;
        Ok(Self {
            _database: database,
            switch,
            killed: Vec::new(),
        })
    }

    fn daemon() -> Res<Daemon> {
        let control = PathBuf::from("/run/ovs/vswitchd.ctl");
        let _ = std::fs::remove_file(&control);
        // As its own script starts it (ovs-ctl(8), --ovs-vswitchd-priority).
        let mut switch = command("nice");
        switch.args(["-n", "-10", "ovs-vswitchd"]);
        switch.args([
            "unix:/run/ovs/db.sock",
            "--disable-system",
            "--unixctl=vswitchd.ctl",
        ]);
        switch.args(["-vsyslog:off", "-vconsole:warn"]);
        let mut daemon = Daemon::start(switch, PathBuf::from("/run/ovs/vswitchd.log"))?;
        daemon.until("the switch", || control.exists())?;
        Ok(daemon)
    }
}

impl Client for Ovs {
    fn attach(&mut self, host: Host) -> Res {
        Vsctl.attach(host)
    }

    fn detach(&mut self, host: Host) -> Res {
        Vsctl.detach(host)
    }
}

impl Forwarder for Ovs {
    fn client(&self) -> Res<Box<dyn Client>> {
        Ok(Box::new(Vsctl))
    }

    fn add_port(&mut self, interface: &str) -> Res {
        vsctl(&["add-port", "br0", interface])
    }

    fn remove_port(&mut self, interface: &str) -> Res {
        vsctl(&["del-port", "br0", interface])
    }

    fn kill_and_run(&mut self, at_once: bool) -> Res {
        if at_once {
            self.switch.signal(Signal::SIGKILL)?;
        } else {
            self.switch.end(Signal::SIGKILL)?;
        }
        let killed = std::mem::replace(&mut self.switch, Self::daemon()?);
        self.killed.push(killed);
        Ok(())
    }

    /// As `ovs-ctl restart` does: the old one ends, the new one reads the database.
    fn restart(&mut self) -> Res {
        self.switch.end(Signal::SIGTERM)?;
        self.switch = Self::daemon()?;
        Ok(())
    }

    fn pid(&self) -> Option<u32> {
        Some(self.switch.pid())
    }

    fn stations(&mut self) -> Res<usize> {
        let text =
            run(command("ovs-appctl").args(["-t", "/run/ovs/vswitchd.ctl", "fdb/show", "br0"]))?;
        Ok(text.lines().count().saturating_sub(1))
    }
}

/// The command by which its ports are added and deleted.
struct Vsctl;

impl Client for Vsctl {
    fn attach(&mut self, host: Host) -> Res {
        lay_cable(host)?;
        vsctl(&["add-port", "br0", &host.outside()])
    }

    fn detach(&mut self, host: Host) -> Res {
        vsctl(&["del-port", "br0", &host.outside()])?;
        delete(&host.outside())
    }
}

fn vsctl(words: &[&str]) -> Res {
    run(command("ovs-vsctl")
        .args(["--db=unix:/run/ovs/db.sock", "--timeout=20"])
        .args(words))
    .map(drop)
}

fn command(name: &str) -> Command {
    let mut command = Command::new(name);
    for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"] {
        command.env(variable, DIR);
    }
    command.current_dir(DIR);
    command
}

pub(crate) fn run(command: &mut Command) -> Res<String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{command:?}: {}",
        words.lines().next().unwrap_or_default()
    ))
}

/// The kernel's bridge.
pub(crate) struct Bridge;

impl Bridge {
    pub(crate) fn start() -> Res<Self> {
        let mut here = Netlink::open().map_err(|error| error.to_string())?;
        let name = InterfaceName::new("br0").map_err(|error| error.to_string())?;
        let bridge = here.create_bridge(&name).map_err(|e| e.to_string())?;
        here.set_up(&bridge).map_err(|error| error.to_string())?;
        Ok(Self)
    }
}

impl Client for Bridge {
    fn attach(&mut self, host: Host) -> Res {
        lay_cable(host)?;
        self.add_port(&host.outside())
    }

    fn detach(&mut self, host: Host) -> Res {
        delete(&host.outside())
    }
}

impl Forwarder for Bridge {
    fn client(&self) -> Res<Box<dyn Client>> {
        Ok(Box::new(Self))
    }

    fn add_port(&mut self, interface: &str) -> Res {
        let mut here = Netlink::open().map_err(|error| error.to_string())?;
        let port = here.link(interface).map_err(|error| error.to_string())?;
        let bridge = here.link("br0").map_err(|error| error.to_string())?;
        here.set_bridge(&port, Some(&bridge))
            .map_err(|e| e.to_string())
    }

    /// It has no memory of one that is gone.
    fn remove_port(&mut self, _: &str) -> Res {
        Ok(())
    }

    fn kill_and_run(&mut self, _: bool) -> Res {
        Err(CANNOT.to_owned())
    }

    fn restart(&mut self) -> Res {
        Err(CANNOT.to_owned())
    }

    fn pid(&self) -> Option<u32> {
        None
    }

    fn stations(&mut self) -> Res<usize> {
        let text = run(Command::new("bridge").args(["fdb", "show", "br", "br0", "dynamic"]))?;
        Ok(text.lines().count())
    }
}
