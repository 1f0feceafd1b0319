//! The hash index of the forwarding database: a key leads to its value in one cache line.

use std::hint::black_box;

use super::hash::KeyHasher;
use super::key::Key;
use super::value::Value;

/// Keys per line.
const WAYS: usize = 4;
const OVERFLOW_ONE: u64 = 1 << 56;
const OVERFLOW_MASK: u64 = 0xff << 56;

/// One cache line: four keys, zero where free, and their four values.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line {
    keys: [u64; WAYS],
    /// The upper byte of the first counts the keys that belong to this line, or to one before,
    /// and had to go on to a later one.
    values: [u64; WAYS],
}

impl Line {
    const EMPTY: Self = Self {
        keys: [0; WAYS],
        values: [0; WAYS],
    };

    /// The place of `key`, found without a branch for each.
    #[inline]
    fn way_of(&self, key: u64) -> Option<usize> {
        let hit = |way: usize| u32::from(self.keys[way] == key) << way;
        let hits = hit(0) | hit(1) | hit(2) | hit(3);
        (hits != 0).then_some((hits.trailing_zeros() & 3) as usize)
    }

    #[inline]
    fn has_overflowed(&self) -> bool {
        self.values[0] & OVERFLOW_MASK != 0
    }

    /// Whether the count has reached its end. It stays there: such a line is searched past for
    /// ever.
    fn is_saturated(&self) -> bool {
        self.values[0] & OVERFLOW_MASK == OVERFLOW_MASK
    }

    fn put(&mut self, way: usize, key: u64, value: u64) {
        self.keys[way] = key;
        self.values[way] = self.values[way] & OVERFLOW_MASK | value;
    }
}

/// The line where a key belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Home(u32);

impl Home {
    /// The first line.
    pub(super) const FIRST: Self = Self(0);
}

/// A map from [`Key`] to [`Value`].
///
/// Theory of operation. The upper bits of the hash choose a line of four places. A key whose line
/// is full goes to the next that is not, and each line passed by counts it, so that a search
/// knows whether to go on, and a removal can take the count back: there are no tombstones, and
/// however many stations come and go, the table never needs cleaning up. Twice as many places
/// as keys make all but a few searches end in the first line.
///
/// The table has its full size, in memory that is really there, from the beginning: no frame
/// ever waits for it to grow.
#[derive(Debug)]
pub(super) struct Table {
    hasher: KeyHasher,
    /// A power of two.
    lines: Vec<Line>,
    shift: u32,
}

impl Table {
    /// A table with room for `max` keys.
    pub(super) fn new(hasher: KeyHasher, max: usize) -> Self {
        let lines = (2 * max / WAYS).next_power_of_two().max(4);
        Self {
            hasher,
            lines: vec![Line::EMPTY; lines],
            shift: u64::BITS - lines.trailing_zeros(),
        }
    }

    /// Where `key` belongs; the other methods want it with the key.
    #[inline]
    pub(super) fn home(&self, key: Key) -> Home {
        let line = self.hasher.hash(key) >> self.shift;
        Home(u32::try_from(line).unwrap_or_default())
    }

    /// Reads the lines of many keys, which the processor does side by side, so that they are
    /// in its cache when they are searched one after the other.
    #[inline]
    pub(super) fn touch(&self, homes: impl Iterator<Item = Home>) {
        let read = |Home(index)| {
            self.lines
                .get(index as usize)
                .map_or(0, |line| line.keys[0])
        };
        black_box(homes.map(read).fold(0, |all, word| all ^ word));
    }

    /// The value of `key`.
    #[inline]
    pub(super) fn find(&self, home: Home, key: Key) -> Option<Value> {
        let line = &self.lines[home.0 as usize];
        if let Some(way) = line.way_of(key.bits()) {
            return Some(Value::from_bits(line.values[way]));
        }
        if line.has_overflowed() {
            let (index, way) = self.locate(home, key)?;
            return Some(Value::from_bits(self.lines[index].values[way]));
        }
        None
    }

    /// The lines where a key may be, from its own on.
    fn path(&self, home: Home) -> impl Iterator<Item = usize> + use<> {
        let mask = self.lines.len() - 1;
        (0..=mask).map(move |step| (home.0 as usize + step) & mask)
    }

    /// Where `key` is: its line, and its place there.
    #[inline(never)]
    fn locate(&self, home: Home, key: Key) -> Option<(usize, usize)> {
        for index in self.path(home) {
            let line = &self.lines[index];
            if let Some(way) = line.way_of(key.bits()) {
                return Some((index, way));
            }
            if !line.has_overflowed() {
                break;
            }
        }
        None
    }

    /// Replaces the value of `key`, if it is there.
    pub(super) fn set(&mut self, home: Home, key: Key, value: Value) {
        if let Some((index, way)) = self.locate(home, key) {
            self.lines[index].put(way, key.bits(), value.bits());
        }
    }

    /// Adds `key`, which is not there yet.
    pub(super) fn insert(&mut self, home: Home, key: Key, value: Value) {
        for index in self.path(home) {
            let line = &mut self.lines[index];
            if let Some(way) = line.way_of(0) {
                line.put(way, key.bits(), value.bits());
                return;
            }
            if !line.is_saturated() {
                line.values[0] += OVERFLOW_ONE;
            }
        }
    }

    /// Removes `key`, if it is there.
    pub(super) fn remove(&mut self, home: Home, key: Key) {
        let Some((found, way)) = self.locate(home, key) else {
            return;
        };
        for index in self.path(home).take_while(|&index| index != found) {
            let line = &mut self.lines[index];
            if !line.is_saturated() {
                line.values[0] -= OVERFLOW_ONE;
            }
        }
        self.lines[found].put(way, 0, 0);
    }
}
