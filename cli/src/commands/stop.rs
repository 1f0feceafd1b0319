//! `vswitch stop`: end a switch, and return when it has ended.

use std::fs::File;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::args::StopArgs;
use crate::render::{self, Patience};
use crate::userlab::{self, Visit};
use vswitch_control::client::{Client, ClientError};
use vswitch_control::names::SwitchName;
use vswitch_control::protocol::{NoParams, Removed, method};
use vswitch_control::runtime_dir::RuntimeDir;
use vswitch_daemon as daemon;

/// How long the daemon may take to remove what it made, and then to end: some 40 ms for each
/// attached namespace. One that does not even get to it is hung.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often its lock is tried meanwhile.
const INTERVAL: Duration = Duration::from_millis(2);

pub(crate) fn run(runtime: &RuntimeDir, args: &StopArgs) -> anyhow::Result<()> {
    let visit = userlab::visit(runtime);
    stop(runtime, &args.name)?;
    if let Some(namespaces) = visit.and_then(Visit::leave) {
        render::print(&farewell(&namespaces))?;
    }
    Ok(())
}

/// Stops the switch `name`, and returns when it has ended. Of one that was killed, removes what it
/// has left.
///
/// # Errors
/// Where it does not run, or does not end.
pub(crate) fn stop(runtime: &RuntimeDir, name: &SwitchName) -> anyhow::Result<()> {
    let mut client = match Client::choose(runtime, Some(name), super::BY_OPTION) {
        Err(ClientError::Killed(name)) => return Ok(daemon::remove_killed(runtime, &name)?),
        other => other?,
    };
    client.set_patience(PATIENCE)?;
    let _patience = Patience::with(format!(
        "waiting for the switch '{name}' to end, for {} seconds at most",
        PATIENCE.as_secs()
    ));
    // Opened before the daemon removes it; the daemon holds it locked to its very end.
    let lock = File::open(runtime.switch(name).lock());
    match client.call::<Removed>(method::STOP, &NoParams {}) {
        Ok(_) => {}
        // Somebody else stopped it at the same moment, and its last words were lost.
        Err(ClientError::Broken { .. }) if lock.is_ok() => {}
        Err(error) => return Err(error.into()),
    }
    drop(client);
    match lock {
        Ok(lock) => wait_for_end(lock, name),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            wait_until_gone(&runtime.switch(name).socket(), name)
        }
        Err(error) => {
            anyhow::bail!("the switch '{name}' is stopping, but its end cannot be awaited: {error}")
        }
    }
}

/// Says that the lab has ended with its last switch.
fn farewell(namespaces: &[String]) -> String {
    let mut line = String::from("the lab ended with its last switch");
    if !namespaces.is_empty() {
        let names: Vec<_> = namespaces
            .iter()
            .map(|name| vswitch_control::plain::text(name).into_owned())
            .collect();
        line.push_str(", and its namespaces with it: ");
        line.push_str(&names.join(", "));
    }
    line.push('\n');
    line
}

fn wait_for_end(mut lock: File, name: &SwitchName) -> anyhow::Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        match Flock::lock(lock, FlockArg::LockExclusiveNonblock) {
            Ok(_) => return Ok(()),
            Err((file, Errno::EWOULDBLOCK | Errno::EINTR)) if Instant::now() < end => lock = file,
            Err(_) => return Err(not_ended(name)),
        }
        thread::sleep(INTERVAL);
    }
}

/// The same for whoever may ask the switch, as a member of its group, and may not open its lock: the
/// socket is removed when all else is done.
fn wait_until_gone(socket: &Path, name: &SwitchName) -> anyhow::Result<()> {
    let end = Instant::now() + PATIENCE;
    while !matches!(socket.try_exists(), Ok(false)) {
        if Instant::now() >= end {
            return Err(not_ended(name));
        }
        thread::sleep(INTERVAL);
    }
    Ok(())
}

fn not_ended(name: &SwitchName) -> anyhow::Error {
    anyhow::anyhow!(
        "the switch '{name}' has not ended in {} seconds: see its log, or kill its process",
        PATIENCE.as_secs()
    )
}
