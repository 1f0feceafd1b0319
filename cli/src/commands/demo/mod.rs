//! `vswitch demo`: the namespace tutorial from beginning to end, in throw-away namespaces.

mod narrator;
mod report;
mod tutorial;

use std::process::{ExitCode, Stdio};

use crate::args::DemoArgs;
use crate::render;
use crate::sandbox::{self, OnSignal, Sandbox};
use narrator::Narrator;

const WHAT: &str = "demonstration";

/// Runs the tutorial in a sandbox: this process makes it, a child of it walks through.
pub(crate) fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    if !args.inside {
        let mut words = vec!["demo".into(), "--inside".into()];
        words.extend(args.json.then(|| "--json".into()));
        let sandbox = Sandbox {
            what: WHAT,
            words,
            input: Stdio::inherit(),
            on_signal: OnSignal::Kill,
        };
        return sandbox.run();
    }
    sandbox::settle_in(WHAT, "vswitch demo")?;
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
