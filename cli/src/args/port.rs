//! `vswitch port`.

use clap::{ArgGroup, Args, Subcommand};
use vswitch_netns::name::InterfaceName;

use super::settings::{self, ChangeArgs, SettingArgs};
use vswitch_control::names::SwitchName;
use vswitch_control::settings::PortSettings;

#[derive(Debug, Subcommand)]
pub(crate) enum PortAction {
    /// Plug an existing interface into a switch; the host no longer uses it for itself.
    Add(PortAddArgs),
    /// Unplug an interface and restore it.
    Del(PortDelArgs),
    /// Set what a port may do to the others, or let it forward again that was blocked.
    Set(PortSetArgs),
    /// List the ports of a switch.
    List(PortListArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch port add eth1 --switch my_switch")]
pub(crate) struct PortAddArgs {
    /// The interface.
    #[arg(value_name = "IFACE")]
    pub(crate) interface: InterfaceName,

    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,

    /// Plug it in even if the machine's default route leads through it, and is lost.
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten, next_help_heading = settings::OF_PORT)]
    pub(crate) settings: SettingArgs<PortSettings>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch port del eth1 --switch my_switch")]
pub(crate) struct PortDelArgs {
    /// The interface, by the name it was plugged in with.
    #[arg(value_name = "IFACE")]
    pub(crate) interface: InterfaceName,

    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  vswitch port set eth1 --broadcast-limit 1000 --max-macs 8
  vswitch port set eth1 --unknown-limit off --broadcast-limit default")]
#[command(group = ArgGroup::new(settings::GROUP).required(true).multiple(true))]
pub(crate) struct PortSetArgs {
    /// The port, by its name or that of the namespace behind it.
    #[arg(value_name = "PORT")]
    pub(crate) port: String,

    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,

    #[command(flatten)]
    pub(crate) change: ChangeArgs<PortSettings>,

    /// Let it forward again at once if it is blocked because it was part of a loop.
    #[arg(long, group = settings::GROUP)]
    pub(crate) unblock: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch port list --switch my_switch --json")]
pub(crate) struct PortListArgs {
    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,

    /// Print JSON for machines.
    #[arg(long)]
    pub(crate) json: bool,
}
