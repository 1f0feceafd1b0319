//! What a running switch gives up once it has all that it needs.
//!
//! # Theory of operation
//!
//! Layers, each of which holds where the others may not: all capabilities but two ([`keep`]); no new
//! privileges by programs, of which it could start none anyhow; an allow-list of system calls
//! ([`calls`]); and of paths and sockets ([`paths`]); and no memory that becomes executable.
//! They are put on while the process has one thread, and every thread inherits them. What a kernel does
//! not have is a warning in the log and in `show`, and keeps the switch from starting where
//! `run --guard required` asks for it. What more is needed now and then, the broker does
//! ([`super::broker`]), which has a list of calls too.

mod calls;
mod keep;
mod missing;
mod paths;
#[allow(
    unsafe_code,
    reason = "a filter that is allowed to keep the processor's speed"
)]
mod sys;

use caps::{CapSet, Capability};
use nix::sys::prctl;

pub(crate) use keep::keep;
pub(crate) use paths::Paths;
use vswitch_control::protocol::{GuardView, LayerView};
use vswitch_control::settings::GuardMode;

/// What a switch needs: packet sockets, and interfaces.
const KEPT: &[Capability] = &[Capability::CAP_NET_ADMIN, Capability::CAP_NET_RAW];

/// What holds, and what keeps it so.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    view: GuardView,
    /// The paths that rules are about. While they are open the kernel knows them again.
    _paths: Vec<landlock::PathFd>,
}

impl Guard {
    /// Gives up all that a switch does not need, in this thread and all that it starts. What cannot be
    /// given up is logged, with the reason.
    ///
    /// # Errors
    /// Where something cannot be given up that is required: names it.
    pub(crate) fn raise(mode: GuardMode, paths: &Paths) -> Result<Self, String> {
        if mode == GuardMode::Off {
            return Ok(Self::none());
        }
        let kept = keep(KEPT, false).map_err(|error| error.to_string());
        let no_new_privs = prctl::set_no_new_privs().is_ok();
        let mut held = Vec::new();
        let landlock = paths.restrict(&mut held);
        let memory = sys::refuse_new_code().map_err(|error| match error.raw_os_error() {
            Some(libc::EINVAL) => "this kernel has none".to_owned(),
            _ => error.to_string(),
        });
        // Last: what the others call is not in the list.
        let seccomp = calls::restrict_switch();
        let abi = landlock.as_ref().ok().copied();
        let view = GuardView {
            on: true,
            mode: mode.as_str().to_owned(),
            capabilities: held_now(),
            capabilities_reason: kept.err().or_else(too_much),
            no_new_privs,
            seccomp: layer(seccomp, None),
            landlock: layer(landlock.map(drop), abi),
            scopes: abi.map(paths::scopes).unwrap_or_default(),
            memory: layer(memory, None),
            ..GuardView::default()
        };
        let guard = Self { view, _paths: held };
        let missing = missing::of(&guard.view);
        if mode == GuardMode::Required && !missing.is_empty() {
            return Err(missing::in_one_sentence(&missing));
        }
        guard.log();
        Ok(guard)
    }

    /// None at all, as was asked for.
    fn none() -> Self {
        let off = || layer(Err("switched off by --guard off".to_owned()), None);
        let guard = Self {
            view: GuardView {
                on: false,
                mode: GuardMode::Off.as_str().to_owned(),
                capabilities: held_now(),
                seccomp: off(),
                landlock: off(),
                memory: off(),
                ..GuardView::default()
            },
            ..Self::default()
        };
        guard.log();
        guard
    }

    fn log(&self) {
        for warning in self.warnings() {
            log::warn!("{warning}");
        }
        if let Some(reason) = self.view.memory.reason.as_ref().filter(|_| self.view.on) {
            log::info!(
                "the list of system calls alone keeps memory from becoming executable: {reason}"
            );
        }
    }

    /// What is missing of it, a sentence each, with the remedy.
    pub(crate) fn warnings(&self) -> Vec<String> {
        missing::warnings(&self.view)
    }

    /// What `show` tells of it.
    pub(crate) fn view(&self, broker: Option<i32>) -> GuardView {
        GuardView {
            broker,
            ..self.view.clone()
        }
    }
}

/// Forbids the broker, and the successors that it starts, the calls that none of them needs. A kernel
/// that has no filters has none for the switch either, which `show` tells.
///
/// # Errors
/// Says why there is no such filter.
pub(crate) fn restrict_broker() -> Result<(), String> {
    calls::restrict_broker()
}

/// Forbids the process that holds a lab's namespaces all calls but those that it makes.
///
/// # Errors
/// Says why there is no such filter.
pub fn restrict_keeper() -> Result<(), String> {
    prctl::set_no_new_privs().map_err(|errno| errno.to_string())?;
    calls::restrict_keeper()
}

fn layer(outcome: Result<(), String>, abi: Option<u32>) -> LayerView {
    LayerView {
        on: outcome.is_ok(),
        abi,
        reason: outcome.err(),
    }
}

/// The capabilities of this thread, by name, in order.
fn held_now() -> Vec<String> {
    let held = caps::read(None, CapSet::Permitted).unwrap_or_default();
    let mut names: Vec<String> = held.iter().map(ToString::to_string).collect();
    names.sort();
    names
}

/// Whether this thread has more capabilities than a switch needs, though nothing has failed.
fn too_much() -> Option<String> {
    let held = caps::read(None, CapSet::Permitted);
    match held {
        Ok(held) if held.iter().all(|capability| KEPT.contains(capability)) => None,
        Ok(_) => Some("the kernel has kept more than was asked for".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
