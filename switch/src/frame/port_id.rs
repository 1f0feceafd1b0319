//! Port numbers.

use std::fmt;

/// A port's number within its switch, from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PortId(pub u16);

impl PortId {
    /// The highest number: those of spanning tree have 12 bits (IEEE 802.1Q-2022, 14.2.7).
    pub const MAX: Self = Self(4095);
}

impl fmt::Display for PortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
