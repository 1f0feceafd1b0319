//! What one port may do to the others: plain numbers, for the whole switch and for one port.

/// The bounds of a port. Zero is no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct PortLimits {
    /// The most stations learnt behind it; one more takes the place of the longest silent of
    /// them. Static entries are not counted.
    pub max_stations: u32,
    /// Broadcast frames a second that are let in.
    pub broadcast: u32,
    /// Frames a second to groups other than broadcast.
    pub multicast: u32,
    /// Frames a second to single stations that are not known, which everybody gets.
    pub unknown_unicast: u32,
}

impl Default for PortLimits {
    /// No bound of its own on stations; 20,000 broadcasts, 200,000 other frames to many. Hosts
    /// broadcast a few frames a second, scanners some thousands, a loop as many as the machine
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
    /// No bounds at all.
    pub const NONE: Self = Self {
        max_stations: 0,
        broadcast: 0,
        multicast: 0,
        unknown_unicast: 0,
    };
}

/// What was set for one port alone; where nothing was, the switch's own [`PortLimits`] hold.
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
    /// The bounds that hold where these are set and `general` ones.
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
    fn what_is_set_for_a_port_goes_before_what_holds_for_all() {
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
