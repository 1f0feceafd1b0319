//! What one port may do to the others, as it is set and told.

#![allow(
    clippy::option_option,
    reason = "what is not given is not the same as null"
)]

use serde::{Deserialize, Deserializer, Serialize};

/// Settings of a whole switch; those that are left out stay. Zero is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Protection {
    /// Broadcast frames a second that each port lets in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) broadcast_limit: Option<u32>,
    /// Frames a second to groups that each port lets in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) multicast_limit: Option<u32>,
    /// Frames a second to unknown stations that each port lets in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unknown_limit: Option<u32>,
    /// The most stations that are learnt behind each port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) port_max_macs: Option<u32>,
    /// How often a station may move in a second before its entry stays where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) move_limit: Option<u8>,
    /// Whether a port that is part of a loop is blocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) loop_guard: Option<bool>,
}

/// Settings of one port. Those that are left out stay; null is as the switch has it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PortSetParams {
    /// The port's name.
    pub(crate) name: String,
    /// The most stations that are learnt behind it.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) max_macs: Option<Option<u32>>,
    /// Broadcast frames a second that it lets in.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) broadcast_limit: Option<Option<u32>>,
    /// Frames a second to groups that it lets in.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) multicast_limit: Option<Option<u32>>,
    /// Frames a second to unknown stations that it lets in.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) unknown_limit: Option<Option<u32>>,
    /// Whether to let it forward again at once if it is blocked.
    #[serde(default)]
    pub(crate) unblock: bool,
}

/// What is given, be it null.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The limits that hold for a port. Zero is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LimitsView {
    /// The most stations that are learnt behind it.
    pub(crate) max_macs: u32,
    /// Broadcast frames a second that it lets in.
    pub(crate) broadcast: u32,
    /// Frames a second to groups that it lets in.
    pub(crate) multicast: u32,
    /// Frames a second to unknown stations that it lets in.
    pub(crate) unknown: u32,
}

/// Why a port is blocked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BlockedView {
    /// The port that it is joined with outside; itself, where what is sent out of it comes back by
    /// it.
    pub(crate) loop_with: String,
    /// For how many seconds more, unless there is another sign of the loop.
    pub(crate) for_s: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn null_is_not_the_same_as_nothing() {
        let parse = |value| serde_json::from_value::<PortSetParams>(value).unwrap();
        let params = parse(json!({"name": "a", "broadcast_limit": null, "max_macs": 5}));
        assert_eq!(params.broadcast_limit, Some(None));
        assert_eq!(params.max_macs, Some(Some(5)));
        assert_eq!(params.unknown_limit, None);
        let again = parse(serde_json::to_value(&params).unwrap());
        assert_eq!(again.broadcast_limit, Some(None));
        assert_eq!(again.unknown_limit, None);
    }
}
