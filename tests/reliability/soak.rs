//! Traffic for hours, with a fault every few seconds.

use std::process::ExitCode;

use crate::args::SoakArgs;

pub(crate) fn run(options: &SoakArgs) -> ExitCode {
    let _ = options;
    ExitCode::FAILURE
}
