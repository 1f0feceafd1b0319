//! The hash index of the forwarding database: a key leads to its value in one cache line.

use std::hint::select_unpredictable;

use super::hash::KeyHasher;
use super::sys::prefetch;
use super::value::{Heard, Value};
use crate::bridge::key::Key;

/// Keys per line.
const WAYS: usize = 4;
const OVERFLOW_MASK: u64 = Value::SPARE;
const OVERFLOW_ONE: u64 = OVERFLOW_MASK & OVERFLOW_MASK.wrapping_neg();

/// One cache line: four keys, [`Key::NOBODY`] where free, and their four values.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line {
    keys: [u64; WAYS],
    /// The spare bits of the first value count the keys that belong to this line, or to an earlier
    /// one, and overflowed to a later one.
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

    /// The bits of the value of `key`, zero if it is not here, found without a branch.
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

    /// Reports whether the count has reached its maximum. It stays there, and searches always
    /// continue past such a line.
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
/// Theory of operation. The upper bits of the hash select a line of four ways. A key whose line is
/// full goes to the next line that is not, and each full line on the way counts it. So a search
/// knows whether to continue, and a removal decrements the counts: there are no tombstones, and the
/// table never needs cleaning up. With twice as many ways as keys, nearly all searches end in the
/// first line.
///
/// The table has its full size, in memory that is resident, from the beginning: no frame waits for
/// it to grow.
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

    /// Resizes the table to `max` keys. Moves every key if that changes the size.
    pub(super) fn resize(&mut self, max: usize) {
        let mut resized = Self::new(self.hasher, max);
        if resized.lines.len() == self.lines.len() {
            return;
        }
        for line in &self.lines {
            for (key, value) in line.keys.into_iter().zip(line.values) {
                if let Some(value) = Value::from_bits(value) {
                    let key = Key::from_bits(key);
                    resized.insert(resized.home(key), key, value);
                }
            }
        }
        *self = resized;
    }

    /// Returns the home line of `key`, which the other methods take along with the key.
    #[inline]
    pub(super) fn home(&self, key: Key) -> Home {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "no more bits than lines have"
        )]
        Home((self.hasher.hash(key) >> self.shift) as u32)
    }

    /// Prefetches the line at `home`: memory is slow, but fetches many lines in parallel.
    #[inline]
    pub(super) fn prefetch(&self, home: Home) {
        prefetch(self.lines.as_ptr().wrapping_add(home.0 as usize));
    }

    /// Reports whether `key` was already seen as `heard`. Does not search later lines, so only true
    /// is certain.
    #[inline]
    pub(super) fn is_fresh(&self, home: Home, key: Key, heard: Heard) -> bool {
        let bits = self.lines[home.0 as usize].value_of(key.bits());
        Value::from_bits(bits).is_some_and(|known| known.is_fresh(heard))
    }

    /// The value of `key`.
    #[inline]
    pub(super) fn find(&self, home: Home, key: Key) -> Option<Value> {
        let line = &self.lines[home.0 as usize];
        let known = Value::from_bits(line.value_of(key.bits()));
        if known.is_none() && line.has_overflowed() {
            return self.find_beyond(home, key);
        }
        known
    }

    #[inline(never)]
    fn find_beyond(&self, home: Home, key: Key) -> Option<Value> {
        let (index, way) = self.locate(home, key)?;
        Value::from_bits(self.lines[index].values[way])
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
    use crate::frame::{MacAddr, VlanId};

    fn key(number: u64) -> Key {
        Key::new(VlanId::NONE, MacAddr::from_u64(0x0200_0000_0000 + number))
    }

    fn value(slot: u32) -> Value {
        Value::dynamic(Heard::new(PortId(4095), u16::MAX), slot)
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
                    assert!(found.is_none_or(|found| found.bits() == value(number).bits()));
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
            let found = table.find(Home(510), key(number)).map(Value::bits);
            assert_eq!(found, Some(value(7).bits()));
        }
    }

    #[test]
    fn a_full_table_holds_what_it_was_made_for_and_moves_to_any_size() {
        let mut table = Table::new(KeyHasher::seeded(3), 100);
        let mut expected = HashMap::new();
        for number in 0..100 {
            table.insert(table.home(key(number)), key(number), value(1));
            expected.insert(number, value(1).bits());
        }
        for max in [100, 5000, 101, 100] {
            table.resize(max);
            for number in 0..200 {
                let found = table.find(table.home(key(number)), key(number));
                assert_eq!(found.map(Value::bits), expected.get(&number).copied());
            }
        }
    }

    /// How many lines are read to find each of `keys` once.
    fn lines_read(table: &Table, keys: impl Iterator<Item = Key>) -> usize {
        let lines = table.lines.len();
        let steps = keys.map(|key| {
            let home = table.home(key);
            let (found, _) = table.locate(home, key).unwrap();
            (found + lines - home.0 as usize) % lines + 1
        });
        steps.sum()
    }

    /// Regular sets of keys, which a sender can choose without knowing the hash function.
    #[test]
    fn no_regular_set_of_keys_makes_long_searches() {
        let mut sets: Vec<Box<dyn Fn(u64) -> Key>> = vec![Box::new(key)];
        for shift in (8..=48).step_by(4) {
            // At 48 it is one address in all VLANs.
            sets.push(Box::new(move |i| Key::from_bits((i << shift) | 2)));
            sets.push(Box::new(move |i| Key::from_bits(((i * 257) << shift) | 2)));
        }
        for seed in 0..30 {
            for (number, set) in sets.iter().enumerate() {
                let mut table = Table::new(KeyHasher::seeded(seed), 4096);
                for key in (0..4096).map(set) {
                    table.insert(table.home(key), key, value(1));
                }
                // Random keys read 4,360 lines, give or take 50.
                let read = lines_read(&table, (0..4096).map(set));
                assert!(read < 4600, "{read} lines, seed {seed}, set {number}");
            }
        }
    }
}
