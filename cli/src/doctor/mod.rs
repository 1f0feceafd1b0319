//! What this machine offers, and what stands in the way of a switch.
//!
//! # Theory of operation
//!
//! Three things are looked at: settings of the system, as `/proc` and `/sys` have them
//! ([`Machine`]); what the kernel really allows, which is tried by children of this program in
//! namespaces that go with them ([`trials`]); and what runs and has been left over ([`Living`]).
//! None of it changes anything. The [`checks`] then are functions of these alone, so that machines
//! which nobody has at hand can be made up for their tests.

mod checks;
mod finding;
mod ghosts;
mod living;
mod machine;
pub(crate) mod report;
pub(crate) mod trials;

pub(crate) use finding::{Area, Finding, Grade};
pub(crate) use ghosts::Ghost;
pub(crate) use living::Living;
pub(crate) use machine::Machine;

use trials::Trials;
use vswitch_control::runtime_dir::{RuntimeDir, RuntimeDirError};

/// Everything there is to say, area by area.
pub(crate) fn examine(
    machine: &Machine,
    trials: &Trials,
    runtime: &Result<RuntimeDir, RuntimeDirError>,
    living: &Living,
) -> Vec<Finding> {
    let mut findings = checks::rights::all(machine, trials);
    findings.extend(checks::kernel::all(machine, trials));
    findings.extend(checks::network::all(machine));
    findings.extend(checks::managers::all(machine, living));
    findings.extend(checks::limits::all(machine));
    findings.extend(checks::directories::all(machine, runtime, living));
    findings.extend(checks::leftovers::all(living));
    findings.extend(checks::ports::all(living));
    findings
}

/// Whether something keeps switches from working.
pub(crate) fn has_problem(findings: &[Finding]) -> bool {
    findings.iter().any(|f| f.grade == Grade::Problem)
}
