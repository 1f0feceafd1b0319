//! `vswitch bench`: between two attached namespaces, or a comparison of switches.

mod compare;
mod pair;
mod progress;

use std::process::ExitCode;

use crate::args::{Bench, BenchArgs};
use crate::runtime_dir::{RuntimeDir, RuntimeDirError};

/// The exit status of a measurement that a signal has ended: that of SIGINT in a shell.
const INTERRUPTED: u8 = 130;

pub(crate) fn run(
    runtime: impl FnOnce() -> Result<RuntimeDir, RuntimeDirError>,
    args: BenchArgs,
) -> anyhow::Result<ExitCode> {
    match args.choose() {
        Bench::Pair(args) => pair::run(&runtime()?, &args),
        Bench::Compare(args) => compare::run(&args),
    }
}
