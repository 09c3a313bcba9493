//! What a block changes: per component, key → new value or removal.

use std::collections::BTreeMap;

use crate::error::StateError;
use crate::tree::SENTINEL_KEY;

/// Longest key in bytes. The store below counts key lengths in 16 bits, and an escaped key of zeros doubles.
pub const KEY_MAX: usize = 32_000;

/// Longest value in bytes: far above the largest model or contract, far below what the store can count.
pub const VALUE_MAX: usize = 256 << 20;

/// The writes of one component: key → value, or none for a removal.
pub(crate) type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A set of writes, sorted by component and key. The last write of a key counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    components: BTreeMap<&'static str, Writes>,
}

impl Changes {
    /// No change at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that `key` gets `value`.
    ///
    /// Keys have 1 to [`KEY_MAX`] bytes and values 1 to [`VALUE_MAX`]: neither may be empty, because ICS23 could prove
    /// neither such an entry nor the absence of its neighbours. That the component exists is checked when staging.
    pub fn set(&mut self, component: &'static str, key: Vec<u8>, value: Vec<u8>) -> Result<(), StateError> {
        check(component, &key, &value)?;
        self.components.entry(component).or_default().insert(key, Some(value));
        Ok(())
    }

    /// Notes that `key` goes. Removing what is not there changes nothing.
    pub fn remove(&mut self, component: &'static str, key: &[u8]) {
        if is_key(key) {
            self.components.entry(component).or_default().insert(key.to_vec(), None);
        }
    }

    /// What these changes say about `key`: nothing, its removal, or its new value.
    pub fn get(&self, component: &str, key: &[u8]) -> Option<Option<&[u8]>> {
        self.component(component)?.get(key).map(Option::as_deref)
    }

    /// True if nothing was written.
    pub fn is_empty(&self) -> bool {
        self.components.values().all(BTreeMap::is_empty)
    }

    /// All writes, sorted by component and key.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &[u8], Option<&[u8]>)> {
        self.components.iter().flat_map(|(component, writes)| {
            writes.iter().map(move |(key, value)| (*component, key.as_slice(), value.as_deref()))
        })
    }

    /// Lays `later` over these changes.
    pub(crate) fn absorb(&mut self, later: Self) {
        for (component, writes) in later.components {
            let mine = self.components.entry(component).or_default();
            if mine.is_empty() {
                *mine = writes;
            } else {
                // One by one: `append` would build the whole map anew for the few writes of a transaction.
                mine.extend(writes);
            }
        }
    }

    /// The names that were written to.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.components.keys().copied()
    }

    pub(crate) fn component(&self, name: &str) -> Option<&Writes> {
        self.components.get(name)
    }
}

/// True for what may be the key of an entry.
pub(crate) fn is_key(key: &[u8]) -> bool {
    !key.is_empty() && key.len() <= KEY_MAX && key != SENTINEL_KEY
}

fn check(component: &str, key: &[u8], value: &[u8]) -> Result<(), StateError> {
    let component = || component.to_owned();
    if key.is_empty() {
        return Err(StateError::EmptyKey { component: component() });
    }
    if key == SENTINEL_KEY {
        return Err(StateError::ReservedKey { component: component() });
    }
    if key.len() > KEY_MAX {
        return Err(StateError::KeyTooLong { component: component(), len: key.len(), max: KEY_MAX });
    }
    if value.is_empty() {
        return Err(StateError::EmptyValue { component: component(), key_len: key.len() });
    }
    if value.len() > VALUE_MAX {
        return Err(StateError::ValueTooLong { component: component(), len: value.len(), max: VALUE_MAX });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn refuses_what_cannot_be_proven() {
        let mut changes = Changes::new();
        let mut set = |key: Vec<u8>, value: Vec<u8>| changes.set("bank", key, value).unwrap_err();
        assert!(matches!(set(vec![], vec![1]), StateError::EmptyKey { .. }));
        assert!(matches!(set(vec![1], vec![]), StateError::EmptyValue { key_len: 1, .. }));
        assert!(matches!(set(vec![0], vec![1]), StateError::ReservedKey { .. }));
        assert!(matches!(set(vec![1; 32_001], vec![1]), StateError::KeyTooLong { len: 32_001, .. }));
        assert!(matches!(set(vec![1], vec![1; VALUE_MAX + 1]), StateError::ValueTooLong { .. }));
        assert!(set(vec![], vec![1]).is_refusal());
        assert!(changes.is_empty());
        changes.set("bank", vec![1; KEY_MAX], vec![1]).unwrap();
        assert!(!changes.is_empty());
    }

    #[test]
    fn the_last_write_counts() {
        let mut changes = Changes::new();
        changes.set("bank", b"a".to_vec(), b"1".to_vec()).unwrap();
        changes.set("bank", b"b".to_vec(), b"1".to_vec()).unwrap();
        changes.remove("bank", b"a");
        let mut later = Changes::new();
        later.set("bank", b"b".to_vec(), b"2".to_vec()).unwrap();
        later.remove("wasm", b"c");
        changes.absorb(later);
        assert_eq!(changes.get("bank", b"a"), Some(None));
        assert_eq!(changes.get("bank", b"b"), Some(Some(b"2".as_slice())));
        assert_eq!(changes.get("bank", b"c"), None);
        let all: Vec<_> = changes.iter().map(|(component, key, _)| (component, key)).collect();
        assert_eq!(all, [("bank", b"a".as_slice()), ("bank", b"b"), ("wasm", b"c")]);
    }
}
