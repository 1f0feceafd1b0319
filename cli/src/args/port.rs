//! `vswitch port`.

use clap::{Args, Subcommand};
use vswitch_netns::name::InterfaceName;

use crate::names::SwitchName;

#[derive(Debug, Subcommand)]
pub(crate) enum PortAction {
    /// Plug an existing interface into a switch; the host no longer uses it for itself.
    Add(PortAddArgs),
    /// Unplug an interface and restore it.
    Del(PortDelArgs),
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
#[command(after_help = "Example:\n  vswitch port list --switch my_switch --json")]
pub(crate) struct PortListArgs {
    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,

    /// Print JSON for machines.
    #[arg(long)]
    pub(crate) json: bool,
}
