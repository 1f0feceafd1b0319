//! Finding the lab, and making it where there is none.

use std::io::{self, Read};
use std::process::Stdio;

use super::UserLabError;
use super::files::{LabDir, LabLock};
use super::keeper::READY;
use super::revive::through_a_switch;
use super::visit::Visit;
use vswitch_control::itself;
use vswitch_control::runtime_dir::RuntimeDir;
use vswitch_daemon as daemon;

/// Attempts to reach a keeper while labs end.
const ATTEMPTS: usize = 100;

/// The lab, if there is one.
pub(super) fn find(runtime: &RuntimeDir) -> Result<Option<Visit>, UserLabError> {
    let dir = LabDir::of(runtime);
    if let Some(visit) = Visit::connect(&dir)? {
        return Ok(Some(visit));
    }
    // Nothing is made where nothing is: not even the directory.
    if through_a_switch(runtime)?.is_none() {
        return Ok(None);
    }
    let lock = dir.lock(runtime)?;
    if let Some(visit) = Visit::connect(&dir)? {
        return Ok(Some(visit));
    }
    revive(runtime, &dir, &lock)
}

/// The lab, made where there was none.
pub(super) fn find_or_make(runtime: &RuntimeDir) -> Result<Visit, UserLabError> {
    let dir = LabDir::of(runtime);
    for _ in 0..ATTEMPTS {
        if let Some(visit) = Visit::connect(&dir)? {
            return Ok(visit);
        }
        // Two who come here at once make one lab.
        let lock = dir.lock(runtime)?;
        if let Some(visit) = Visit::connect(&dir)? {
            return Ok(visit);
        }
        if let Some(visit) = revive(runtime, &dir, &lock)? {
            return Ok(visit);
        }
        daemon::clear_killed(runtime);
        if let Err(error) = start_keeper(runtime, &lock, false) {
            lock.remove();
            return Err(error);
        }
        // It waits for its first visitor before it looks whether it is needed.
        if let Some(visit) = Visit::connect(&dir)? {
            return Ok(visit);
        }
    }
    let source = io::Error::other("each one that is started ends at once");
    Err(UserLabError::Start(source))
}

/// Enters the lab of a living switch whose keeper was killed, and starts another one for it.
fn revive(
    runtime: &RuntimeDir,
    dir: &LabDir,
    lock: &LabLock,
) -> Result<Option<Visit>, UserLabError> {
    let Some(namespaces) = through_a_switch(runtime)? else {
        return Ok(None);
    };
    namespaces.enter()?;
    start_keeper(runtime, lock, true)?;
    Visit::connect(dir)
}

/// Starts a keeper; returns when it listens.
fn start_keeper(runtime: &RuntimeDir, lock: &LabLock, adopt: bool) -> Result<(), UserLabError> {
    lock.remove_socket()?;
    let mut child = itself::command()
        .map_err(UserLabError::Start)?
        .arg("keeper")
        .args(adopt.then_some("--adopt"))
        .arg("--runtime-dir")
        .arg(runtime.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(UserLabError::Start)?;
    let mut told = String::new();
    if let Some(mut pipe) = child.stdout.take() {
        pipe.read_to_string(&mut told)
            .map_err(UserLabError::Start)?;
    }
    // The keeper is a child of this one, which has ended: it is nobody's when it ends itself.
    let status = child.wait().map_err(UserLabError::Start)?;
    match told.trim() {
        READY => Ok(()),
        "" => {
            let source = io::Error::other(format!("it ended before it was ready ({status})"));
            Err(UserLabError::Start(source))
        }
        sentence => Err(UserLabError::Refused(sentence.to_owned())),
    }
}
