//! How learning treats VLAN tags.

use std::fmt;
use std::str::FromStr;

/// Which VLANs share learnt entries (IEEE 802.1Q-2022, 8.8.8 and Annex F: the allocation of VLANs
/// to filtering databases).
///
/// A bridge that does not filter VLANs forwards a frame to a port whatever its tag, so a station
/// has one port, and a frame's tag does not affect it. If each VLAN had its own database, a station
/// that sends with one tag and is addressed with another would stay unknown, and all frames to it
/// would be flooded. That is the asymmetric VLAN of Annex F.1.3; a host without VLANs next to one
/// that tags its frames is a case of it. Annex F.1.2 gives the reason for independent learning: one
/// address that belongs to different stations in different VLANs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum VlanLearning {
    /// One database for all VLANs, as in the Linux bridge without VLAN filtering. Its entries have
    /// no VLAN.
    #[default]
    Shared,
    /// One per VLAN, by the VLAN identifier of the outer tag; untagged and priority-tagged frames
    /// have their own.
    Independent,
}

impl VlanLearning {
    /// Both, by their names.
    pub const NAMES: [&'static str; 2] = [Self::Shared.as_str(), Self::Independent.as_str()];

    /// Returns the name used in options and files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Independent => "independent",
        }
    }
}

impl fmt::Display for VlanLearning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not a learning mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use 'shared' or 'independent'")]
pub struct UnknownLearning;

impl FromStr for VlanLearning {
    type Err = UnknownLearning;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "shared" => Ok(Self::Shared),
            "independent" => Ok(Self::Independent),
            _ => Err(UnknownLearning),
        }
    }
}
