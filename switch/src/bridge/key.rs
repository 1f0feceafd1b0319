//! What a station is known by.

use std::num::NonZeroU64;

use crate::wire::{MacAddr, VlanId};

/// A VLAN and a MAC address in one word: bit 63 set, the VLAN in bits 48 to 59, the address
/// below. No key is zero, so that zero can mark an empty place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(NonZeroU64);

impl Key {
    const VALID: NonZeroU64 = NonZeroU64::MIN.saturating_add((1 << 63) - 1);

    /// A key that no station has.
    pub(super) const NOBODY: Self = Self(Self::VALID);

    /// The key of station `mac` in `vlan`.
    #[inline]
    pub(super) fn new(vlan: VlanId, mac: MacAddr) -> Self {
        Self(Self::VALID | u64::from(vlan.get()) << 48 | mac.to_u64())
    }

    /// The key of which these are the [`Key::bits`]; `None` for zero.
    pub(super) const fn from_bits(bits: u64) -> Option<Self> {
        match NonZeroU64::new(bits) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }

    /// The VLAN.
    pub(super) const fn vlan(self) -> VlanId {
        VlanId::from_tci((self.bits() >> 48) as u16)
    }

    /// The address.
    pub(super) const fn mac(self) -> MacAddr {
        MacAddr::from_u64(self.bits())
    }

    /// The key as a number, never zero.
    #[inline]
    pub(super) const fn bits(self) -> u64 {
        self.0.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gives_back_its_parts_and_is_never_zero() {
        for (vlan, mac) in [(0, 0), (4095, u64::MAX >> 16), (1, 0x0200_0000_0001)] {
            let vlan = VlanId::new(vlan).unwrap();
            let mac = MacAddr::from_u64(mac);
            let key = Key::new(vlan, mac);
            assert_eq!((key.vlan(), key.mac()), (vlan, mac));
            assert_ne!(key.bits(), 0);
        }
    }
}
