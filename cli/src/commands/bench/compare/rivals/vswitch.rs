//! This very program, as its users run it.

use anyhow::{Context, Result};
use vswitch_switch::frame::MacAddr;

use super::Running;
use super::daemon::Daemon;
use super::stage::{A, B, Host, Stage};
use crate::measure::{End, Stop};
use vswitch_control::client::Client;
use vswitch_control::itself;
use vswitch_control::names::SwitchName;
use vswitch_control::protocol::{AttachParams, Attached, method};
use vswitch_control::runtime_dir::RuntimeDir;

/// What in the environment would change how it forwards, or how much it logs: a comparison is of
/// the program as it comes.
const SETTINGS: [&str; 2] = ["VSWITCH_RECEIVE", "VSWITCH_LOG"];

pub(super) fn start(stage: Stage, stop: &Stop) -> Result<Running> {
    let name: SwitchName = "rival".parse()?;
    let dir = stage.file("vswitch");
    let mut command = itself::command().context("can't start vswitch")?;
    for variable in SETTINGS {
        command.env_remove(variable);
    }
    command
        .arg("--runtime-dir")
        .arg(&dir)
        .args(["run", name.as_str()]);
    let mut daemon = Daemon::start("vswitch", &mut command, &stage)?;
    let runtime = RuntimeDir::resolve(Some(dir), |_| None)?;
    let mut client = None;
    daemon.wait_until(stop, || {
        client = Client::connect(&runtime, &name).ok();
        client.is_some()
    })?;
    let mut client = client.context("the switch has gone away")?;
    let (from, to) = (attach(&mut client, &A)?, attach(&mut client, &B)?);
    let pid = daemon.pid();
    Ok(Running::new(from, to, Some(pid), vec![daemon], stage))
}

fn attach(client: &mut Client, host: &Host) -> Result<End> {
    let params = AttachParams {
        namespace: host.name.to_owned(),
        addresses: vec![host.net()?.to_string()],
        mac: Some(MacAddr(host.station).to_string()),
        ..AttachParams::default()
    };
    let attached: Attached = client.call(method::ATTACH, &params)?;
    host.end(&attached.peer)
}
