//! What can be set.

use std::time::Duration;

use super::damping::Damping;
use super::learning::VlanLearning;
use super::limits::PortLimits;
use super::loops::LoopGuard;

/// How a bridge behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct BridgeConfig {
    /// How long a silent station is remembered. Zero learns nothing, so that every frame is
    /// flooded.
    pub ageing: Duration,
    /// The most stations remembered, static entries included; at most
    /// [`BridgeConfig::MAX_STATIONS_LIMIT`], to which greater numbers are lowered.
    pub max_stations: usize,
    /// Whether frames to the reserved addresses `01-80-C2-00-00-00` to `-0F` are flooded
    /// instead of dropped.
    pub forward_reserved: bool,
    /// Which VLANs share what is learnt.
    pub vlan_learning: VlanLearning,
    /// The bounds of each port for which nothing else is set.
    pub port_limits: PortLimits,
    /// What becomes of stations that move too often.
    pub damping: Damping,
    /// What becomes of ports that are joined outside.
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
    /// 300 s (IEEE 802.1Q-2022, table 8-6), 65,536 stations, reserved addresses not forwarded,
    /// one table for all VLANs; protected against storms, flapping stations and loops as no honest host will notice.
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
