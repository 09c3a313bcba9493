//! A naive model of the state: all entries of every height in memory, roots computed from scratch by the tree's
//! definition, without any tree library.

#![allow(dead_code, reason = "every test file uses another part")]

use std::collections::BTreeMap;

use aceso_state::{Changes, EMPTY_ROOT, Options, Order, SENTINEL_KEY, Store};
pub(crate) use aceso_test_support::random::Random;
use sha2::{Digest as _, Sha256};

/// Two components, one the prefix of nothing in the other.
pub(crate) const COMPONENTS: &[&str] = &["bank", "wasm"];

/// Entries of one component.
pub(crate) type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// Entries of all components at one height.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Model {
    pub(crate) entries: BTreeMap<&'static str, Entries>,
}

impl Model {
    pub(crate) fn apply(&mut self, changes: &Changes) {
        for (component, key, value) in changes.iter() {
            let entries = self.entries.entry(component).or_default();
            match value {
                Some(value) => entries.insert(key.to_vec(), value.to_vec()),
                None => entries.remove(key),
            };
        }
    }

    pub(crate) fn get(&self, component: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.entries.get(component)?.get(key).cloned()
    }

    pub(crate) fn range(
        &self,
        component: &str,
        start: Option<&[u8]>,
        end: Option<&[u8]>,
        order: Order,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        let all = self.entries.get(component).into_iter().flatten();
        let inside = |key: &[u8]| start.is_none_or(|start| start <= key) && end.is_none_or(|end| key < end);
        let mut found: Vec<_> = all.filter(|(key, _)| inside(key)).map(|(k, v)| (k.clone(), v.clone())).collect();
        if order == Order::Descending {
            found.reverse();
        }
        found
    }

    /// The app hash after at least one commit.
    pub(crate) fn root(&self) -> [u8; 32] {
        let roots = COMPONENTS.iter().map(|name| {
            let mut entries = self.entries.get(name).cloned().unwrap_or_default();
            entries.insert(SENTINEL_KEY.to_vec(), name.as_bytes().to_vec());
            (name.as_bytes().to_vec(), tree_root(&entries).to_vec())
        });
        tree_root(&roots.collect())
    }
}

/// A binary tree over the hashes of the keys; a branch with one leaf is that leaf, an empty one the placeholder.
fn tree_root(entries: &Entries) -> [u8; 32] {
    let mut leaves: Vec<([u8; 32], [u8; 32])> = entries
        .iter()
        .map(|(key, value)| {
            let hash: [u8; 32] = Sha256::digest(key).into();
            let leaf =
                Sha256::new().chain_update("JMT::LeafNode").chain_update(hash).chain_update(Sha256::digest(value));
            (hash, leaf.finalize().into())
        })
        .collect();
    leaves.sort_unstable();
    branch(&leaves, 0)
}

fn branch(leaves: &[([u8; 32], [u8; 32])], depth: usize) -> [u8; 32] {
    match leaves {
        [] => EMPTY_ROOT,
        [(_, leaf)] => *leaf,
        _ => {
            let right = leaves.partition_point(|(hash, _)| hash[depth / 8] >> (7 - depth % 8) & 1 == 0);
            let (left, right) = leaves.split_at(right);
            let children = [branch(left, depth + 1), branch(right, depth + 1)];
            Sha256::new().chain_update("JMT::IntrnalNode").chain_update(children.concat()).finalize().into()
        }
    }
}

/// A folder in memory where there is one: what a flush costs is no question of these tests.
pub(crate) fn dir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub(crate) fn open(dir: &std::path::Path, keep: u64) -> Store {
    Store::open(dir, Options { cache_bytes: 8 << 20, ..Options::new(COMPONENTS, keep) }).unwrap()
}

/// The changes of one height of a deterministic chain: new, changed and removed keys in both components.
pub(crate) fn block(version: u64) -> Changes {
    let mut random = Random::new(version);
    let mut changes = Changes::new();
    for _ in 0..40 {
        let component = COMPONENTS[usize::try_from(random.below(2)).unwrap()];
        let key = format!("key/{:03}", random.below(150)).into_bytes();
        if random.below(4) == 0 {
            changes.remove(component, &key);
        } else {
            let len = if random.below(20) == 0 { 20_000 } else { 30 };
            let value = random.next().to_le_bytes().repeat(len / 8 + 1);
            changes.set(component, key, value).unwrap();
        }
    }
    changes
}
