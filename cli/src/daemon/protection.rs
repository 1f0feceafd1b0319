//! Settings of protection, between the protocol and the switch.

use vswitch_switch::BridgeConfig;
use vswitch_switch::bridge::{PortLimits, PortSettings};

use crate::protocol::{LimitsView, PortSetParams, Protection};

impl Protection {
    /// That of a switch.
    pub(crate) const fn of(config: &BridgeConfig) -> Self {
        Self {
            broadcast_limit: Some(config.port_limits.broadcast),
            multicast_limit: Some(config.port_limits.multicast),
            unknown_limit: Some(config.port_limits.unknown_unicast),
            port_max_macs: Some(config.port_limits.max_stations),
            move_limit: Some(config.damping.moves),
            loop_guard: Some(config.loop_guard.enabled),
        }
    }

    /// Changes `config` where something is given.
    pub(crate) fn apply(self, config: &mut BridgeConfig) {
        let limits = &mut config.port_limits;
        limits.broadcast = self.broadcast_limit.unwrap_or(limits.broadcast);
        limits.multicast = self.multicast_limit.unwrap_or(limits.multicast);
        limits.unknown_unicast = self.unknown_limit.unwrap_or(limits.unknown_unicast);
        limits.max_stations = self.port_max_macs.unwrap_or(limits.max_stations);
        config.damping.moves = self.move_limit.unwrap_or(config.damping.moves);
        config.loop_guard.enabled = self.loop_guard.unwrap_or(config.loop_guard.enabled);
    }

    /// With what `other` gives where nothing is given here.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            broadcast_limit: self.broadcast_limit.or(other.broadcast_limit),
            multicast_limit: self.multicast_limit.or(other.multicast_limit),
            unknown_limit: self.unknown_limit.or(other.unknown_limit),
            port_max_macs: self.port_max_macs.or(other.port_max_macs),
            move_limit: self.move_limit.or(other.move_limit),
            loop_guard: self.loop_guard.or(other.loop_guard),
        }
    }
}

impl PortSetParams {
    /// `settings` with what is changed of them.
    pub(crate) fn changed(&self, settings: PortSettings) -> PortSettings {
        PortSettings {
            max_stations: self.max_macs.unwrap_or(settings.max_stations),
            broadcast: self.broadcast_limit.unwrap_or(settings.broadcast),
            multicast: self.multicast_limit.unwrap_or(settings.multicast),
            unknown_unicast: self.unknown_limit.unwrap_or(settings.unknown_unicast),
        }
    }
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

/// What is set for one port alone, for the log.
pub(super) fn in_words(settings: PortSettings) -> String {
    let all = [
        ("stations", settings.max_stations),
        ("broadcast frames a second", settings.broadcast),
        ("multicast frames a second", settings.multicast),
        ("unknown frames a second", settings.unknown_unicast),
    ];
    let own: Vec<_> = all
        .iter()
        .filter_map(|(what, bound)| {
            Some(match (*bound)? {
                0 => format!("any number of {what}"),
                bound => format!("{bound} {what}"),
            })
        })
        .collect();
    match own.as_slice() {
        [] => "what holds for all ports".to_owned(),
        own => own.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_given_changes() {
        let mut config = BridgeConfig::default();
        Protection::default().apply(&mut config);
        assert_eq!(config, BridgeConfig::default());
        let given = Protection {
            broadcast_limit: Some(0),
            loop_guard: Some(false),
            ..Protection::default()
        };
        given.apply(&mut config);
        assert_eq!(config.port_limits.broadcast, 0);
        assert!(!config.loop_guard.enabled);
        let all = Protection::of(&config);
        assert_eq!(given.or(Protection::of(&BridgeConfig::default())), all);
        let settings = PortSettings {
            broadcast: Some(1),
            multicast: Some(2),
            ..PortSettings::default()
        };
        let params = PortSetParams {
            broadcast_limit: Some(None),
            max_macs: Some(Some(9)),
            ..PortSetParams::default()
        };
        let expected = PortSettings {
            max_stations: Some(9),
            multicast: Some(2),
            ..PortSettings::default()
        };
        assert_eq!(params.changed(settings), expected);
    }
}
