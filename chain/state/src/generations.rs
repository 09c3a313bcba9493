//! What was used lately: a bounded map that forgets what nobody has asked for.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// What was used since generations changed last, and what was used in the one before, of which the young one may have
/// something newer.
pub(crate) struct Generations<K, V> {
    young: BTreeMap<K, V>,
    old: BTreeMap<K, V>,
    /// Entries of a generation. There are two.
    most: usize,
}

impl<K: Ord + Copy, V> Generations<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self { young: BTreeMap::new(), old: BTreeMap::new(), most }
    }

    /// What is kept under a key, which is used by that.
    pub(crate) fn get(&mut self, key: &K) -> Option<&V> {
        self.turn();
        match self.young.entry(*key) {
            Entry::Occupied(there) => Some(there.into_mut()),
            Entry::Vacant(free) => Some(free.insert(self.old.remove(key)?)),
        }
    }

    /// Keeps something in the place of what is under its key.
    pub(crate) fn put(&mut self, key: K, value: V) {
        self.turn();
        self.young.insert(key, value);
    }

    /// Makes room for one more in the young generation.
    fn turn(&mut self) {
        if self.young.len() >= self.most {
            self.old = std::mem::take(&mut self.young);
        }
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    /// Entries of the young and of the old generation.
    #[cfg(test)]
    pub(crate) fn lens(&self) -> [usize; 2] {
        [self.young.len(), self.old.len()]
    }
}
