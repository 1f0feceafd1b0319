//! Limits that protect other ports from a port, for the whole switch and for one port.

/// The limits of a port. Zero means unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct PortLimits {
    /// The most stations learnt on it; a further one evicts the one silent longest. Static entries
    /// are not counted.
    pub max_stations: u32,
    /// Broadcast frames accepted per second.
    pub broadcast: u32,
    /// Multicast frames accepted per second.
    pub multicast: u32,
    /// Frames to unknown stations accepted per second, which are flooded.
    pub unknown_unicast: u32,
}

impl Default for PortLimits {
    /// No limit on stations; 20,000 broadcasts and 200,000 other flooded frames per second. Hosts
    /// broadcast a few frames per second, scanners some thousands, a loop as many as the machine
    /// can copy.
    fn default() -> Self {
        Self {
            max_stations: 0,
            broadcast: 20_000,
            multicast: 200_000,
            unknown_unicast: 200_000,
        }
    }
}

impl PortLimits {
    /// No limits.
    pub const NONE: Self = Self {
        max_stations: 0,
        broadcast: 0,
        multicast: 0,
        unknown_unicast: 0,
    };
}

/// Settings of one port; where a setting is `None`, the switch's own [`PortLimits`] apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct PortSettings {
    /// See [`PortLimits::max_stations`].
    pub max_stations: Option<u32>,
    /// See [`PortLimits::broadcast`].
    pub broadcast: Option<u32>,
    /// See [`PortLimits::multicast`].
    pub multicast: Option<u32>,
    /// See [`PortLimits::unknown_unicast`].
    pub unknown_unicast: Option<u32>,
}

impl PortSettings {
    /// Returns the limits that result from these settings on top of `general`.
    #[must_use]
    pub fn over(self, general: PortLimits) -> PortLimits {
        PortLimits {
            max_stations: self.max_stations.unwrap_or(general.max_stations),
            broadcast: self.broadcast.unwrap_or(general.broadcast),
            multicast: self.multicast.unwrap_or(general.multicast),
            unknown_unicast: self.unknown_unicast.unwrap_or(general.unknown_unicast),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_a_port_override_those_of_the_switch() {
        let general = PortLimits::default();
        assert_eq!(PortSettings::default().over(general), general);
        let settings = PortSettings {
            broadcast: Some(0),
            max_stations: Some(5),
            ..PortSettings::default()
        };
        let limits = settings.over(general);
        assert_eq!((limits.broadcast, limits.max_stations), (0, 5));
        assert_eq!(limits.multicast, general.multicast);
    }
}
