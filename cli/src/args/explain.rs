//! `vswitch explain`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use vswitch_switch::frame::MacAddr;

use super::words;
use vswitch_control::names::SwitchName;
use vswitch_control::values;

const EXAMPLES: &str = "\
Examples:
  vswitch explain --port mario --src 02:00:00:00:00:01 --dst 02:00:00:00:00:02
  vswitch explain --port mario --src 02:00:00:00:00:01 --dst ff:ff:ff:ff:ff:ff --vlan 100
  vswitch explain --port mario --hex ffffffffffff0200000000010806
  vswitch explain --port mario --pcap mario.pcapng --packet 3
  vswitch explain --live mario              # frames as they come in, until Ctrl-C";

/// The longest frame: an offloaded super-frame with its headers.
const LONGEST: i64 = 66_560;

#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    group = ArgGroup::new("what").required(true).args(["src", "hex", "pcap", "live"])
)]
pub(crate) struct ExplainArgs {
    /// The ingress port of the frame, or the namespace behind it.
    #[arg(long, value_name = "PORT", conflicts_with = "live")]
    pub(crate) port: Option<String>,

    /// The frame's source MAC address.
    #[arg(long, value_name = "MAC", requires_all = ["dst", "port"])]
    pub(crate) src: Option<MacAddr>,

    /// The frame's destination MAC address.
    #[arg(long, value_name = "MAC", requires = "src")]
    pub(crate) dst: Option<MacAddr>,

    /// The frame's VLAN; 0 for an untagged frame.
    #[arg(long, value_name = "N", requires = "src", value_parser = words::vlan())]
    pub(crate) vlan: Option<u16>,

    /// The frame's EtherType [default: 0x0800, IPv4].
    #[arg(long, value_name = "TYPE", requires = "src", value_parser = values::ethertype)]
    pub(crate) ethertype: Option<u16>,

    /// The frame's length in bytes, including its header [default: 60].
    #[arg(long, value_name = "BYTES", requires = "src")]
    #[arg(value_parser = clap::value_parser!(u32).range(18..=LONGEST))]
    pub(crate) length: Option<u32>,

    /// The whole frame in hexadecimal, beginning with the destination address.
    #[arg(long, value_name = "BYTES", requires = "port")]
    pub(crate) hex: Option<String>,

    /// Read the frame from this pcap or pcapng file; without --port, the file names the port.
    #[arg(long, value_name = "FILE")]
    pub(crate) pcap: Option<PathBuf>,

    /// Number of the frame in the file, counted from 1 as in Wireshark.
    #[arg(long, value_name = "N", requires = "pcap", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) packet: u64,

    /// Explain frames as they arrive, at these ports or from these namespaces [default: all].
    #[arg(long)]
    pub(crate) live: bool,

    /// Ports, or the namespaces behind them, with --live.
    #[arg(value_name = "PORT", conflicts_with_all = ["src", "hex", "pcap"])]
    pub(crate) ports: Vec<String>,

    /// Exit after N frames, with --live.
    #[arg(long, short, value_name = "N", conflicts_with_all = ["src", "hex", "pcap"])]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,

    /// Print JSON for machines.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use crate::args::Cli;
    use clap::Parser;

    #[test]
    fn a_frame_is_given_in_one_way() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' ')).map(drop);
        let addresses = "--src 02:00:00:00:00:01 --dst 02:00:00:00:00:02";
        for line in [
            format!("--port a {addresses} --vlan 5 --ethertype 0x0806 --length 1514"),
            "--port a --hex 00".to_owned(),
            "--pcap f".to_owned(),
            "--pcap f --packet 7 --port a".to_owned(),
            "--live".to_owned(),
            "--live a b --json --count 3".to_owned(),
        ] {
            assert!(parse(&format!("vswitch explain {line}")).is_ok(), "{line}");
        }
        for line in [
            "--port a".to_owned(),
            addresses.to_owned(),
            "--port a --src 02:00:00:00:00:01".to_owned(),
            format!("--port a {addresses} --hex 00"),
            "--hex 00".to_owned(),
            "--port a --live".to_owned(),
            "--packet 2".to_owned(),
            "--port a --hex 00 b".to_owned(),
            "--port a --hex 00 --vlan 1".to_owned(),
        ] {
            assert!(parse(&format!("vswitch explain {line}")).is_err(), "{line}");
        }
    }
}
