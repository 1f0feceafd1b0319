//! What a running switch gives up once it has all that it needs.
//!
//! # Theory of operation
//!
//! Four layers, each of which holds where the others may not: all capabilities but two
//! ([`keep`]); no new privileges by programs, of which it could start none anyhow; an allow-list of
//! system calls ([`calls`]); and of paths ([`paths`]). They are put on while the process has one
//! thread, and every thread inherits them. What a kernel does not have is told by `show`, and is
//! no reason not to run. What more is needed now and then, the broker does ([`super::broker`]).

mod calls;
mod keep;
mod paths;
#[allow(
    unsafe_code,
    reason = "a filter that is allowed to keep the processor's speed"
)]
mod sys;

use caps::{CapSet, Capability};
use nix::sys::prctl;

use crate::protocol::{GuardView, LayerView};
pub(crate) use keep::keep;
pub(crate) use paths::Paths;

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
    /// Gives up all that a switch does not need, in this thread and all that it starts. What
    /// cannot be given up is noted, with the reason.
    pub(crate) fn raise(paths: &Paths) -> Self {
        let kept = keep(KEPT, false).map_err(|error| error.to_string());
        let no_new_privs = prctl::set_no_new_privs().is_ok();
        let mut held = Vec::new();
        let landlock = paths.restrict(&mut held);
        // Last: what the others call is not in the list.
        let seccomp = calls::restrict();
        let view = GuardView {
            on: true,
            capabilities: held_now(),
            capabilities_reason: kept.err(),
            no_new_privs,
            seccomp: layer(seccomp, None),
            landlock: match landlock {
                Ok(abi) => layer(Ok(()), Some(abi)),
                Err(reason) => layer(Err(reason), None),
            },
            broker: None,
            brokers: Vec::new(),
        };
        view.log();
        Self { view, _paths: held }
    }

    /// None at all, as was asked for.
    pub(crate) fn none() -> Self {
        let off = || layer(Err("switched off by --no-guard".to_owned()), None);
        let view = GuardView {
            on: false,
            capabilities: held_now(),
            seccomp: off(),
            landlock: off(),
            ..GuardView::default()
        };
        Self {
            view,
            ..Self::default()
        }
    }

    /// What is missing of it, a sentence each.
    #[expect(clippy::unused_self, reason = "what is missing is not told yet")]
    pub(crate) const fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// What `show` tells of it.
    pub(crate) fn view(&self, broker: Option<i32>) -> GuardView {
        GuardView {
            broker,
            ..self.view.clone()
        }
    }
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

impl GuardView {
    fn log(&self) {
        let missing = [
            ("seccomp", self.seccomp.reason.as_ref()),
            ("Landlock", self.landlock.reason.as_ref()),
            ("capabilities", self.capabilities_reason.as_ref()),
        ];
        for (what, reason) in missing {
            if let Some(reason) = reason {
                log::info!("runs without a part of its guard ({what}): {reason}");
            }
        }
    }
}

#[cfg(test)]
mod tests;
