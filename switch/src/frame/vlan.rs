//! VLAN identifiers and tags (IEEE 802.1Q-2022, clause 9).

use std::fmt;

/// Length of a VLAN tag on the wire: TPID and TCI.
pub const TAG_LEN: usize = 4;

/// A 12-bit VLAN identifier; 0 stands for frames without one (untagged or priority-tagged).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VlanId(u16);

impl VlanId {
    /// Frames without a VLAN.
    pub const NONE: Self = Self(0);

    /// The identifier, if it fits in 12 bits.
    #[must_use]
    pub const fn new(id: u16) -> Option<Self> {
        if id < 0x1000 { Some(Self(id)) } else { None }
    }

    /// The identifier that a tag's TCI holds in its low 12 bits.
    #[must_use]
    #[inline]
    pub const fn from_tci(tci: u16) -> Self {
        Self(tci & 0x0fff)
    }

    /// The identifier as a number from 0 to 4095.
    #[must_use]
    #[inline]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A whole tag: which kind (TPID) and its priority, drop eligibility and VLAN (TCI).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VlanTag {
    /// Tag protocol identifier, such as `0x8100` or `0x88a8`.
    pub tpid: u16,
    /// Tag control information: priority (3 bits), DEI (1), VLAN identifier (12).
    pub tci: u16,
}

impl VlanTag {
    /// The tag as it stands on the wire, behind the source address.
    #[must_use]
    #[inline]
    pub const fn to_bytes(self) -> [u8; TAG_LEN] {
        let [a, b] = self.tpid.to_be_bytes();
        let [c, d] = self.tci.to_be_bytes();
        [a, b, c, d]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_twelve_bits() {
        assert_eq!(VlanId::new(4095).map(VlanId::get), Some(4095));
        assert_eq!(VlanId::new(4096), None);
        assert_eq!(VlanId::from_tci(0xe064).get(), 100, "priority 7, VLAN 100");
    }

    #[test]
    fn a_tag_is_written_in_network_order() {
        let tag = VlanTag {
            tpid: 0x88a8,
            tci: 0x2064,
        };
        assert_eq!(tag.to_bytes(), [0x88, 0xa8, 0x20, 0x64]);
    }
}
