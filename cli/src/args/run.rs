//! `vswitch run`.

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use vswitch_switch::BridgeConfig;
use vswitch_switch::bridge::VlanLearning;
use vswitch_switch::port::{PacketOptions, ReceivePath};

use super::protection::ProtectionArgs;
use crate::daemon::GuardMode;
use crate::metrics;
use crate::names::{LabName, SwitchName};
use crate::values;

/// The greatest table that the switch has memory for.
const MAX_STATIONS: i64 = BridgeConfig::MAX_STATIONS_LIMIT.cast_signed() as i64;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  vswitch run my_switch                         # in the foreground, until Ctrl-C
  vswitch run lab --detach --subnet 10.0.0.0/24 # in the background, addresses given out")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are flags of a command line"
)]
pub(crate) struct RunArgs {
    /// The switch's name.
    pub(crate) name: SwitchName,

    /// Run in the background: return once the switch is ready, log to a file that `show` names.
    #[arg(long)]
    pub(crate) detach: bool,

    /// Forget a station that was silent for so long. [default: 300]
    #[arg(long, value_name = "SECS",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) ageing: Option<u32>,

    /// Remember at most so many stations. [default: 65536]
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=MAX_STATIONS))]
    pub(crate) max_macs: Option<u32>,

    /// Forward frames to 01-80-C2-00-00-00 to -0F, for labs that test STP, LACP or LLDP.
    #[arg(long, value_name = "YES", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", hide_possible_values = true)]
    pub(crate) forward_reserved: Option<bool>,

    /// Learn stations for all VLANs together, or in each VLAN by itself: `shared` or
    /// `independent`. [default: shared]
    #[arg(long, value_name = "WAY", value_parser = values::vlan_learning())]
    pub(crate) vlan_learning: Option<VlanLearning>,

    /// Give each attached namespace the next free address of this subnet, IPv4 or IPv6.
    #[arg(long, value_name = "CIDR", value_parser = values::subnet)]
    pub(crate) subnet: Option<IpNet>,

    #[command(flatten)]
    pub(crate) protection: ProtectionArgs,

    /// How frames come from the kernel: `ring` is fastest, `auto` takes `socket` where the kernel
    /// gives no ring. `show` tells which it is, port by port. [default: auto]
    #[arg(long, value_name = "WAY", env = "VSWITCH_RECEIVE")]
    pub(crate) receive: Option<ReceiveArg>,

    /// Set how many received frames can wait at each port, of whatever size; the kernel holds up to
    /// 2 KiB for each of them. [default: 2048 for 16 ports, 1024 for the next 16, then 256]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32)
          .range(i64::from(*PacketOptions::RING_SLOTS.start())
              ..=i64::from(*PacketOptions::RING_SLOTS.end())))]
    pub(crate) ring_slots: Option<u32>,

    /// Begin anew where a switch of this name was killed, instead of having everything back: its
    /// ports, static stations and options.
    #[arg(long)]
    pub(crate) fresh: bool,

    /// Serve metrics for Prometheus at this loopback address, as in 127.0.0.1:9464 (port 0: any
    /// that is free), or at a Unix socket, as in `unix:/PATH`. `show` tells where.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics: Option<metrics::Address>,

    /// Let the members of this group ask the switch too, by its name or number. That is everything
    /// about the switch: also to plug in interfaces of the machine.
    #[arg(long, value_name = "GROUP", value_parser = values::group)]
    pub(crate) group: Option<u32>,

    /// Give up the rights, system calls and paths that the switch does not need: as far as the kernel
    /// allows (`auto`), all of them or refuse to start (`required`), or none (`off`), to find out
    /// whether the guard stands in the way of something. [default: auto]
    #[arg(long, value_name = "MODE")]
    pub(crate) guard: Option<GuardArg>,

    /// The same as `--guard off`.
    #[arg(long, conflicts_with = "guard")]
    pub(crate) no_guard: bool,

    /// The socket for metrics was bound by the parent and is standard input.
    #[arg(long, hide = true, requires = "detached", conflicts_with = "metrics")]
    pub(crate) metrics_from_stdin: bool,
    /// The lab of `vswitch up` that the switch belongs to.
    #[arg(long, hide = true, value_name = "NAME")]
    pub(crate) lab: Option<LabName>,

    /// Go on in the place of a running switch, which speaks on standard input.
    #[arg(long, hide = true, conflicts_with_all = ["detach", "detached"])]
    pub(crate) successor: bool,

    /// Tell the parent on standard output when the switch is ready, and then log to a file.
    #[arg(long, hide = true, conflicts_with = "detach")]
    pub(crate) detached: bool,
}

impl RunArgs {
    /// How much the switch is to insist on giving up, if that is said.
    pub(crate) fn guard_mode(&self) -> Option<GuardMode> {
        match self.guard {
            None => self.no_guard.then_some(GuardMode::Off),
            Some(GuardArg::Auto) => Some(GuardMode::Auto),
            Some(GuardArg::Required) => Some(GuardMode::Required),
            Some(GuardArg::Off) => Some(GuardMode::Off),
        }
    }
}

/// Whether a switch gives up what it does not need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GuardArg {
    /// What the kernel allows; the rest is a warning
    Auto,
    /// Everything, or the switch does not start
    Required,
    /// Nothing
    Off,
}

/// How frames come from the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReceiveArg {
    /// The fastest way that the kernel gives
    Auto,
    /// A ring of memory that the kernel fills; without it, no port can be opened
    Ring,
    /// The socket's queue, read by recvmmsg
    Socket,
}

impl ReceiveArg {
    /// As on the command line.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Ring => "ring",
            Self::Socket => "socket",
        }
    }
}

impl From<ReceivePath> for ReceiveArg {
    fn from(path: ReceivePath) -> Self {
        match path {
            ReceivePath::Ring => Self::Ring,
            ReceivePath::Socket => Self::Socket,
            ReceivePath::Auto => Self::Auto,
        }
    }
}

impl From<ReceiveArg> for ReceivePath {
    fn from(path: ReceiveArg) -> Self {
        match path {
            ReceiveArg::Auto => Self::Auto,
            ReceiveArg::Ring => Self::Ring,
            ReceiveArg::Socket => Self::Socket,
        }
    }
}
