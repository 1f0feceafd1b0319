//! `vswitch events`.

use clap::Args;

use crate::names::SwitchName;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  vswitch events                            # until Ctrl-C, or until the switch is stopped
  vswitch events --switch my_switch --json  # one JSON object per line

With a port that goes down or is removed, the stations learnt behind it are forgotten without an
event for each. Exit status: 0 at Ctrl-C and when the switch was stopped, 1 where it was killed.")]
pub(crate) struct EventsArgs {
    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,

    /// Print JSON for machines, one object per line.
    #[arg(long)]
    pub(crate) json: bool,
}
