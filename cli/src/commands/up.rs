//! `vswitch up`: have a lab as its file says.

use crate::switches::Processes;
use std::process::ExitCode;

use serde_json::json;

use crate::args::UpArgs;
use crate::measure::{Interrupted, Stop};
use crate::render;
use crate::render::labs;
use vswitch_control::exit::signalled;
use vswitch_control::rights;
use vswitch_control::runtime_dir::RuntimeDir;
use vswitch_lab::{Hold, Intent, Labs, Outcome, Sockets, Source, Wrong};

pub(crate) fn run(
    runtime: &RuntimeDir,
    args: &UpArgs,
    metrics: &Sockets,
) -> anyhow::Result<ExitCode> {
    match bring_up(runtime, args, metrics) {
        Ok(status) => Ok(status),
        Err(error) => match error.downcast::<Wrong>() {
            Ok(wrong) => Ok(complain_of(&wrong, ExitCode::FAILURE)),
            Err(error) => Err(error),
        },
    }
}

/// Tells all that is wrong with a lab file, each in a line of its own.
pub(super) fn complain_of(wrong: &Wrong, status: ExitCode) -> ExitCode {
    for line in &wrong.0 {
        crate::complain(line);
    }
    status
}

fn bring_up(runtime: &RuntimeDir, args: &UpArgs, metrics: &Sockets) -> anyhow::Result<ExitCode> {
    let labs = Labs::new(runtime, &Processes);
    let source = Source::read(&args.file)?;
    if args.dry_run {
        let intent = labs.intend(&source)?;
        tell_plan(&intent, args)?;
        return Ok(ExitCode::SUCCESS);
    }
    // Whatever is wrong with the file itself is told before the lab is taken.
    let name = Labs::name_in(&source)?;
    rights::require("bring a lab up", rights::ATTACH)?;
    let stop = Stop::on_signals()?;
    let hold = Hold::take(runtime, &name)?;
    let done = labs.intend(&source).and_then(|intent| {
        Ok((
            labs.bring_up(&hold, &args.file, &intent, metrics, &stop)?,
            intent,
        ))
    });
    Labs::let_go(hold)?;
    let (outcome, intent) = done?;
    if outcome.failures.is_empty() {
        tell_done(&intent, args)?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(complain(&outcome, &intent, &stop))
}

fn tell_plan(intent: &Intent, args: &UpArgs) -> anyhow::Result<()> {
    if args.json {
        render::print_json(&labs::plan_json(intent))?;
    } else if intent.plan.is_empty() {
        render::print(&nothing_to_do(intent, args))?;
    } else {
        render::print(&labs::differences(&intent.plan, &intent.present))?;
    }
    Ok(())
}

fn nothing_to_do(intent: &Intent, args: &UpArgs) -> String {
    format!(
        "nothing to do: the lab '{}' is as {} says\n",
        intent.lab.name,
        args.file.display()
    )
}

fn tell_done(intent: &Intent, args: &UpArgs) -> anyhow::Result<()> {
    if args.json {
        let mut told = labs::plan_json(intent);
        told["switches"] = json!(intent.lab.count("switch"));
        told["hosts"] = json!(intent.lab.count("host"));
        render::print_json(&told)?;
        return Ok(());
    }
    if intent.plan.is_empty() {
        render::print(&nothing_to_do(intent, args))?;
        return Ok(());
    }
    let changes = if intent.fresh {
        String::new()
    } else {
        labs::differences(&intent.plan, &intent.present)
    };
    let (switches, hosts) = (intent.lab.count("switch"), intent.lab.count("host"));
    let text = format!(
        "{changes}the lab '{}' is up: {}, {}\n",
        intent.lab.name,
        labs::number(switches, "switch", "switches"),
        labs::number(hosts, "host", "hosts"),
    );
    render::print(&text)?;
    Ok(())
}

fn complain(outcome: &Outcome, intent: &Intent, stop: &Stop) -> ExitCode {
    let name = &intent.lab.name;
    for error in &outcome.failures {
        if !error.is::<Interrupted>() {
            crate::complain(&crate::sentence(error));
        }
    }
    let interrupted = stop.signal();
    let what = match interrupted {
        Some(_) => "interrupted",
        None => "the lab could not be brought up",
    };
    let state = if outcome.undone {
        "what was made has been removed again".to_owned()
    } else {
        format!(
            "what was done stays: 'vswitch up' goes on from there, 'vswitch down {name}' removes it"
        )
    };
    crate::complain(&format!("{what}: {state}"));
    interrupted.map_or(ExitCode::FAILURE, |signal| {
        ExitCode::from(signalled(i32::from(signal)))
    })
}
