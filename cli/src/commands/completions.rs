//! `vswitch completions`: the script that makes a shell ask this program.

use crate::args::CompletionsArgs;
use crate::{completions, render};

pub(crate) fn run(args: &CompletionsArgs) -> anyhow::Result<()> {
    render::print(&completions::script(args.shell)?)?;
    Ok(())
}
