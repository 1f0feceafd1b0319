//! `vswitch events`.

use clap::Args;

use vswitch_control::names::SwitchName;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  vswitch events                            # until Ctrl-C, or until the switch is stopped
  vswitch events --switch my_switch --json  # one JSON object per line

When a port goes down or is removed, its learnt MAC addresses are removed without an event for each.
Exit status: 0 at Ctrl-C and when the switch is stopped, 1 when it is killed.")]
pub(crate) struct EventsArgs {
    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,

    /// Print JSON for machines, one object per line.
    #[arg(long)]
    pub(crate) json: bool,
}
