//! The key of a station in the table: VLAN and MAC address.

use super::probe;
use crate::frame::{MacAddr, VlanId};

/// A MAC address as a 48-bit number with the first octet lowest, so that a word of a frame becomes
/// one without reversing its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address(u64);

impl Address {
    const RESERVED: Self = Self::of(MacAddr([0x01, 0x80, 0xc2, 0, 0, 0]));
    const PROBES: Self = Self::of(probe::GROUP);
    const RESERVED_BLOCK: Self = Self::of(MacAddr([0xff, 0xff, 0xff, 0xff, 0xff, 0xf0]));

    /// The address that the first six of these octets are.
    #[inline]
    pub(super) const fn first_of(octets: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(octets) << 16 >> 16)
    }

    /// The address that the last six of these octets are.
    #[inline]
    pub(super) const fn last_of(octets: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(octets) >> 16)
    }

    const fn of(MacAddr([a, b, c, d, e, f]): MacAddr) -> Self {
        Self::last_of([0, 0, a, b, c, d, e, f])
    }

    /// See [`MacAddr::is_multicast`].
    #[inline]
    pub(super) const fn is_multicast(self) -> bool {
        self.0 & 1 != 0
    }

    /// See [`MacAddr::is_zero`].
    #[inline]
    pub(super) const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Reports whether it is reserved or the probe group, with a single branch.
    #[inline]
    pub(super) fn is_special_group(self) -> bool {
        let reserved = self.0 & Self::RESERVED_BLOCK.0 ^ Self::RESERVED.0;
        reserved.min(self.0 ^ Self::PROBES.0) == 0
    }

    /// Whether it is the group of probes for loops.
    #[inline]
    pub(super) const fn is_probe_group(self) -> bool {
        self.0 == Self::PROBES.0
    }
}

/// A VLAN and a MAC address in one word: the VLAN in bits 48 to 59, the address below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(u64);

impl Key {
    /// Zero: the all-zero address outside any VLAN, which no station can have. It marks empty ways,
    /// and destinations that are groups.
    pub(super) const NOBODY: Self = Self(0);

    /// The key of station `mac` in `vlan`.
    pub(super) const fn new(vlan: VlanId, mac: MacAddr) -> Self {
        Self::of_address(vlan, Address::of(mac))
    }

    /// The key of the station with this address in `vlan`.
    #[inline]
    pub(super) const fn of_address(vlan: VlanId, address: Address) -> Self {
        Self((vlan.get() as u64) << 48 | address.0)
    }

    /// Returns the key with these [`Key::bits`].
    pub(super) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The VLAN.
    pub(super) const fn vlan(self) -> VlanId {
        VlanId::from_tci((self.0 >> 48) as u16)
    }

    /// The address.
    pub(super) const fn mac(self) -> MacAddr {
        let [a, b, c, d, e, f, _, _] = self.0.to_le_bytes();
        MacAddr([a, b, c, d, e, f])
    }

    /// The key as a number.
    #[inline]
    pub(super) const fn bits(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gives_back_its_parts() {
        for (vlan, mac) in [(0, 0), (4095, u64::MAX >> 16), (1, 0x0200_0000_0001)] {
            let vlan = VlanId::new(vlan).unwrap();
            let mac = MacAddr::from_u64(mac);
            let key = Key::new(vlan, mac);
            assert_eq!((key.vlan(), key.mac()), (vlan, mac));
            assert_eq!(key == Key::NOBODY, vlan.get() == 0 && mac.is_zero());
        }
    }

    #[test]
    fn an_address_is_what_its_octets_are() {
        let macs = [
            MacAddr::ZERO,
            MacAddr::BROADCAST,
            MacAddr([2, 0, 0, 0, 0, 1]),
            MacAddr([0, 0, 0, 0, 0, 1]),
            MacAddr([0x01, 0x80, 0xc2, 0, 0, 0]),
            MacAddr([0x01, 0x80, 0xc2, 0, 0, 0x0f]),
            MacAddr([0x01, 0x80, 0xc2, 0, 0, 0x10]),
            MacAddr([0x01, 0x80, 0xc2, 0, 1, 0]),
            probe::GROUP,
        ];
        for mac in macs {
            let [a, b, c, d, e, f] = mac.0;
            let address = Address::of(mac);
            assert_eq!(Address::first_of([a, b, c, d, e, f, 0xaa, 0x55]), address);
            assert_eq!(Address::last_of([0xaa, 0x55, a, b, c, d, e, f]), address);
            assert_eq!(address.is_multicast(), mac.is_multicast(), "{mac}");
            assert_eq!(address.is_zero(), mac.is_zero(), "{mac}");
            let is_special = mac.is_reserved() || mac == probe::GROUP;
            assert_eq!(address.is_special_group(), is_special, "{mac}");
        }
    }
}
