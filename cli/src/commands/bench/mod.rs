//! `vswitch bench`: between two attached namespaces, or a comparison of switches.

mod compare;
mod pair;
mod progress;
mod sizes;

use std::process::ExitCode;

use crate::args::{Bench, BenchArgs};
use vswitch_control::runtime_dir::{RuntimeDir, RuntimeDirError};

pub(crate) fn run(
    runtime: impl FnOnce() -> Result<RuntimeDir, RuntimeDirError>,
    args: BenchArgs,
) -> anyhow::Result<ExitCode> {
    match args.choose() {
        Bench::Pair(args) => pair::run(&runtime()?, &args),
        Bench::Compare(args) => compare::run(&args),
    }
}
