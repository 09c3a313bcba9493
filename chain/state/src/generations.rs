//! What was used lately: a bounded map that forgets what nobody has asked for.

use std::collections::BTreeMap;

/// What was used since generations changed last, and what was used in the one before.
pub(crate) struct Generations<K, V> {
    young: BTreeMap<K, V>,
    old: BTreeMap<K, V>,
    /// Entries of a generation. There are two.
    most: usize,
}

impl<K: Ord, V> Generations<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self { young: BTreeMap::new(), old: BTreeMap::new(), most }
    }

    /// What is kept under a key, which is used by that.
    pub(crate) fn get(&mut self, key: &K) -> Option<&V> {
        if let Some((key, value)) = self.old.remove_entry(key) {
            self.put(key, value);
        }
        self.young.get(key)
    }

    /// Keeps something in the place of what is under its key.
    pub(crate) fn put(&mut self, key: K, value: V) {
        if self.young.len() >= self.most {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
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
