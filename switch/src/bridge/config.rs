//! The configuration of a bridge.

use std::time::Duration;

use super::damping::Damping;
use super::learning::VlanLearning;
use super::limits::PortLimits;
use super::loops::LoopGuard;

/// The configuration of a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct BridgeConfig {
    /// MAC ageing time. Zero disables learning, so that every frame is flooded.
    pub ageing: Duration,
    /// The most entries in the table, static ones included. Values above
    /// [`BridgeConfig::MAX_STATIONS_LIMIT`] are reduced to it.
    pub max_stations: usize,
    /// Whether frames to the reserved addresses `01-80-C2-00-00-00` to `-0F` are flooded
    /// instead of dropped.
    pub forward_reserved: bool,
    /// Which VLANs share learnt entries.
    pub vlan_learning: VlanLearning,
    /// The limits of each port without its own.
    pub port_limits: PortLimits,
    /// How stations that move too often are handled.
    pub damping: Damping,
    /// How loops are handled.
    pub loop_guard: LoopGuard,
}

impl BridgeConfig {
    /// The greatest `max_stations`: four million.
    pub const MAX_STATIONS_LIMIT: usize = 1 << 22;

    pub(super) fn clamped(mut self) -> Self {
        self.max_stations = self.max_stations.min(Self::MAX_STATIONS_LIMIT);
        self.damping = self.damping.clamped();
        self
    }
}

impl Default for BridgeConfig {
    /// 300 s (IEEE 802.1Q-2022, table 8-6), 65,536 stations, reserved addresses not forwarded, one
    /// table for all VLANs, and protection against storms, flapping stations and loops with limits
    /// that normal hosts do not reach.
    fn default() -> Self {
        Self {
            ageing: Duration::from_secs(300),
            max_stations: 65_536,
            forward_reserved: false,
            vlan_learning: VlanLearning::default(),
            port_limits: PortLimits::default(),
            damping: Damping::default(),
            loop_guard: LoopGuard::default(),
        }
    }
}
