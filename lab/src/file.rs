//! What a lab file may hold, as plain data with the place of each value. The JSON schema for
//! editors is derived from these same structures: their comments are what an editor shows.

use std::net::IpAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;
use vswitch_netns::{InterfaceName, NamespaceName};
use vswitch_switch::frame::MacAddr;

use super::list::{List, Pairs};
use super::scalar::{CommandLine, SysctlKey, SysctlValue};
use super::section::With;
use super::source::PortSource;
use super::text::{At, Text};
use vswitch_control::names::{LabName, SwitchName};
use vswitch_control::settings::{PortSettings, SwitchSettings};

/// A lab: switches, hosts, and what connects them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "vswitch lab")]
#[allow(
    dead_code,
    reason = "sections are read one by one; this is what they are in"
)]
pub(crate) struct LabFile {
    /// About the lab itself.
    pub(crate) lab: LabSection,
    /// The switches, by name.
    pub(crate) switch: Pairs<Text<SwitchName>, With<SwitchSettings, SwitchSection>>,
    /// The hosts, by name; each is a network namespace.
    pub(crate) host: Pairs<Text<NamespaceName>, With<PortSettings, HostSection>>,
    /// Cables between switches.
    pub(crate) link: Vec<LinkSection>,
}

/// About the lab itself.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LabSection {
    /// The lab's name, by which 'vswitch down' and 'status' know it; the file's name without its
    /// ending if left out.
    pub(crate) name: Option<At<Text<LabName>>>,
}

/// A switch. Its settings stand beside these.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SwitchSection {
    /// Interfaces of the machine that become ports: existing ones by their names, and those that are
    /// made as KIND:NAME, such as tap:tap0.
    pub(crate) ports: Option<At<List<Text<PortSource>>>>,
    /// Take existing ones even if the machine's default route leads through one, and is lost (false).
    pub(crate) force_ports: bool,
}

/// A host: a network namespace of its own. The settings of its port stand beside these.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HostSection {
    /// The switch that it is plugged into; the only one if left out. For more than one, see 'interface'.
    pub(crate) switch: Option<At<Text<SwitchName>>>,
    /// Its addresses with prefix lengths, one or a list.
    pub(crate) ip: Option<At<List<Text<HostAddress>>>>,
    /// Its MAC address; one that is made of its name if left out.
    pub(crate) mac: Option<At<Text<Station>>>,
    /// Its MTU in bytes (1500).
    #[schemars(range(min = 68, max = 65_535))]
    pub(crate) mtu: Option<At<u32>>,
    /// Its interfaces, where it has more than one, as a router has.
    pub(crate) interface: Option<Vec<At<With<PortSettings, InterfaceSection>>>>,
    /// Where packets to everywhere else go: the address of a router, one for each of IPv4 and
    /// IPv6.
    pub(crate) gateway: Option<At<List<Text<IpAddr>>>>,
    /// Other routes: to which network, through which router.
    pub(crate) routes: Pairs<Text<Network>, At<Text<IpAddr>>>,
    /// Whether it is a router: passes on packets that are not for itself (false).
    pub(crate) forward: bool,
    /// Settings of its network stack, all of which begin with 'net.'.
    pub(crate) sysctl: Pairs<Text<SysctlKey>, At<SysctlValue>>,
    /// Commands that are run to their end when the host has been made: one line for the shell, or
    /// a list of words.
    pub(crate) setup: Vec<At<CommandLine>>,
    /// Commands that run as long as the lab: one line for the shell, or a list of words.
    pub(crate) commands: Vec<At<CommandLine>>,
    /// So many hosts of this kind, whose names are the name and a number: NAME1, NAME2, ...
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) count: Option<At<u32>>,
}

/// One of several interfaces of a host. The settings of its port stand beside these.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InterfaceSection {
    /// The switch that it is plugged into.
    pub(crate) switch: At<Text<SwitchName>>,
    /// What it is called inside the host; as the switch if left out.
    pub(crate) name: Option<At<Text<InterfaceName>>>,
    /// Its addresses with prefix lengths, one or a list.
    pub(crate) ip: Option<At<List<Text<HostAddress>>>>,
    /// Its MAC address; one that is made of its name if left out.
    pub(crate) mac: Option<At<Text<Station>>>,
    /// Its MTU in bytes (1500).
    #[schemars(range(min = 68, max = 65_535))]
    pub(crate) mtu: Option<At<u32>>,
}

/// A cable between two switches.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkSection {
    /// The two switches.
    #[schemars(length(equal = 2))]
    pub(crate) between: At<Vec<At<Text<SwitchName>>>>,
    /// Its MTU in bytes (1500).
    #[schemars(range(min = 68, max = 65_535))]
    pub(crate) mtu: Option<At<u32>>,
}

/// The address of a host with its prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostAddress(pub(crate) IpNet);

/// What a route leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network(pub(crate) IpNet);

/// The MAC address of one station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Station(pub(crate) MacAddr);
