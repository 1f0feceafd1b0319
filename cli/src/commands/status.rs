//! `vswitch status`: the labs that are up, and what is missing of them.

use crate::switches::Processes;
use std::process::ExitCode;

use super::down::{Named, named};
use super::up::complain_of;
use crate::args::StatusArgs;
use crate::render;
use crate::render::labs::{self, Condition};
use vswitch_control::names::LabName;
use vswitch_control::runtime_dir::RuntimeDir;
use vswitch_lab::{Labs, Wrong};

pub(crate) fn run(runtime: &RuntimeDir, args: &StatusArgs) -> anyhow::Result<ExitCode> {
    match show(runtime, args) {
        Err(error) => match error.downcast::<Wrong>() {
            Ok(wrong) => Ok(complain_of(&wrong, ExitCode::FAILURE)),
            Err(error) => Err(error),
        },
        shown => shown,
    }
}

fn show(runtime: &RuntimeDir, args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let labs = Labs::new(runtime, &Processes);
    let names: Vec<LabName> = match &args.lab {
        None => labs.names()?,
        Some(lab) => match named(&labs, lab)? {
            Named::Up(name) => vec![name],
            Named::NotUp(name) => anyhow::bail!("the lab '{name}' is not up"),
        },
    };
    let mut conditions = Vec::new();
    for name in names {
        let (record, survey) = labs.look(&name)?;
        conditions.push(Condition {
            name,
            file: record.file,
            things: survey.present,
        });
    }
    let whole = conditions.iter().all(Condition::is_whole);
    if args.json {
        let all: Vec<_> = conditions.iter().map(Condition::json).collect();
        render::print_json(&all)?;
    } else if conditions.is_empty() {
        render::print("no lab is up: bring one up with 'vswitch up FILE'\n")?;
    } else {
        let texts: Vec<_> = conditions.iter().map(labs::condition).collect();
        render::print(&texts.join("\n"))?;
    }
    Ok(if whole {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
