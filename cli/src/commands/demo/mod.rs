//! `vswitch demo`: the namespace tutorial from beginning to end, in throw-away namespaces.

mod narrator;
mod report;
mod sandbox;
mod tutorial;

use std::process::ExitCode;

use crate::args::DemoArgs;
use crate::render;
use narrator::Narrator;

/// Runs the tutorial in a sandbox: this process makes it, a child of it walks through.
pub(crate) fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    if !args.inside {
        return sandbox::run_again_inside(args.json);
    }
    sandbox::settle_in()?;
    let mut narrator = if args.json {
        Narrator::silent()
    } else {
        Narrator::aloud()
    };
    let report = tutorial::tell(&mut narrator)?;
    if args.json {
        render::print_json(&report)?;
    }
    narrator.end("That was all. The namespaces, the cables and the switch are gone.");
    Ok(ExitCode::SUCCESS)
}
