//! How learning treats VLAN tags.

use std::fmt;
use std::str::FromStr;

/// Which VLANs share what is learnt (IEEE 802.1Q-2022, 8.8.8 and Annex F: the allocation of VLANs
/// to filtering databases).
///
/// A bridge that does not filter VLANs forwards a frame to a port whatever its tag, so a station has
/// one place, and the tag of a frame says nothing about it. Where each VLAN had a database of its
/// own, a station that sends with one tag and is addressed with another would stay unknown, and all
/// frames to it be flooded: this is the asymmetric VLAN of Annex F.1.3, and what a host that knows
/// no VLANs looks like beside one that tags its frames. Annex F.1.2 has the reason for the
/// contrary: one address that stands for different stations in different VLANs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum VlanLearning {
    /// One database for all VLANs, as the Linux bridge has it without VLAN filtering. Its entries
    /// carry no VLAN.
    #[default]
    Shared,
    /// One for each VLAN, by the VLAN identifier of the outer tag; untagged and priority-tagged
    /// frames have one as well.
    Independent,
}

impl VlanLearning {
    /// Both, by their names.
    pub const NAMES: [&'static str; 2] = [Self::Shared.as_str(), Self::Independent.as_str()];

    /// The name, as options and files have it.
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

/// The text names neither way of learning.
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
