//! Capturing: its parameters and its result.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Which way a frame passes a port, as seen from the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DirectionView {
    /// Into the switch.
    In,
    /// Out of the switch.
    Out,
}

/// Which frames to capture. All conditions must hold; what is left out is no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureParams {
    /// Names of ports, or of the namespaces behind them; if none, all, and those to come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
    /// Only this direction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<DirectionView>,
    /// From or to one of these stations or groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub macs: Vec<String>,
    /// In this VLAN; 0 for untagged frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// Of this type, behind all tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ethertype: Option<u16>,
    /// With this IP protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<u8>,
    /// From, to or about one of these IP addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// The most bytes that are kept of a frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snaplen: Option<u32>,
    /// Whether frames that come in carry a comment on what the switch made of them.
    #[serde(default)]
    pub reasons: bool,
}

/// A capture that has begun: blocks of pcapng follow the reply on the same connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureStarted {
    /// `pcapng`.
    pub format: String,
    /// The names of the ports that are captured now.
    pub ports: Vec<String>,
}
