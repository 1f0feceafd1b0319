//! What one port may do to the others, as it is set and told.

use serde::{Deserialize, Serialize};
use vswitch_switch::bridge::PortLimits;

use crate::settings::{Change, PortSettings};

/// Settings of one port. Those that are left out stay; null is as the switch has it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PortSetParams {
    /// The port's name.
    pub name: String,
    /// What is set, and what is set back. Whatever is no setting is refused.
    #[serde(flatten)]
    pub change: Change<PortSettings>,
    /// Whether to let it forward again at once if it is blocked.
    #[serde(default)]
    pub unblock: bool,
}

/// The limits that hold for a port. Zero is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsView {
    /// The most stations that are learnt behind it.
    pub max_macs: u32,
    /// Broadcast frames a second that it lets in.
    pub broadcast: u32,
    /// Frames a second to groups that it lets in.
    pub multicast: u32,
    /// Frames a second to unknown stations that it lets in.
    pub unknown: u32,
}

/// Why a port is blocked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedView {
    /// The port that it is joined with outside; itself, where what is sent out of it comes back by
    /// it.
    pub loop_with: String,
    /// For how many seconds more, unless there is another sign of the loop.
    pub for_s: u64,
}

impl From<PortLimits> for LimitsView {
    fn from(limits: PortLimits) -> Self {
        Self {
            max_macs: limits.max_stations,
            broadcast: limits.broadcast,
            multicast: limits.multicast,
            unknown: limits.unknown_unicast,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parse(value: Value) -> Result<PortSetParams, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_stand_beside_the_name() {
        let params = parse(json!({"name": "a", "broadcast_limit": null, "max_macs": 5})).unwrap();
        assert_eq!(params.change.back, ["broadcast_limit"]);
        let again = serde_json::to_value(&params).unwrap();
        let expected =
            json!({"name": "a", "broadcast_limit": null, "max_macs": 5, "unblock": false});
        assert_eq!(again, expected);
        for (wrong, told) in [
            (
                json!({"name": "a", "max_mac": 5}),
                "unknown field `max_mac`",
            ),
            (json!({"name": "a", "max_macs": -5}), "whole number"),
            (json!({"max_macs": 5}), "missing field `name`"),
        ] {
            let error = parse(wrong).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
