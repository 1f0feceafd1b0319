//! `vswitch attach` and `detach`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use ipnet::IpNet;
use vswitch_netns::name::{InterfaceName, NamespaceName};
use vswitch_switch::frame::MacAddr;

use super::settings::{self, SettingArgs};
use vswitch_control::names::SwitchName;
use vswitch_control::settings::PortSettings;
use vswitch_control::values;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  vswitch attach mario --ip 10.0.0.1/24 --ip fd00::1/64
  vswitch attach luigi --switch my_switch --mac 02:00:00:00:00:02 --mtu 9000
  vswitch attach router --switch left --interface left --port router-left
  vswitch attach --container web --ip 10.0.0.3/24
  vswitch attach web --pid 4711 --ip 10.0.0.3/24")]
#[command(group = ArgGroup::new("found").args(["pid", "path", "container"]))]
pub(crate) struct AttachArgs {
    /// The namespace; created if there is none of this name. With --pid, --netns or --container, what
    /// to call it here; the container's name if left out.
    #[arg(value_name = "NS", required_unless_present = "container")]
    pub(crate) namespace: Option<NamespaceName>,

    /// Attach the namespace of this process.
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) pid: Option<u32>,

    /// Attach the namespace at this path, as /proc/PID/ns/net.
    #[arg(long = "netns", value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,

    /// Attach the namespace of this container, which is running; its engine is asked for the process.
    #[arg(long, value_name = "NAME")]
    pub(crate) container: Option<NamespaceName>,

    /// The engine to ask, by its command: docker, podman, nerdctl, lxc-info, or a path to one. All
    /// that are in PATH are asked in this order if left out.
    #[arg(long, value_name = "COMMAND", requires = "container")]
    pub(crate) engine: Option<PathBuf>,

    /// Fail if the namespace does not exist, instead of creating it.
    #[arg(long)]
    pub(crate) no_create: bool,

    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,

    /// An address with its prefix length for the inside end; may be given several times. The
    /// next free one of the switch's subnet if left out.
    #[arg(long = "ip", value_name = "CIDR", value_parser = values::host_address)]
    pub(crate) addresses: Vec<IpNet>,

    /// The inside end's MAC address.
    #[arg(long, value_parser = values::station)]
    pub(crate) mac: Option<MacAddr>,

    /// The MTU of the inside end, in bytes; the end at the switch has room for VLAN tags besides.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(68..=65_535))]
    pub(crate) mtu: Option<u32>,

    /// The name of the inside end [default: NS-netns].
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Option<InterfaceName>,

    /// The name of the end at the switch, and of the port [default: NS-vsw]. With names of its
    /// own a namespace can be attached more than once, to one switch or to several.
    #[arg(long, value_name = "NAME")]
    pub(crate) port: Option<InterfaceName>,

    /// Print JSON for machines.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten, next_help_heading = settings::OF_PORT)]
    pub(crate) settings: SettingArgs<PortSettings>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vswitch detach mario")]
pub(crate) struct DetachArgs {
    /// The namespace.
    #[arg(value_name = "NS")]
    pub(crate) namespace: NamespaceName,

    /// The switch; may be left out when exactly one runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) switch: Option<SwitchName>,

    /// Only this port of it; all of them on the switch if left out.
    #[arg(long, value_name = "NAME")]
    pub(crate) port: Option<InterfaceName>,
}
