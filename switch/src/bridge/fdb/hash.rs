//! The keyed hash of the forwarding database.
//!
//! Whoever sends frames chooses the keys, so the hash must not let them choose its values.
//! The first step is multiply-add-shift over 128 bits (Dietzfelbinger, "Universal hashing and
//! k-wise independent random variables via integer arithmetic without primes", 1996):
//! `(a·x + b) mod 2^128`, of which the upper 64 bits are strongly universal. For any two
//! different keys, picked without knowledge of `a` and `b`, the pair of hashes is uniformly
//! distributed, so they collide no more often than chance, in any of their bits. It is linear,
//! though: evenly spaced keys, such as the addresses of a rack of virtual machines, become
//! evenly spaced hashes, which for a few unlucky `a` crowd together. The second step, a fixed
//! bijection, scatters them, and being a bijection it takes nothing from the first.

use std::hash::{BuildHasher, RandomState};

use crate::bridge::key::Key;

/// A hash function, picked at random when the table was made.
#[derive(Clone, Copy, Debug)]
pub(in crate::bridge) struct KeyHasher {
    factor: u128,
    addend: u128,
}

impl KeyHasher {
    /// A hash function that nobody can foretell: seeded from the operating system's randomness,
    /// as the standard library's maps are.
    pub(in crate::bridge) fn random() -> Self {
        let state = RandomState::new();
        Self::from_words(|index| state.hash_one(index))
    }

    /// The hash function of `seed`, always the same, for simulations and benchmarks.
    pub(in crate::bridge) fn seeded(seed: u64) -> Self {
        // SplitMix64 (Steele, Lea, Flood 2014), whose outputs for different `index` are unrelated.
        Self::from_words(|index| {
            let mut z = seed.wrapping_add((index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ z >> 31
        })
    }

    fn from_words(word: impl Fn(u64) -> u64) -> Self {
        let wide = |index| u128::from(word(index)) << 64 | u128::from(word(index + 1));
        Self {
            factor: wide(0) | 1,
            addend: wide(2),
        }
    }

    /// The hash of `key`. Use the upper bits: the scattering does not reach the lower ones.
    #[inline]
    pub(super) const fn hash(&self, key: Key) -> u64 {
        let product = self
            .factor
            .wrapping_mul(key.bits() as u128)
            .wrapping_add(self.addend);
        let universal = (product >> 64) as u64;
        (universal ^ universal >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{MacAddr, VlanId};

    /// The fullest of 1,024 places after 4,096 keys.
    fn fullest_place(seed: u64, key: impl Fn(u64) -> Key) -> usize {
        let hasher = KeyHasher::seeded(seed);
        let mut places = vec![0; 1024];
        for index in 0..4096 {
            let hash = hasher.hash(key(index));
            places[usize::try_from(hash >> 54).unwrap()] += 1;
        }
        places.into_iter().max().unwrap()
    }

    #[test]
    fn regular_keys_are_scattered_whatever_the_seed() {
        let patterns: [fn(u64) -> Key; 4] = [
            |i| Key::new(VlanId::NONE, MacAddr::from_u64(0x0200_0000_0000 + i)),
            |i| Key::new(VlanId::NONE, MacAddr::from_u64(i << 32 | 0x10)),
            |i| Key::new(VlanId::NONE, MacAddr::from_u64(i << 20)),
            |i| {
                Key::new(
                    VlanId::from_tci(u16::try_from(i).unwrap()),
                    MacAddr::from_u64(0x0200_0000_0001),
                )
            },
        ];
        for seed in 0..200 {
            for (number, pattern) in patterns.into_iter().enumerate() {
                // Four on average; chance alone hardly ever puts 20 into one of them.
                let fullest = fullest_place(seed, pattern);
                assert!(fullest < 24, "{fullest}, seed {seed}, pattern {number}");
            }
        }
    }

    #[test]
    fn every_hasher_is_another_one() {
        let key = Key::new(VlanId::NONE, MacAddr([2, 0, 0, 0, 0, 1]));
        assert_ne!(KeyHasher::random().hash(key), KeyHasher::random().hash(key));
        assert_ne!(
            KeyHasher::seeded(1).hash(key),
            KeyHasher::seeded(2).hash(key)
        );
        assert_eq!(
            KeyHasher::seeded(1).hash(key),
            KeyHasher::seeded(1).hash(key)
        );
    }
}
