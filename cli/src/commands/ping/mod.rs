//! `vswitch ping`: between two namespaces, or who reaches whom among all.

mod all;
mod hosts;
mod pair;

use std::process::ExitCode;

use crate::args::PingArgs;
use vswitch_control::rights::{self, Capability};
use vswitch_control::runtime_dir::{RuntimeDir, RuntimeDirError};

pub(crate) fn run(
    runtime: impl FnOnce() -> Result<RuntimeDir, RuntimeDirError>,
    args: &PingArgs,
) -> anyhow::Result<ExitCode> {
    const NEEDED: &[Capability] = &[Capability::NetRaw, Capability::SysAdmin];
    rights::require("ping from a network namespace", NEEDED)?;
    match (&args.from, &args.to) {
        (Some(from), Some(to)) => pair::run(from, to, args),
        _ => all::run(&runtime()?, args),
    }
}
