//! VDE: `vde_switch` with a TAP interface for each host.

use anyhow::{Context, Result};
use vswitch_netns::Netlink;

use super::Running;
use super::daemon::Daemon;
use super::programs;
use super::stage::{A, B, Stage};
use crate::measure::Stop;

pub(super) const PROGRAM: &str = "vde_switch";

pub(super) fn start(stage: Stage, stop: &Stop) -> Result<Running> {
    // Without it the program runs on, as a switch without ports.
    programs::need_tap()?;
    let mut command = programs::command(PROGRAM)?;
    command
        .args(["-sock", "ctl", "-tap", A.port, "-tap", B.port])
        .env("HOME", stage.dir()); // its start-up file is not wanted
    let mut daemon = Daemon::start(PROGRAM, &mut command, &stage)?;
    let mut middle = Netlink::open_in(&stage.middle)?;
    let mut there = |name| matches!(middle.find_link(name), Ok(Some(_)));
    daemon.wait_until(stop, || there(A.port) && there(B.port))?;
    let give = |host| {
        stage
            .give(host, host.port)
            .with_context(|| format!("can't use its TAP interfaces{}", daemon.last_words()))
    };
    let (from, to) = (give(&A)?, give(&B)?);
    let pid = daemon.pid();
    Ok(Running::new(from, to, Some(pid), vec![daemon], stage))
}
