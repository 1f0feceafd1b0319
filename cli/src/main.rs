//! The `vswitch` program: see the library `vswitch_cli`, which is all of it.

use std::process::ExitCode;

fn main() -> ExitCode {
    vswitch_cli::main()
}
