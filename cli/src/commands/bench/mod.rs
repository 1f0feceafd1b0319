//! `vswitch bench`: how fast a switch is.
//!
//! - [`pair`]: between two attached namespaces
//! - [`progress`]: what is going on, and how long it still takes

mod pair;
mod progress;

use std::process::ExitCode;

use crate::args::BenchArgs;
use crate::runtime_dir::RuntimeDir;

use super::{BY_OPTION, WrongUsage};

pub(crate) fn run(runtime: &RuntimeDir, args: &BenchArgs) -> anyhow::Result<ExitCode> {
    pair::run(runtime, args)
}
