//! The root that a height would have with other entries: for whoever takes a state elsewhere and changes it on the way.

use std::collections::BTreeMap;

use crate::changes::Changes;
use crate::error::StateError;
use crate::keys;
use crate::snapshot::Snapshot;
use crate::tree::root_at;
use crate::update::{Write, update};

impl Snapshot {
    /// The app hash of this height with `changes` laid over it. Nothing is written.
    ///
    /// # Errors
    /// [`StateError::UnknownComponent`]; [`StateError::Unproven`] before the first commit; and if the store cannot be
    /// read.
    pub fn root_with(&self, changes: &Changes) -> Result<[u8; 32], StateError> {
        let (view, version) = (self.view(), self.version());
        let next = version.saturating_add(1);
        let base = |tree| root_at(view, tree, version)?.ok_or(StateError::Unproven { version });
        let mut roots = BTreeMap::new();
        for name in changes.names() {
            let id = self.component(name)?;
            let mut real = BTreeMap::new();
            for (key, value) in changes.component(name).into_iter().flatten() {
                let replaced = self.value(id, key)?;
                if replaced != *value {
                    real.insert(key.as_slice(), Write { value: value.as_deref(), there: replaced.is_some() });
                }
            }
            if !real.is_empty() {
                roots.insert(name.as_bytes(), update(view, None, id, Some(base(id)?), next, &real)?.root);
            }
        }
        if roots.is_empty() {
            return Ok(self.root());
        }
        let writes =
            roots.iter().map(|(name, root)| (*name, Write { value: Some(root.as_slice()), there: true })).collect();
        Ok(update(view, None, keys::APP, Some(base(keys::APP)?), next, &writes)?.root)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::{Options, Store};

    #[test]
    fn a_supposed_root_is_that_of_a_commit() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::new(&["bank", "wasm"], 10)).unwrap();
        assert!(matches!(store.snapshot().root_with(&Changes::new()), Ok(root) if root == store.latest().1));
        let changes = |keys: &[(&'static str, &str)], value: u8| {
            let mut changes = Changes::new();
            keys.iter().for_each(|(name, key)| changes.set(name, key.as_bytes().to_vec(), vec![value]).unwrap());
            changes
        };
        for (version, value) in [(1, 1), (2, 2), (3, 3)] {
            let written = changes(&[("bank", "a"), ("bank", "b"), ("wasm", "c")], value);
            store.commit(store.stage(version, &written).unwrap()).unwrap();
        }
        let mut other = changes(&[("bank", "a"), ("wasm", "d")], 7);
        other.remove("bank", b"b");
        other.remove("wasm", b"nothing");
        let supposed = store.snapshot().root_with(&other).unwrap();
        assert_eq!(supposed, store.stage(4, &other).unwrap().root());
        // Of a height before the latest it is that of a store which stopped there.
        let short = tempfile::tempdir().unwrap();
        let stopped = Store::open(short.path(), Options::new(&["bank", "wasm"], 10)).unwrap();
        for (version, value) in [(1, 1), (2, 2)] {
            let written = changes(&[("bank", "a"), ("bank", "b"), ("wasm", "c")], value);
            stopped.commit(stopped.stage(version, &written).unwrap()).unwrap();
        }
        let past = store.snapshot_at(2).unwrap();
        assert_eq!(past.root_with(&other).unwrap(), stopped.stage(3, &other).unwrap().root());
        assert_eq!(past.root_with(&changes(&[("bank", "a")], 2)).unwrap(), past.root());
    }
}
