//! `vswitch run`.

use clap::Args;
use ipnet::IpNet;
use vswitch_switch::BridgeConfig;

use crate::names::SwitchName;
use crate::values;

/// The greatest table that the switch has memory for.
const MAX_STATIONS: i64 = BridgeConfig::MAX_STATIONS_LIMIT.cast_signed() as i64;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  vswitch run my_switch                         # in the foreground, until Ctrl-C
  vswitch run lab --detach --subnet 10.0.0.0/24 # in the background, addresses given out")]
pub(crate) struct RunArgs {
    /// The switch's name.
    pub(crate) name: SwitchName,

    /// Run in the background: return once the switch is ready, log to a file that `show` names.
    #[arg(long)]
    pub(crate) detach: bool,

    /// Forget a station that was silent for so long.
    #[arg(long, value_name = "SECS", default_value_t = 300,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) ageing: u32,

    /// Remember at most so many stations.
    #[arg(long, value_name = "N", default_value_t = 65_536,
          value_parser = clap::value_parser!(u32).range(1..=MAX_STATIONS))]
    pub(crate) max_macs: u32,

    /// Forward frames to 01-80-C2-00-00-00 to -0F, for labs that test STP, LACP or LLDP.
    #[arg(long)]
    pub(crate) forward_reserved: bool,

    /// Give each attached namespace the next free address of this subnet, IPv4 or IPv6.
    #[arg(long, value_name = "CIDR", value_parser = values::subnet)]
    pub(crate) subnet: Option<IpNet>,

    /// Tell the parent on standard output when the switch is ready, and then log to a file.
    #[arg(long, hide = true, conflicts_with = "detach")]
    pub(crate) detached: bool,
}
