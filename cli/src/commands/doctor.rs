//! `vswitch doctor`: what this machine offers, and what stands in the way.

use std::process::ExitCode;

use crate::args::DoctorArgs;
use crate::doctor::{self, Living, Machine, report, trials};
use crate::render;
use vswitch_control::runtime_dir::{RuntimeDir, RuntimeDirError};

pub(crate) fn run(
    runtime: &Result<RuntimeDir, RuntimeDirError>,
    args: &DoctorArgs,
) -> anyhow::Result<ExitCode> {
    if let Some(rights) = args.inside {
        render::print_json(&trials::inside(rights))?;
        return Ok(ExitCode::SUCCESS);
    }
    let machine = Machine::here();
    let trials = trials::run(machine.may_make_labs());
    let living = runtime.as_ref().map(Living::now).unwrap_or_default();
    let findings = doctor::examine(&machine, &trials, runtime, &living);
    if args.json {
        render::print_json(&report::Report::new(&machine, &findings))?;
    } else {
        render::print(&report::text(&machine, &findings, report::width()))?;
    }
    Ok(if doctor::has_problem(&findings) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
