//! The hash index of the forwarding database: a key leads to its value in one cache line.

use std::hint::{black_box, select_unpredictable};

use super::hash::KeyHasher;
use super::value::Value;
use crate::bridge::key::Key;

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

    /// The place of `key`.
    fn way_of(&self, key: u64) -> Option<usize> {
        let hit = |way: usize| u32::from(self.keys[way] == key) << way;
        let hits = hit(0) | hit(1) | hit(2) | hit(3);
        (hits != 0).then_some((hits.trailing_zeros() & 3) as usize)
    }

    /// The value of `key`, zero if it is not here, found without a branch.
    #[inline]
    fn value_of(&self, key: u64) -> u64 {
        let pick = |found, way: usize| {
            select_unpredictable(self.keys[way] == key, self.values[way], found)
        };
        pick(pick(pick(pick(0, 0), 1), 2), 3)
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
pub(in crate::bridge) struct Home(u32);

impl Home {
    /// The first line.
    pub(in crate::bridge) const FIRST: Self = Self(0);
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

    /// Makes room for `max` keys, or gives back memory. Moves every key if that changes anything.
    pub(super) fn resize(&mut self, max: usize) {
        let mut resized = Self::new(self.hasher, max);
        if resized.lines.len() == self.lines.len() {
            return;
        }
        for line in &self.lines {
            for (key, value) in line.keys.into_iter().zip(line.values) {
                if let Some(key) = Key::from_bits(key) {
                    resized.insert(resized.home(key), key, Value::from_bits(value));
                }
            }
        }
        *self = resized;
    }

    /// Where `key` belongs; the other methods want it with the key.
    #[inline]
    pub(super) fn home(&self, key: Key) -> Home {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "no more bits than lines have"
        )]
        Home((self.hasher.hash(key) >> self.shift) as u32)
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
        let value = line.value_of(key.bits());
        if value == 0 && line.has_overflowed() {
            return self.find_beyond(home, key);
        }
        (value != 0).then_some(Value::from_bits(value))
    }

    #[inline(never)]
    fn find_beyond(&self, home: Home, key: Key) -> Option<Value> {
        let (index, way) = self.locate(home, key)?;
        Some(Value::from_bits(self.lines[index].values[way]))
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::bridge::PortId;
    use crate::wire::{MacAddr, VlanId};

    fn key(number: u64) -> Key {
        Key::new(VlanId::NONE, MacAddr::from_u64(0x0200_0000_0000 + number))
    }

    fn value(slot: u32) -> Value {
        Value::dynamic(PortId(4095), u16::MAX, slot)
    }

    /// Puts all keys into one line's path, which they overflow.
    fn crowded(count: u32) -> Table {
        let mut table = Table::new(KeyHasher::seeded(1), 1024);
        for number in 0..count {
            table.insert(Home(510), key(number.into()), value(number));
        }
        table
    }

    #[test]
    fn keys_that_crowd_are_found_and_leave_no_trace() {
        // Removed first to last and last to first; the path wraps round the end of the table.
        for reverse in [false, true] {
            let mut table = crowded(300);
            let mut left: Vec<u32> = (0..300).collect();
            while !left.is_empty() {
                let gone = if reverse { left.len() - 1 } else { 0 };
                table.remove(Home(510), key(left.remove(gone).into()));
                for number in 0..300 {
                    let found = table.find(Home(510), key(number.into()));
                    assert_eq!(found.is_some(), left.contains(&number), "{number}");
                    assert!(found.is_none_or(|found| found == value(number)));
                }
            }
            let overflowed = table.lines.iter().filter(|line| line.has_overflowed());
            let saturated = table.lines.iter().filter(|line| line.is_saturated());
            assert_eq!(
                overflowed.count(),
                saturated.count(),
                "only what could not be counted"
            );
        }
        let mut table = crowded(200);
        (0..200).for_each(|number| table.remove(Home(510), key(number)));
        assert!(!table.lines.iter().any(Line::has_overflowed));
    }

    #[test]
    fn a_replaced_value_keeps_the_count_of_its_line() {
        let mut table = crowded(5);
        for number in 0..5 {
            table.set(Home(510), key(number), value(7));
        }
        for number in 0..5 {
            assert_eq!(table.find(Home(510), key(number)), Some(value(7)));
        }
    }

    #[test]
    fn a_full_table_holds_what_it_was_made_for_and_moves_to_any_size() {
        let mut table = Table::new(KeyHasher::seeded(3), 100);
        let mut expected = HashMap::new();
        for number in 0..100 {
            table.insert(table.home(key(number)), key(number), value(1));
            expected.insert(number, value(1));
        }
        for max in [100, 5000, 101, 100] {
            table.resize(max);
            for number in 0..200 {
                let found = table.find(table.home(key(number)), key(number));
                assert_eq!(found, expected.get(&number).copied());
            }
        }
    }
}
