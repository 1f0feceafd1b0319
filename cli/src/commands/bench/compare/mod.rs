//! `vswitch bench --compare`: this switch and others, measured in turn.
//!
//! - [`plan`]: which tests, and in which order
//! - [`rivals`]: setting each switch up, and removing it
//! - [`rounds`]: measuring all of them again and again
//! - [`samples`]: what was measured; [`report`]: medians, spreads, ratios, and JSON
//! - [`table`], [`markdown`], [`plot`]: for people
//! - [`picture`]: the file of the plot; [`machine`]: on what it was measured

mod machine;
mod markdown;
mod picture;
mod plan;
mod plot;
mod report;
mod rivals;
mod rounds;
mod samples;
mod table;

use std::ffi::OsString;
use std::process::{ExitCode, Stdio};

use anyhow::bail;

use crate::args::CompareArgs;
use crate::measure::Stop;
use crate::render;
use crate::sandbox::{self, OnSignal, Sandbox};
use picture::Picture;
use plan::Plan;
use report::Report;
use vswitch_control::exit::signalled;

const WHAT: &str = "comparison";

/// Compares in a sandbox: this process makes it, a child of it measures.
pub(super) fn run(args: &CompareArgs) -> anyhow::Result<ExitCode> {
    let plan = Plan::new(args)?;
    if args.inside {
        // Before signals are let through: the first process of a sandbox gets none that it does
        // not handle.
        let stop = Stop::on_signals()?;
        sandbox::settle_in(WHAT, "vswitch bench --compare")?;
        return compare(&plan, args, &stop);
    }
    // The path may lead nowhere inside the sandbox, which has a /run of its own.
    let picture = args.plot.as_deref().map(Picture::open).transpose()?;
    let input = match &picture {
        Some(picture) => picture.handle()?,
        None => Stdio::null(),
    };
    let sandbox = Sandbox {
        what: WHAT,
        words: words_inside(std::env::args_os().skip(1)),
        input,
        on_signal: OnSignal::Ask,
    };
    let outcome = sandbox.run();
    if let Some(picture) = picture {
        picture.remove_if_blank();
    }
    outcome
}

/// The words of this command line, with the one that says where they are.
fn words_inside(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<_> = words.collect();
    let end = words.iter().position(|word| word == "--");
    words.insert(end.unwrap_or(words.len()), "--inside".into());
    words
}

fn compare(plan: &Plan, args: &CompareArgs, stop: &Stop) -> anyhow::Result<ExitCode> {
    let samples = rounds::measure(plan, stop);
    let report = Report::new(plan, &samples);
    if report.is_empty() {
        if samples.interrupted {
            eprintln!("vswitch: interrupted before anything was measured; nothing is left of it");
            return Ok(interrupted(stop));
        }
        bail!(
            "nothing could be compared: {}",
            report.problems().join("; ")
        );
    }
    if args.json {
        render::print_json(&report)?;
    } else if args.markdown {
        render::print(&markdown::text(&report))?;
    } else {
        render::print(&table::text(&report))?;
    }
    if let Some(path) = &args.plot {
        picture::draw(&plot::svg(&report), path)?;
    }
    if samples.interrupted {
        let (done, all) = (samples.measurements(), plan.measurements());
        eprintln!("vswitch: interrupted; {done} of {all} measurements were over");
        return Ok(interrupted(stop));
    }
    Ok(ExitCode::SUCCESS)
}

fn interrupted(stop: &Stop) -> ExitCode {
    let signal = stop.signal().unwrap_or_default();
    ExitCode::from(signalled(signal.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_for_the_child_is_an_option_wherever_it_stands() {
        let inside = |line: &str| {
            let words = words_inside(line.split(' ').map(OsString::from));
            let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
            words.join(" ")
        };
        assert_eq!(inside("bench --compare"), "bench --compare --inside");
        assert_eq!(inside("bench --compare --"), "bench --compare --inside --");
    }
}
