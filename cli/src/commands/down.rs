//! `vswitch down`: remove what `up` has made.

use crate::switches::Processes;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use serde_json::json;

use super::up::complain_of;
use crate::args::DownArgs;
use crate::render;
use crate::render::labs::number;
use vswitch_control::names::LabName;
use vswitch_control::rights;
use vswitch_control::runtime_dir::RuntimeDir;
use vswitch_lab::{Hold, Labs, Source, Wrong};

/// A lab that was named on the command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// There is a record of it.
    Up(LabName),
    /// A file has it, and it is not up.
    NotUp(LabName),
}

pub(crate) fn run(runtime: &RuntimeDir, args: &DownArgs) -> anyhow::Result<ExitCode> {
    match take_down(runtime, args) {
        Err(error) => match error.downcast::<Wrong>() {
            Ok(wrong) => Ok(complain_of(&wrong, ExitCode::FAILURE)),
            Err(error) => Err(error),
        },
        done => done,
    }
}

fn take_down(runtime: &RuntimeDir, args: &DownArgs) -> anyhow::Result<ExitCode> {
    let labs = Labs::new(runtime, &Processes);
    let name = match &args.lab {
        Some(lab) => match named(&labs, lab)? {
            Named::Up(name) => name,
            Named::NotUp(name) => {
                return tell(args, &name, &[], "nothing to do: ", "is not up");
            }
        },
        None => only(&labs)?,
    };
    rights::require("take a lab down", rights::ATTACH)?;
    let hold = Hold::take(runtime, &name)?;
    let (record, _) = labs.look(&name)?;
    let count = |kind| {
        record
            .things
            .keys()
            .filter(|key| key.kind() == kind)
            .count()
    };
    let (switches, hosts) = (count("switch"), count("host"));
    if let Err(failures) = labs.take_down(&hold, &name) {
        for error in &failures {
            crate::complain(&crate::sentence(error));
        }
        crate::complain(&format!(
            "something is left of the lab '{name}': 'vswitch down {name}' tries again"
        ));
        return Ok(ExitCode::FAILURE);
    }
    Labs::let_go(hold)?;
    let removed = [
        number(switches, "switch", "switches"),
        number(hosts, "host", "hosts"),
    ];
    tell(args, &name, &removed, "", "is down")
}

fn tell(
    args: &DownArgs,
    name: &LabName,
    removed: &[String],
    before: &str,
    after: &str,
) -> anyhow::Result<ExitCode> {
    if args.json {
        render::print_json(&json!({"lab": name.as_str(), "was_up": !removed.is_empty()}))?;
    } else if removed.is_empty() {
        render::print(&format!("{before}the lab '{name}' {after}\n"))?;
    } else {
        let removed = removed.join(", ");
        render::print(&format!("the lab '{name}' {after}: {removed} removed\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The lab that is meant by a name, or by a file.
pub(super) fn named(labs: &Labs<'_>, lab: &Path) -> anyhow::Result<Named> {
    let known = labs.names()?;
    let name = lab.to_str().and_then(|text| text.parse::<LabName>().ok());
    if let Some(name) = name.filter(|name| known.contains(name)) {
        return Ok(Named::Up(name));
    }
    if !lab.exists() {
        bail!(
            "no lab '{}' is up, and no such file exists: {}",
            lab.display(),
            those(&known)
        );
    }
    let name = Labs::name_in(&Source::read(&PathBuf::from(lab))?)?;
    Ok(if known.contains(&name) {
        Named::Up(name)
    } else {
        Named::NotUp(name)
    })
}

/// The only lab that is up.
fn only(labs: &Labs<'_>) -> anyhow::Result<LabName> {
    let mut known = labs.names()?;
    match known.len() {
        0 => bail!("no lab is up"),
        1 => Ok(known.remove(0)),
        _ => bail!("say which lab: {}", those(&known)),
    }
}

fn those(known: &[LabName]) -> String {
    if known.is_empty() {
        return "none is up".to_owned();
    }
    let names: Vec<_> = known.iter().map(ToString::to_string).collect();
    format!("up are {}", names.join(", "))
}
