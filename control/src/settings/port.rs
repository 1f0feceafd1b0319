//! What can be set for one port.

use vswitch_switch::bridge::PortSettings as Bounds;

use super::schema::settings;
use super::value::Limit;

/// What holds where a limit of a port is not set.
const OF_SWITCH: &str = "the limit of the switch";

settings! {
    /// What can be set for one port: by `port set`, when it is plugged in, or by a lab file.
    struct PortSettings, null_sets_back: true;

    /// Limit the MAC addresses learnt on the port; `off` for no limit.
    max_macs: Limit {
        unit: "entries",
        former_key: Some("max_stations"),
        otherwise: OF_SWITCH,
        live: true,
    }
    /// Limit broadcasts accepted, in frames/s; `off` for no limit.
    broadcast_limit: Limit {
        unit: "frames/s",
        former_key: Some("broadcast"),
        otherwise: OF_SWITCH,
        live: true,
    }
    /// Limit multicasts accepted, in frames/s; `off` for no limit.
    multicast_limit: Limit {
        unit: "frames/s",
        former_key: Some("multicast"),
        otherwise: OF_SWITCH,
        live: true,
    }
    /// Limit frames to unknown MAC addresses accepted, in frames/s; `off` for no limit.
    unknown_limit: Limit {
        unit: "frames/s",
        former_key: Some("unknown_unicast"),
        otherwise: OF_SWITCH,
        live: true,
    }
}

impl PortSettings {
    /// The bounds that the switch enforces.
    pub fn bounds(&self) -> Bounds {
        Bounds {
            max_stations: self.max_macs.map(Limit::get),
            broadcast: self.broadcast_limit.map(Limit::get),
            multicast: self.multicast_limit.map(Limit::get),
            unknown_unicast: self.unknown_limit.map(Limit::get),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_state_of_the_first_version_is_read() {
        let former = json!({"max_stations": 9, "broadcast": null, "multicast": 0});
        let settings: PortSettings = serde_json::from_value(former).unwrap();
        let expected = Bounds {
            max_stations: Some(9),
            multicast: Some(0),
            ..Bounds::default()
        };
        assert_eq!(settings.bounds(), expected);
        let now = serde_json::to_value(&settings).unwrap();
        assert_eq!(now, json!({"max_macs": 9, "multicast_limit": 0}));
    }
}
