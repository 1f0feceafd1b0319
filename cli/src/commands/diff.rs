//! `vswitch diff`: how a lab differs from its file.

use crate::switches::Processes;
use std::process::ExitCode;

use super::up::complain_of;
use crate::args::DiffArgs;
use crate::render;
use crate::render::labs;
use vswitch_control::runtime_dir::RuntimeDir;
use vswitch_lab::{Labs, Source, Wrong};

/// The status where there is a difference, as of diff(1).
const DIFFERENT: u8 = 1;
/// The status where it cannot be told.
const TROUBLE: u8 = 2;

pub(crate) fn run(runtime: &RuntimeDir, args: &DiffArgs) -> anyhow::Result<ExitCode> {
    let labs = Labs::new(runtime, &Processes);
    let intended = Source::read(&args.file).and_then(|source| labs.intend(&source));
    let intent = match intended {
        Ok(intent) => intent,
        Err(error) => {
            let trouble = ExitCode::from(TROUBLE);
            return Ok(match error.downcast::<Wrong>() {
                Ok(wrong) => complain_of(&wrong, trouble),
                Err(error) => {
                    crate::complain(&crate::sentence(&error));
                    trouble
                }
            });
        }
    };
    if args.json {
        render::print_json(&labs::plan_json(&intent))?;
    } else {
        render::print(&labs::differences(&intent.plan, &intent.present))?;
    }
    Ok(if intent.plan.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(DIFFERENT)
    })
}
