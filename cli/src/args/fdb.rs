//! `vswitch fdb`.

use clap::{Args, Subcommand};
use vswitch_switch::frame::MacAddr;

use super::words;
use vswitch_control::names::SwitchName;
use vswitch_control::values;

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Example:\n  vswitch fdb --switch my_switch"
)]
pub(crate) struct FdbArgs {
    #[command(subcommand)]
    pub(crate) action: Option<FdbAction>,

    #[command(flatten)]
    pub(crate) show: FdbShowArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FdbAction {
    /// Show the MAC table; the same as `vswitch fdb` alone.
    Show(FdbShowArgs),
    /// Add a static entry, which neither ages nor moves.
    Add(FdbAddArgs),
    /// Remove an entry, static or learnt.
    Del(FdbDelArgs),
    /// Remove all learnt entries, or those of one port.
    Flush(FdbFlushArgs),
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  vswitch fdb show --json")]
pub(crate) struct FdbShowArgs {
    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,

    /// Print JSON for machines.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch fdb add 02:00:00:00:00:01 mario-vsw")]
pub(crate) struct FdbAddArgs {
    /// The MAC address.
    #[arg(value_parser = values::station)]
    pub(crate) mac: MacAddr,

    /// The port, by its name or by the namespace behind it.
    pub(crate) port: String,

    /// The VLAN of the entry; 0 for untagged frames. Needs a switch with `--vlan-learning
    /// independent`; otherwise an entry holds for all VLANs.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = words::vlan())]
    pub(crate) vlan: u16,

    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch fdb del 02:00:00:00:00:01")]
pub(crate) struct FdbDelArgs {
    /// The MAC address.
    #[arg(value_parser = values::station)]
    pub(crate) mac: MacAddr,

    /// Only in this VLAN; 0 for untagged frames [default: all].
    #[arg(long, value_name = "N", value_parser = words::vlan())]
    pub(crate) vlan: Option<u16>,

    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch fdb flush --port mario-vsw")]
pub(crate) struct FdbFlushArgs {
    /// Only entries of this port, by its name or by the namespace behind it.
    #[arg(long)]
    pub(crate) port: Option<String>,

    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,
}

#[cfg(test)]
mod tests {
    use crate::args::Cli;
    use clap::Parser;

    #[test]
    fn the_table_is_shown_with_and_without_the_word() {
        for words in [
            "vswitch fdb --json",
            "vswitch fdb show --json",
            "vswitch fdb",
        ] {
            assert!(Cli::try_parse_from(words.split(' ')).is_ok(), "{words}");
        }
    }

    #[test]
    fn what_no_station_can_be_is_wrong_usage() {
        for words in [
            "vswitch fdb add ff:ff:ff:ff:ff:ff p",
            "vswitch fdb add 00:00:00:00:00:00 p",
            "vswitch fdb add 02:00:00:00:00:01 p --vlan 4096",
            "vswitch fdb add 02:00:00:00:00:01",
            "vswitch fdb del nonsense",
        ] {
            assert!(Cli::try_parse_from(words.split(' ')).is_err(), "{words}");
        }
    }
}
