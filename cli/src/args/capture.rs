//! `vswitch capture`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use vswitch_switch::frame::MacAddr;

use super::words;
use vswitch_control::names::SwitchName;
use vswitch_control::protocol::{CaptureParams, DirectionView};
use vswitch_control::values;

const EXAMPLES: &str = "\
Examples:
  vswitch capture                                  # a line for each frame, until Ctrl-C
  vswitch capture mario -w mario.pcapng            # to a file, for Wireshark
  vswitch capture -w - --snaplen 128               # into a pipe: ... | wireshark -k -i -
  vswitch capture --proto arp --direction in --count 10
  vswitch capture luigi-vsw --ip 10.0.0.1 --json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CaptureArgs {
    /// Ports, or the namespaces behind them [default: all, and those added later].
    #[arg(value_name = "PORT")]
    pub(crate) ports: Vec<String>,

    /// Write pcapng to this file, or to standard output for '-'.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) filter: FilterArgs,

    /// Capture at most N bytes of each frame.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(14..=262_144))]
    pub(crate) snaplen: Option<u32>,

    /// Exit after N frames.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// Exit after this number of seconds.
    #[arg(long, value_name = "SECS", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) time: Option<u64>,

    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,

    /// Print JSON for machines, one object per line and frame.
    #[arg(long, conflicts_with = "write")]
    pub(crate) json: bool,
}

/// Which frames are wanted.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct FilterArgs {
    /// Only frames that enter the switch, or only frames that leave it.
    #[arg(long, value_name = "WAY")]
    pub(crate) direction: Option<Way>,

    /// Only frames from or to this address; may be repeated.
    #[arg(long, value_name = "MAC")]
    pub(crate) mac: Vec<MacAddr>,

    /// Only frames of this VLAN; 0 for untagged frames.
    #[arg(long, value_name = "N", value_parser = words::vlan())]
    pub(crate) vlan: Option<u16>,

    /// Only this protocol: arp, ip, ip6, icmp, icmp6, igmp, tcp, udp, sctp, lldp, or an
    /// EtherType such as 0x88b5.
    #[arg(long, value_name = "NAME")]
    pub(crate) proto: Option<Proto>,

    /// Only packets from or to this IP address, and ARP about it; may be repeated.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip: Vec<IpAddr>,
}

/// Which way frames pass, as seen from the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// Into the switch.
    In,
    /// Out of the switch.
    Out,
}

/// A protocol, as a frame tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proto {
    /// The EtherType.
    pub(crate) ethertype: Option<u16>,
    /// The IP protocol.
    pub(crate) protocol: Option<u8>,
}

impl std::str::FromStr for Proto {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ethertype = |number| Self {
            ethertype: Some(number),
            protocol: None,
        };
        let protocol = |number| Self {
            ethertype: None,
            protocol: Some(number),
        };
        Ok(match text.to_ascii_lowercase().as_str() {
            "arp" => ethertype(0x0806),
            "ip" | "ip4" | "ipv4" => ethertype(0x0800),
            "ip6" | "ipv6" => ethertype(0x86dd),
            "lldp" => ethertype(0x88cc),
            "icmp" => protocol(1),
            "igmp" => protocol(2),
            "tcp" => protocol(6),
            "udp" => protocol(17),
            "icmp6" | "icmpv6" => protocol(58),
            "sctp" => protocol(132),
            other => ethertype(values::ethertype(other)?),
        })
    }
}

impl FilterArgs {
    /// What to ask the switch for.
    pub(crate) fn params(&self, ports: &[String]) -> CaptureParams {
        CaptureParams {
            ports: ports.to_vec(),
            direction: self.direction.map(|way| match way {
                Way::In => DirectionView::In,
                Way::Out => DirectionView::Out,
            }),
            macs: self.mac.iter().map(ToString::to_string).collect(),
            vlan: self.vlan,
            ethertype: self.proto.and_then(|proto| proto.ethertype),
            protocol: self.proto.and_then(|proto| proto.protocol),
            addresses: self.ip.clone(),
            snaplen: None,
            reasons: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_have_names_and_numbers() {
        let proto = |text: &str| text.parse::<Proto>();
        assert_eq!(proto("TCP").unwrap().protocol, Some(6));
        assert_eq!(proto("arp").unwrap().ethertype, Some(0x0806));
        assert_eq!(proto("0x88B5").unwrap().ethertype, Some(0x88b5));
        for text in ["", "tpc", "0x", "0x12345", "88b5"] {
            assert!(proto(text).is_err(), "{text}");
        }
    }
}
