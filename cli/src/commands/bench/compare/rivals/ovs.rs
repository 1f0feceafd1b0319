//! Open vSwitch in user space, with a database of its own, apart from the system's.
//!
//! Its user-space datapath (`datapath_type=netdev`) reads and writes packet sockets, as this switch
//! does. Without `userspace-tso-enable` it carries neither partial checksums nor super-frames, so
//! what the stacks of A and B leave undone would be lost: their offloads are switched off then.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use vswitch_netns::{Netlink, Offloads};

use super::daemon::Daemon;
use super::programs;
use super::stage::{A, B, Stage};
use super::{Running, stage};
use crate::measure::{End, Stop};

pub(super) const PROGRAMS: [&str; 4] = ["ovs-vswitchd", "ovsdb-server", "ovsdb-tool", "ovs-vsctl"];
/// Features by which a stack leaves work to the device, as `ethtool -k` calls them.
const OFFLOADS: [&str; 2] = ["tx-checksum-", "tx-generic-segmentation"];
/// How long `ovs-vsctl` waits for the switch, in seconds.
const TIMEOUT: &str = "--timeout=10";

pub(super) fn start(stage: Stage, stop: &Stop, tso: bool) -> Result<Running> {
    // For the bridge's own port, without which there is no bridge.
    programs::need_tap()?;
    let port = |host| {
        let (end, port) = stage.cable(host)?;
        if !tso {
            switch_offloads_off(&end)?;
        }
        let mut middle = Netlink::open_in(&stage.middle)?;
        // What the stack of the middle does with these frames is no part of the switch.
        let _kept_as_it_is = middle.quiet(&port)?;
        middle.set_up(&port)?;
        anyhow::Ok(end)
    };
    let (from, to) = (port(&A)?, port(&B)?);

    let dir = stage.dir();
    programs::run(command("ovsdb-tool", dir)?.args(["create", "conf.db"]))?;
    let socket = stage.file("db.sock");
    let remote = format!("unix:{}", socket.display());
    let mut server = command("ovsdb-server", dir)?;
    server
        .args(["conf.db", "--unixctl=db.ctl"])
        .arg(format!("--remote=p{remote}"));
    let mut server = Daemon::start("ovsdb-server", quiet(&mut server), &stage)?;
    server.wait_until(stop, || socket.exists())?;

    let vsctl = |words: &[&str]| {
        let mut vsctl = command("ovs-vsctl", dir)?;
        vsctl.arg(format!("--db={remote}")).arg(TIMEOUT).args(words);
        programs::run(&mut vsctl)
    };
    // Whether it is wanted is looked at once, when the switch starts.
    let tso = format!("other_config:userspace-tso-enable={tso}");
    vsctl(&["--no-wait", "init", "--", "set", "Open_vSwitch", ".", &tso])?;
    // As its own script starts it (ovs-ctl(8), --ovs-vswitchd-priority).
    let mut switch = command("nice", dir)?;
    switch.args(["-n", "-10"]);
    switch.arg(programs::command("ovs-vswitchd")?.get_program());
    switch.args([&remote, "--disable-system", "--unixctl=vswitchd.ctl"]);
    let mut switch = Daemon::start("ovs-vswitchd", quiet(&mut switch), &stage)?;
    let control = stage.file("vswitchd.ctl");
    switch.wait_until(stop, || control.exists())?;
    // Returns once the switch has done it.
    let bridge = ["add-br", "br0", "--", "set", "Bridge", "br0"];
    let kind = ["datapath_type=netdev", "fail_mode=standalone"];
    let ports = [
        "--",
        "add-port",
        "br0",
        stage::A.port,
        "--",
        "add-port",
        "br0",
        stage::B.port,
    ];
    vsctl(&[&bridge[..], &kind, &ports].concat())
        .with_context(|| format!("can't set the switch up{}", switch.last_words()))?;

    let pid = switch.pid();
    Ok(Running::new(
        from,
        to,
        Some(pid),
        vec![switch, server],
        stage,
    ))
}

/// One of its programs, kept away from the directories of the system's service.
fn command(name: &str, dir: &Path) -> Result<Command> {
    let mut command = programs::command(name)?;
    for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"] {
        command.env(variable, dir);
    }
    command.current_dir(dir);
    Ok(command)
}

/// Only warnings, as bare messages, and on standard error alone.
fn quiet(command: &mut Command) -> &mut Command {
    command.args(["-vsyslog:off", "-vconsole:warn", "-vPATTERN:console:%m"])
}

fn switch_offloads_off(end: &End) -> Result<()> {
    let mut offloads = Offloads::open_in(&end.namespace)?;
    let features = offloads.features(&end.interface)?.into_iter();
    let names: Vec<_> = features
        .filter(|feature| feature.active && feature.changeable)
        .map(|feature| feature.name)
        .filter(|name| {
            let listed = OFFLOADS.iter().any(|start| name.starts_with(start));
            listed || (name.starts_with("tx-") && name.ends_with("-segmentation"))
        })
        .collect();
    Ok(offloads.switch_off(&end.interface, &names)?)
}
