//! Measures what a switch does under faults, and whether it does so for hours.
//!
//! ```text
//! cargo test --release --test reliability -- list
//! cargo test --release --test reliability -- faults [NAME...] [--rival vswitch,ovs,bridge] [--markdown]
//! cargo test --release --test reliability -- churn [--cycles 100000]
//! cargo test --release --test reliability -- soak --time 3600
//! ```
//!
//! The faults are those of `tests/faults`, which the integration tests do as well, at a low rate.
//! See docs/reliability.md.
#![allow(
    clippy::unwrap_used,
    reason = "a tool of developers, whose failures are to be seen"
)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "what is cast are constants and sizes that fit"
)]

mod args;
mod churn;
#[path = "../faults/mod.rs"]
#[allow(dead_code, reason = "the integration tests use more of it")]
mod faults;
#[path = "../harness/mod.rs"]
#[allow(dead_code, reason = "the integration tests use more of it")]
mod harness;
mod rate;
mod soak;
mod table;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use harness::environment::Programs;

fn main() -> ExitCode {
    let args = Args::parse();
    harness::stage::run(Programs::Installed, |rights| {
        if rights.is_err() {
            return ExitCode::FAILURE;
        }
        match &args.command {
            Command::List => table::list(),
            Command::Faults(options) => table::run(options),
            Command::Churn(options) => churn::run(options),
            Command::Soak(options) => soak::run(options),
        }
    })
}
