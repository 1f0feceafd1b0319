//! Connecting a namespace.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::methods::Address;
use crate::settings::{Change, PortSettings};

/// Which namespace to connect, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachParams {
    /// Its name.
    pub namespace: String,
    /// Addresses of the inside end, as `10.0.0.1/24`; if none, the subnet's next free one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// The MAC address of the inside end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// The MTU of both ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// What to call the end inside, instead of `NS-netns`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// What to call the end at the switch, which is the port's name, instead of `NS-vsw`. A
    /// namespace may have any number of ports by names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// What is set for the port from the start.
    #[serde(default, skip_serializing_if = "Change::is_empty")]
    pub settings: Change<PortSettings>,
    /// Whether to create the namespace if there is none; so if left out.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub create: bool,
    /// Whether to give the subnet's next free address if none is given; so if left out.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub give_address: bool,
    /// Whether it is the namespace whose descriptor comes along (`SCM_RIGHTS`, unix(7)), and not the
    /// one of that name under `/run/netns`.
    #[serde(default, skip_serializing_if = "is_no")]
    pub descriptor: bool,
    /// The process whose namespace the descriptor is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The path that it was opened by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// The container that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
}

/// What members of a switch's group are told who pass a descriptor.
pub const OWNER_ALONE_PASSES: &str = "only root and the user who runs the switch may attach a namespace by its \
     descriptor: members of its group attach those under /run/netns";

/// How a namespace was found that has not its name under `/run/netns`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceSource {
    /// The process whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The path that leads to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// The container that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
}

impl AttachParams {
    /// What is said of how the namespace was found.
    pub fn source(&self) -> NamespaceSource {
        NamespaceSource {
            pid: self.pid,
            path: self.path.clone(),
            container: self.container.clone(),
        }
    }
}

impl Default for AttachParams {
    fn default() -> Self {
        Self {
            namespace: String::new(),
            addresses: Vec::new(),
            mac: None,
            mtu: None,
            interface: None,
            port: None,
            settings: Change::default(),
            create: true,
            give_address: true,
            descriptor: false,
            pid: None,
            path: None,
            container: None,
        }
    }
}

const fn yes() -> bool {
    true
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_yes(value: &bool) -> bool {
    *value
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_no(value: &bool) -> bool {
    !*value
}

/// How a namespace was connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// The namespace.
    pub namespace: String,
    /// Whether it was created for this.
    pub created: bool,
    /// The port's name, which is the interface on the switch's side.
    pub port: String,
    /// The port's number.
    pub id: u16,
    /// The interface inside the namespace.
    pub peer: String,
    /// Its MAC address.
    pub mac: String,
    /// Its MTU in bytes.
    pub mtu: u64,
    /// Its addresses.
    pub addresses: Vec<Address>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_unknown_parameter_is_refused() {
        let typo = json!({"namespace": "mario", "adresses": []});
        assert!(serde_json::from_value::<AttachParams>(typo).is_err());
    }
}
