//! The keyed hash of the forwarding database.
//!
//! Senders of frames choose the keys, so the hash must not let them choose its values.
//! Of the key `x` it makes `y = (x ^ x >> 32)·a`, then `(y ^ y >> 32)·b`, of which the upper bits
//! are used. The odd numbers `a` and `b`, 64 bits each, are picked at random when the table is
//! made and never leave it.
//!
//! - The last multiplication is multiply-shift (Dietzfelbinger, Hagerup, Katajainen, Penttonen,
//!   "A reliable randomized algorithm for the closest-pair problem", 1997). For any two
//!   different words, picked without knowledge of `b`, the upper `n` bits are the same with a
//!   probability of at most `2 / 2^n`. What is before it is a bijection, whatever `a`, so the
//!   same holds for any two keys: whatever set of keys is sent, a key shares its line with at
//!   most twice as many others, on average over `b`, as chance would put there.
//! - Multiply-shift is linear, though: evenly spaced keys, such as the addresses of a rack of
//!   virtual machines or one address in all VLANs, become evenly spaced hashes, which for a few
//!   unlucky `b` crowd together. The first multiplication breaks the spacing, and the two folds
//!   see to it that it reaches all bits, wherever in the key the spacing is. Evenly spaced keys
//!   then do as random ones do.
//!
//! Two multiplications of 64 bits are half the work of the wide multiply-add-shift, which
//! collides half as often at worst, and as often in practice.

use std::hash::{BuildHasher, RandomState};

use crate::bridge::key::Key;

/// A hash function, chosen at random when the table is created.
#[derive(Clone, Copy, Debug)]
pub(in crate::bridge) struct KeyHasher {
    /// Two odd numbers.
    factors: [u64; 2],
}

impl KeyHasher {
    /// Creates an unpredictable hash function: seeded from the operating system's randomness, as
    /// the standard library's maps are.
    pub(in crate::bridge) fn random() -> Self {
        let state = RandomState::new();
        Self::from_words(|index| state.hash_one(index))
    }

    /// Creates the hash function of `seed`, always the same, for simulations and benchmarks.
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
        Self {
            factors: [word(0) | 1, word(1) | 1],
        }
    }

    /// The hash of `key`. Use the upper bits.
    #[inline]
    pub(super) fn hash(&self, key: Key) -> u64 {
        let [first, second] = self.factors;
        let fold = |word: u64| word ^ word >> 32;
        fold(fold(key.bits()).wrapping_mul(first)).wrapping_mul(second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{MacAddr, VlanId};

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
