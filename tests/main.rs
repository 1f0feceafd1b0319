//! Integration tests on real network namespaces.
//!
//! One binary holds them all, because a process has to enter its user, mount, network and PID
//! namespaces before its first thread exists: that takes a `main` of our own, which the standard
//! test runner does not allow. `libtest-mimic` runs the tests with the usual arguments
//! (`cargo test --test integration -- NAME`).
//!
//! A module `tests/<area>/mod.rs` for each area offers `pub(crate) fn tests() -> Vec<Trial>`,
//! built of [`harness::isolated`].
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps an error fails with it, which is what is wanted"
)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "what tests cast are constants and sizes that fit"
)]

mod cli;
#[allow(
    dead_code,
    unused_imports,
    reason = "tests/reliability uses more of it"
)]
mod faults;
mod harness;
mod netns;
mod ports;
mod switching;

use std::process::ExitCode;

use harness::environment::{Programs, is_coloured};
use libtest_mimic::{Arguments, ColorSetting, Trial};

fn all_tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    tests.extend(harness::selftest::tests());
    tests.extend(cli::tests());
    tests.extend(faults::tests());
    tests.extend(netns::tests());
    tests.extend(ports::tests());
    tests.extend(switching::tests());
    tests
}

fn main() -> ExitCode {
    harness::stage::run(Programs::None, |rights| {
        let mut arguments = Arguments::from_args();
        if is_coloured() {
            arguments.color.get_or_insert(ColorSetting::Always);
        }
        // Most of the time they wait.
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        arguments.test_threads.get_or_insert(2 * processors);
        let tests = all_tests()
            .into_iter()
            .map(|test| {
                let cannot_run = rights.is_err() || test.has_ignored_flag();
                test.with_ignored_flag(cannot_run)
            })
            .collect();
        libtest_mimic::run(&arguments, tests).exit_code()
    })
}
