//! What a switch has promised to keep: its options, its ports and its static stations.
//!
//! Theory of operation. Before a command that changes any of them is acknowledged, all of it is
//! on disk in the switch's directory ([`StateFile`]). A switch that is stopped removes it. One
//! that was killed leaves it there, and the next of its name has everything back. The same
//! description is what one process hands over to its successor in a planned restart.

mod file;
mod grants;
mod stations;
pub(crate) mod trial;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use vswitch_netns::quiet::{Before, Ingress};
use vswitch_switch::frame::{MacAddr, VlanId};

use super::lab::SavedKind;
use vswitch_control::names::LabName;
use vswitch_control::settings::{PortSettings, SwitchSettings};

pub(crate) use file::{StateError, StateFile, discard, is_kept, recall};
pub(crate) use grants::write_down;
pub(crate) use stations::Stations;

/// A switch as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// The switch's name.
    pub(crate) name: String,
    /// What it was started with, or was set to since.
    pub(crate) options: Options,
    /// Its ports, by their numbers.
    pub(crate) ports: Vec<SavedPort>,
    /// Its static stations.
    pub(crate) stations: Vec<SavedStation>,
}

/// What is decided of a switch as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// What is set.
    #[serde(flatten)]
    pub settings: SwitchSettings,
    /// The lab of `vswitch up` that the switch belongs to.
    #[serde(default)]
    pub lab: Option<String>,
}

impl Options {
    /// Takes over what is not decided.
    pub(crate) fn recall(&mut self, kept: &Self) {
        self.settings.recall(&kept.settings);
        self.lab = self.lab.take().or_else(|| kept.lab.clone());
    }

    /// The number of the group whose members may ask the switch.
    pub(crate) fn group(&self) -> Option<u32> {
        self.settings.group.map(|group| group.0)
    }

    /// The lab that the switch belongs to.
    pub(crate) fn lab(&self) -> Option<LabName> {
        self.lab.as_deref()?.parse().ok()
    }
}

/// A port as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedPort {
    /// Its number.
    pub(crate) id: u16,
    /// Its name.
    pub(crate) name: String,
    /// What its interface is called now.
    pub(crate) interface: String,
    /// The index of that; 0 where it is gone.
    pub(crate) ifindex: u32,
    /// What it is plugged into.
    pub(crate) kind: SavedKind,
    /// What is set for it alone.
    #[serde(default)]
    pub(crate) settings: PortSettings,
}

/// How an interface was before it became a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are settings of an interface"
)]
pub(crate) struct SavedFormer {
    /// Whether it was switched on.
    pub(crate) up: bool,
    /// Whether it had ARP.
    pub(crate) arp: bool,
    /// Its IPv6 addresses, which it has lost.
    pub(crate) ipv6_addresses: Vec<IpNet>,
    /// Whether IPv6 was on.
    pub(crate) ipv6_switched_off: bool,
    /// Whether it made itself a link-local address.
    pub(crate) link_local_forbidden: bool,
    /// What was put at its ingress.
    pub(crate) ingress: SavedIngress,
}

/// What was put at the ingress of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SavedIngress {
    /// Nothing.
    Open,
    /// A classifier, on a queueing discipline of somebody else's.
    FilterOnly,
    /// A classifier and what it hangs on.
    Own,
}

/// A static station as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedStation {
    /// Its VLAN, 0 for untagged.
    pub(crate) vlan: u16,
    /// Its address.
    pub(crate) mac: String,
    /// The name of the port it is bound to.
    pub(crate) port: String,
}

impl SavedStation {
    /// Its VLAN and address, if they are any.
    pub(crate) fn address(&self) -> Option<(VlanId, MacAddr)> {
        Some((VlanId::new(self.vlan)?, self.mac.parse().ok()?))
    }
}

impl SavedFormer {
    /// Of an interface that was `up` or not, and of which `before` was changed.
    pub(crate) fn new(up: bool, before: &Before) -> Self {
        Self {
            up,
            arp: before.arp,
            ipv6_addresses: before.ipv6_addresses.clone(),
            ipv6_switched_off: before.ipv6_switched_off,
            link_local_forbidden: before.link_local_forbidden,
            ingress: match before.ingress {
                Ingress::Open => SavedIngress::Open,
                Ingress::FilterOnly => SavedIngress::FilterOnly,
                Ingress::Own => SavedIngress::Own,
            },
        }
    }

    /// What was changed of it.
    pub(crate) fn before(&self) -> Before {
        Before {
            arp: self.arp,
            ipv6_addresses: self.ipv6_addresses.clone(),
            ipv6_switched_off: self.ipv6_switched_off,
            link_local_forbidden: self.link_local_forbidden,
            ingress: match self.ingress {
                SavedIngress::Open => Ingress::Open,
                SavedIngress::FilterOnly => Ingress::FilterOnly,
                SavedIngress::Own => Ingress::Own,
            },
        }
    }
}
