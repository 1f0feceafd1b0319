//! The lab of somebody without root's rights: namespaces inside a user namespace of their own.
//!
//! # Theory of operation
//!
//! A lab is a user, a mount and a network namespace. In the user namespace the user is root, which
//! gives every right over the other two and none over anything outside. The mount namespace has a
//! `/run` of its own, in which `/run/netns` is the lab's and all else is where it was, the runtime
//! directory too: so switches are found from inside and outside at the same path. The network
//! namespace is what the host is to root: the switches run in it.
//!
//! A small process of this program, the [`keeper`], holds the three while no other process is in
//! them, and hands them to every command that connects to its socket in the runtime directory
//! ([`mod@visit`]). What a command needs ([`place`]) is looked at before its work begins: where the
//! rights are there nothing is entered, so root, and whoever is inside already, stays where they
//! are. Otherwise the command enters the lab, or makes it, or asks a switch from where it is.
//!
//! The lab ends with its last switch, or, before there was one, with the last namespace or
//! interface that was made in it:
//! the keeper ends, and with it the namespaces go, unless a program still runs in them. If the
//! keeper is killed, a command finds the lab through any of its living switches, and starts a
//! keeper for it anew ([`revive`]). If all is killed, the kernel has removed the namespaces,
//! and what is left in the runtime directory makes room for the next lab.

mod error;
mod files;
pub(crate) mod keeper;
mod namespaces;
mod place;
mod revive;
mod start;
#[allow(unsafe_code, reason = "what no safe call does")]
mod sys;
mod visit;

use crate::switches::Processes;
use std::sync::Mutex;
use std::time::Duration;

use crate::args::Cli;
pub(crate) use error::UserLabError;
use files::LabDir;
use namespaces::Namespaces;
use place::Place;
pub(crate) use visit::Visit;
use vswitch_control::client::Client;
use vswitch_control::rights;
use vswitch_control::runtime_dir::RuntimeDir;
use vswitch_lab::Labs;

/// The process's own visit: while it lasts the lab does not end.
static VISIT: Mutex<Option<Visit>> = Mutex::new(None);

/// How long a keeper may take to answer where it is not important.
const A_MOMENT: Duration = Duration::from_millis(500);

/// Moves the process to where its command works, if it lacks the rights to do so here.
///
/// To be called while the process has one thread.
///
/// # Errors
/// Where a lab is needed and cannot be had.
pub(crate) fn enter(cli: &mut Cli) -> Result<(), UserLabError> {
    let place = place::of(&cli.command);
    let needed = match place {
        Place::Here => return Ok(()),
        Place::Lab(needed) | Place::LabOnRecord(needed) | Place::NewLab(needed) => needed,
    };
    if rights::are_held(needed) {
        return Ok(());
    }
    let runtime = RuntimeDir::resolve(cli.runtime_dir.take(), |name| std::env::var_os(name))?;
    // Here, where directories of root are known as root's.
    runtime.require_safe()?;
    cli.runtime_dir = Some(runtime.path().to_owned());
    let is_made = match place {
        Place::NewLab(_) => true,
        Place::LabOnRecord(_) => Labs::new(&runtime, &Processes)
            .names()
            .is_ok_and(|all| !all.is_empty()),
        _ => false,
    };
    let visit = if is_made {
        Some(start::find_or_make(&runtime)?)
    } else {
        start::find(&runtime)?
    };
    visit.map_or(Ok(()), |visit| work_in(visit, &runtime))
}

/// Moves the process into the lab of `runtime` if there is one, and the process is not at home in
/// the namespaces that it is in: to look around there, whatever else fails.
///
/// To be called while the process has one thread.
pub(crate) fn look_around(runtime: &RuntimeDir) {
    if rights::are_held(rights::NAMESPACE) {
        return;
    }
    if runtime.require_safe().is_err() {
        return;
    }
    // Nobody is kept waiting: a lab without a keeper is not looked for either.
    if let Ok(Some(visit)) = Visit::connect_within(&LabDir::of(runtime), A_MOMENT) {
        let _ = work_in(visit, runtime);
    }
}

/// Moves the process into the lab, for good.
fn work_in(visit: Visit, runtime: &RuntimeDir) -> Result<(), UserLabError> {
    visit.enter()?;
    // For this process and the programs that it starts inside, which take themselves for root.
    sys::set_variable("VSWITCH_RUNTIME_DIR", runtime.path().as_os_str());
    remember(Some(visit));
    Ok(())
}

/// Lets the lab end without this process, which goes on as a switch.
pub(crate) fn settle() {
    remember(None);
}

/// Whether the switch runs in a lab, seen from outside of it.
pub(crate) fn is_home_of(switch: &Client) -> bool {
    let process = switch.process().ok().flatten();
    let namespaces = process.and_then(|pid| Namespaces::of(&pid.to_string()).ok());
    namespaces.is_some_and(|found| found.are_ours().is_ok_and(|ours| !ours))
}

fn remember(visit: Option<Visit>) {
    // Poisoned by a panic while a visit was put there: it is there all the same.
    *VISIT
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner) = visit;
}

/// Visits the lab of this runtime directory from outside, if there is one: to see whether it ends.
pub(crate) fn visit(runtime: &RuntimeDir) -> Option<Visit> {
    Visit::connect(&LabDir::of(runtime)).ok().flatten()
}
