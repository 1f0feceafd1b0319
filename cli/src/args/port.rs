//! `vswitch port`.

use clap::{ArgGroup, Args, Subcommand};
use vswitch_netns::name::InterfaceName;

use super::protection::{OwnLimit, own_limit};
use crate::names::SwitchName;

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
#[command(group = ArgGroup::new("setting").required(true).multiple(true).args([
    "max_macs", "broadcast_limit", "multicast_limit", "unknown_limit", "unblock",
]))]
pub(crate) struct PortSetArgs {
    /// The port, by its name or that of the namespace behind it.
    #[arg(value_name = "PORT")]
    pub(crate) port: String,

    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,

    /// Learn so many stations at most behind it; `off` for as many as there is room for, `default`
    /// for what the switch has.
    #[arg(long, value_name = "N", value_parser = own_limit)]
    pub(crate) max_macs: Option<OwnLimit>,

    /// Let in so many broadcast frames a second.
    #[arg(long, value_name = "N", value_parser = own_limit)]
    pub(crate) broadcast_limit: Option<OwnLimit>,

    /// Let in so many frames a second to groups.
    #[arg(long, value_name = "N", value_parser = own_limit)]
    pub(crate) multicast_limit: Option<OwnLimit>,

    /// Let in so many frames a second to unknown stations.
    #[arg(long, value_name = "N", value_parser = own_limit)]
    pub(crate) unknown_limit: Option<OwnLimit>,

    /// Let it forward again at once if it is blocked because it was part of a loop.
    #[arg(long)]
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
