//! The `vswitch` program, as a library so that its parsers can be fuzzed and its tests share them.
//!
//! - `args`: the command line as plain data
//! - `commands`: one file for each command
//! - `container`: asking container engines for the process of a container
//! - `completions`: what a shell that completes is told
//! - `doctor`: what the machine offers and what stands in the way
//! - `userlab`: where commands work without root's rights
//! - `sandbox`: throw-away namespaces for a lab of the program's own
//! - `measure`: pings, throughput and response time between namespaces
//! - `place`, `peers`: a namespace that a command acts in; where the ends of cables are
//! - `ingress`: rules that have no effect on ports
//! - `render`: output for people
//! - `switches`: the processes of a lab's switches
//! - `trial`: what fuzzers call
//!
//! What the processes of the program share is in `vswitch_control`; the process of a
//! running switch is `vswitch_daemon`, labs from a file are `vswitch_lab`.

mod args;
mod commands;
mod completions;
mod container;
mod doctor;
mod ingress;
mod measure;
mod peers;
mod place;
mod render;
mod sandbox;
mod switches;
#[cfg(test)]
#[path = "../../control/src/testing.rs"]
mod testing;
#[doc(hidden)]
pub mod trial;
mod userlab;

use std::process::ExitCode;

use clap::Parser;
use vswitch_control::{advice, exit, itself, plain};
use vswitch_daemon as daemon;

/// The exit status of wrong usage.
const USAGE: u8 = 2;

/// Does what the command line asks for; returns the exit status: 0, 1 on failure, 2 on wrong
/// usage, and of a switch that has failed while it ran 70 or 71.
#[must_use]
pub fn main() -> ExitCode {
    itself::remember();
    if completions::answer() {
        return ExitCode::SUCCESS;
    }
    let cli = match args::Cli::try_parse_from(args::as_ip_has_it(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match work(cli) {
        Ok(status) => status,
        Err(error) => {
            complain(&sentence(&error));
            ExitCode::from(status_of(&error))
        }
    }
}

/// The exit status of a command that has failed.
fn status_of(error: &anyhow::Error) -> u8 {
    if error.is::<commands::WrongUsage>() {
        return USAGE;
    }
    let of_a_switch = error.downcast_ref::<daemon::DaemonError>();
    of_a_switch.map_or(exit::FAILURE, daemon::DaemonError::status)
}

/// Does the command's work where it has the rights for it.
fn work(mut cli: args::Cli) -> anyhow::Result<ExitCode> {
    let luggage = commands::Luggage::pack(&cli)?;
    // Before the first thread: a process changes its user namespace as a whole.
    userlab::enter(&mut cli)?;
    commands::run(cli, luggage)
}

/// Prints help where it was asked for, else what is wrong.
fn usage(error: &clap::Error) -> ExitCode {
    let words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    if let Some(sentence) = args::usage_sentence(error, &words) {
        complain(&sentence);
        return ExitCode::from(USAGE);
    }
    // Fails where nobody reads it.
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::from(USAGE)
    } else {
        ExitCode::SUCCESS
    }
}

/// What failed and why. Most errors name their cause themselves; where one does not, it is added.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    let advice = error.chain().find_map(advice::of);
    text + &advice.unwrap_or_default()
}

/// Writes one line to standard error, without anything a terminal would act on.
fn complain(sentence: &str) {
    use std::io::Write;
    let line = format!("vswitch: {}\n", plain::text(sentence));
    // Fails where nobody listens, who could then be told nothing anyhow.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_cause_is_told_once() {
        let io = || std::io::Error::other("the disk is full");
        let error = Err::<(), _>(io()).context("cannot write").unwrap_err();
        assert_eq!(sentence(&error), "cannot write: the disk is full");
        let told = anyhow::Error::from(io()).context("cannot write, for the disk is full");
        assert_eq!(sentence(&told), "cannot write, for the disk is full");
    }
}
