//! `vswitch list`, `show`, `stop` and `restart`.

use clap::Args;

use vswitch_control::names::SwitchName;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch list --json")]
pub(crate) struct ListArgs {
    /// Print JSON for machines.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch show my_switch")]
pub(crate) struct ShowArgs {
    /// The switch; may be left out when exactly one runs.
    pub(crate) name: Option<SwitchName>,

    /// Print JSON for machines.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch stop my_switch")]
pub(crate) struct StopArgs {
    /// The switch.
    pub(crate) name: SwitchName,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  vswitch restart my_switch        # the program that is installed now goes on with everything
  vswitch restart my_switch --json # tells the process ids, and how long frames waited")]
pub(crate) struct RestartArgs {
    /// The switch; may be left out when exactly one runs.
    pub(crate) name: Option<SwitchName>,

    /// Print JSON for machines.
    #[arg(long)]
    pub(crate) json: bool,
}
