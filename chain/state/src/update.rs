//! A version's writes to one tree, all of them in one pass from the root down.
//!
//! Writes part by the four bits of each level; a node that any of them goes through is read once, hashed once and written
//! once. A leaf that is only overwritten is neither read nor written: whoever writes knows that the key is there, a leaf on
//! the way to a key that is there is that key's, and its row says nothing of its value. A branch that comes down to one leaf
//! is that leaf, as high as it gets.
//! The tree that comes of it is jmt's, which reads and proves it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::branch::{Branch, Branches, leaf_hash, nibble, path};
use crate::disk::{Bytes, Table, View};
use crate::error::StateError;
use crate::keys;
use crate::node::{self, Parts};
use crate::recent::Recent;
use crate::tree::EMPTY_ROOT;

/// What becomes of a key.
#[derive(Clone, Copy)]
pub(crate) struct Write<'a> {
    /// The new value; none to remove the key.
    pub(crate) value: Option<&'a [u8]>,
    /// Whether the tree is known to have the key already.
    pub(crate) there: bool,
}

/// What a version does to one tree.
pub(crate) struct Update {
    /// The new root.
    pub(crate) root: [u8; 32],
    /// Nodes to write: row and contents.
    pub(crate) nodes: Vec<(Bytes, Bytes)>,
    /// Rows of nodes that the new root no longer reaches.
    pub(crate) stale: Vec<Bytes>,
}

/// Applies writes to a tree, of which `base` has the root and the version that wrote it. A key that is removed must be
/// there; without writes that change anything there is no update. `recent` has nodes of committed versions.
pub(crate) fn update(
    view: &View,
    recent: Option<&Recent>,
    tree: u8,
    base: Option<(u64, [u8; 32])>,
    version: u64,
    writes: &BTreeMap<&[u8], Write<'_>>,
) -> Result<Update, StateError> {
    let mut changes: Vec<Change<'_>> = writes.iter().map(|(key, write)| Change::new(key, *write)).collect();
    changes.sort_unstable_by_key(|change| change.hash);
    let out = Update { root: EMPTY_ROOT, nodes: Vec::new(), stale: Vec::new() };
    let mut pass = Pass { view, recent, tree, version, out };
    let root = base.map(|(version, hash)| Branch { hash, version, below: Some(0) });
    pass.out.root = match pass.subtree(0, root.as_ref(), &changes)? {
        Subtree::Nothing => {
            pass.out.nodes.push((keys::node(tree, version, std::iter::empty()), node::null_row()));
            EMPTY_ROOT
        }
        Subtree::Leaf(leaf) => pass.put_leaf(0, &leaf).hash,
        Subtree::Inner(branch) => branch.hash,
    };
    Ok(pass.out)
}

/// A write as the tree sees it, or a leaf that it goes past.
#[derive(Clone)]
struct Change<'a> {
    /// The hash of its key.
    hash: [u8; 32],
    key: Cow<'a, [u8]>,
    /// The hash of the leaf that it becomes; none if it goes.
    leaf: Option<[u8; 32]>,
    there: bool,
    /// Version and level of the leaf's row, if it has one.
    row: Option<(u64, usize)>,
}

impl<'a> Change<'a> {
    fn new(key: &'a [u8], write: Write<'_>) -> Self {
        let hash = node::key_hash(key).0;
        let leaf = write.value.map(|value| leaf_hash(&hash, &Sha256::digest(value).into()));
        Self { hash, key: key.into(), leaf, there: write.there, row: None }
    }

    /// A leaf that is there.
    fn old(key: Vec<u8>, leaf: [u8; 32], row: (u64, usize)) -> Self {
        let hash = node::key_hash(&key).0;
        Self { hash, key: key.into(), leaf: Some(leaf), there: true, row: Some(row) }
    }
}

/// What a place of the tree holds afterwards.
enum Subtree<'a> {
    Nothing,
    /// A leaf, which gets its row where it ends up.
    Leaf(Change<'a>),
    /// An inner node, written.
    Inner(Branch),
}

/// An update while it is made.
struct Pass<'a> {
    view: &'a View,
    recent: Option<&'a Recent>,
    tree: u8,
    version: u64,
    out: Update,
}

impl Pass<'_> {
    /// Applies changes, of which there are some, to the place that their hashes share at a level.
    fn subtree<'a>(
        &mut self,
        level: usize,
        old: Option<&Branch>,
        changes: &[Change<'a>],
    ) -> Result<Subtree<'a>, StateError> {
        let (Some(old), Some(first)) = (old, changes.first()) else { return self.fresh(level, changes) };
        let row = keys::node(self.tree, old.version, path(&first.hash, level));
        if old.is_leaf()
            && let Some(at) = changes.iter().position(|change| change.there)
        {
            return self.over(level, old.version, at, changes);
        }
        let contents = match self.recent.and_then(|recent| recent.get(&row)) {
            Some(contents) => contents,
            None => self.read(&row)?,
        };
        match node::inner(&contents)? {
            Some(branches) => {
                self.out.stale.push(row);
                self.inner(level, branches, changes)
            }
            None => match node::parts(&contents)? {
                Parts::Leaf { key } => self.beside(level, Change::old(key, old.hash, (old.version, level)), changes),
                Parts::Null | Parts::Inner(_) => {
                    self.out.stale.push(row);
                    self.fresh(level, changes)
                }
            },
        }
    }

    /// The same where there is a leaf, of the same key or of another.
    fn beside<'a>(
        &mut self,
        level: usize,
        leaf: Change<'a>,
        changes: &[Change<'a>],
    ) -> Result<Subtree<'a>, StateError> {
        match (changes.binary_search_by_key(&leaf.hash, |change| change.hash), leaf.row) {
            (Ok(at), Some((version, _))) => self.over(level, version, at, changes),
            (Ok(at) | Err(at), _) => {
                let mut all = changes.to_vec();
                all.insert(at, leaf);
                self.fresh(level, &all)
            }
        }
    }

    /// The same where there is the leaf of one of the changes, in a row that `version` has written.
    fn over<'a>(
        &mut self,
        level: usize,
        version: u64,
        at: usize,
        changes: &[Change<'a>],
    ) -> Result<Subtree<'a>, StateError> {
        let mut all = changes.to_vec();
        if let Some(change) = all.get_mut(at) {
            change.row = Some((version, level));
            if change.leaf.is_none() {
                self.out.stale.push(keys::node(self.tree, version, path(&change.hash, level)));
            }
        }
        self.fresh(level, &all)
    }

    /// The same where there is nothing.
    fn fresh<'a>(&mut self, level: usize, changes: &[Change<'a>]) -> Result<Subtree<'a>, StateError> {
        let mut leaves = changes.iter().filter(|change| change.leaf.is_some());
        match (leaves.next(), leaves.next()) {
            (None, _) => Ok(Subtree::Nothing),
            (Some(leaf), None) => Ok(Subtree::Leaf(leaf.clone())),
            _ => self.inner(level, Branches::default(), changes),
        }
    }

    /// The same where there is an inner node.
    fn inner<'a>(
        &mut self,
        level: usize,
        mut branches: Branches,
        changes: &[Change<'a>],
    ) -> Result<Subtree<'a>, StateError> {
        let place_of = |change: &Change<'_>| nibble(&change.hash, level);
        let mut leaves = Vec::new();
        for part in changes.chunk_by(|a, b| place_of(a) == place_of(b)) {
            let Some(place) = part.first().map(place_of) else { continue };
            match self.subtree(level + 1, branches.get(place), part)? {
                Subtree::Nothing => branches.clear(place),
                Subtree::Inner(branch) => branches.set(place, branch),
                Subtree::Leaf(leaf) => {
                    branches.set(place, Branch { hash: EMPTY_ROOT, version: self.version, below: None });
                    leaves.push((place, leaf));
                }
            }
        }
        let mut left = branches.iter();
        let (one, two) = (left.next().map(|(place, branch)| (place, *branch)), left.next().is_some());
        drop(left);
        match one {
            None => return Ok(Subtree::Nothing),
            Some((place, only)) if only.is_leaf() && !two => {
                return match leaves.pop() {
                    Some((_, leaf)) => Ok(Subtree::Leaf(leaf)),
                    None => self.moved(level, place, &only, changes),
                };
            }
            Some(_) => {}
        }
        for (place, leaf) in leaves {
            branches.set(place, self.put_leaf(level + 1, &leaf));
        }
        let Some(first) = changes.first() else { return Ok(Subtree::Nothing) };
        let below =
            branches.leaves().ok_or_else(|| StateError::corrupt("a tree has more leaves than can be counted"))?;
        let row = keys::node(self.tree, self.version, path(&first.hash, level));
        self.out.nodes.push((row, node::inner_row(&branches)));
        Ok(Subtree::Inner(Branch { hash: branches.hash(), version: self.version, below: Some(below) }))
    }

    /// A leaf that is alone in its node now, and leaves its place.
    fn moved<'a>(
        &mut self,
        level: usize,
        place: u8,
        leaf: &Branch,
        changes: &[Change<'a>],
    ) -> Result<Subtree<'a>, StateError> {
        let way = changes.first().map(|first| first.hash).unwrap_or_default();
        let row = keys::node(self.tree, leaf.version, path(&way, level).chain([place]));
        let Parts::Leaf { key } = node::parts(&self.read(&row)?)? else {
            return Err(StateError::corrupt("a leaf's row holds another node"));
        };
        Ok(Subtree::Leaf(Change::old(key, leaf.hash, (leaf.version, level + 1))))
    }

    /// Gives a leaf its place: its row stays if it stands there already. The root's row is always written, since the version
    /// of the root is found without a parent.
    fn put_leaf(&mut self, level: usize, leaf: &Change<'_>) -> Branch {
        let hash = leaf.leaf.unwrap_or(EMPTY_ROOT);
        match leaf.row {
            Some((version, at)) if at == level && level > 0 => return Branch { hash, version, below: None },
            Some((version, at)) => self.out.stale.push(keys::node(self.tree, version, path(&leaf.hash, at))),
            None => {}
        }
        let row = keys::node(self.tree, self.version, path(&leaf.hash, level));
        self.out.nodes.push((row, node::leaf_row(&leaf.key)));
        Branch { hash, version: self.version, below: None }
    }

    fn read(&self, row: &[u8]) -> Result<Bytes, StateError> {
        let missing = || StateError::corrupt(format!("tree node {row:?} is missing"));
        self.view.get_shared(Table::Nodes, row)?.ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::ops::Bound;

    use jmt::Sha256Jmt;
    use proptest::prelude::*;

    use super::*;
    use crate::disk::{Disk, Rows};
    use crate::tree::Reader;

    const TREE: u8 = 1;

    /// Applies writes as the library does and as it is done here; what is stale goes at once. `state` is what was there.
    fn both(
        disk: &Disk,
        recent: &Recent,
        state: &BTreeMap<u8, u8>,
        base: &mut Option<(u64, [u8; 32])>,
        version: u64,
        writes: &[(u8, Option<u8>, bool)],
    ) {
        let rows: Vec<_> =
            writes.iter().map(|(key, value, there)| ([*key], value.map(|value| [value]), *there)).collect();
        let map = rows.iter().map(|(key, value, there)| {
            (&key[..], Write { value: value.as_ref().map(|value| &value[..]), there: *there })
        });
        let view = disk.view();
        let ours = update(&view, Some(recent), TREE, *base, version, &map.collect()).unwrap();
        let values = |key: &[u8]| Ok(state.get(key.first().unwrap()).map(|value| vec![*value]));
        let reader = Reader::new(&view, TREE, version - 1, base.map(|(version, _)| version), &values);
        let theirs = rows.iter().map(|(key, value, _)| (node::key_hash(key), value.map(|value| value.to_vec())));
        let (theirs, batch) = Sha256Jmt::new(&reader).put_value_set(theirs, version).unwrap();
        assert_eq!(ours.root, theirs.0);
        // The library takes removals one by one, and writes all leaves anew.
        if writes.iter().all(|(_, value, _)| value.is_some()) {
            let inner =
                batch.node_batch.nodes().values().filter(|node| matches!(node, jmt::storage::Node::Internal(_)));
            assert_eq!(ours.nodes.iter().filter(|(_, row)| node::is_inner(row)).count(), inner.count());
        }
        *base = Some((version, ours.root));
        let mut rows = Rows::default();
        ours.nodes.iter().cloned().for_each(|(row, contents)| rows.put(Table::Nodes, row, contents));
        ours.stale.into_iter().for_each(|row| rows.remove(Table::Nodes, row));
        disk.write(version, rows).unwrap();
        recent.put(ours.nodes.into_iter().filter(|(_, row)| node::is_inner(row)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// Nodes that are stale are gone at once here, so each later version proves that none was needed.
        #[test]
        fn the_tree_is_jmts(blocks in prop::collection::vec(prop::collection::btree_map(0u8..60, prop::option::of(0u8..4), 1..25), 1..12)) {
            let dir = tempfile::tempdir().unwrap();
            let disk = Disk::open(dir.path(), 1 << 20, None, Rows::default).unwrap();
            let (recent, mut state, mut base) = (Recent::default(), BTreeMap::new(), None);
            for (version, block) in (1..).zip(blocks) {
                let real: Vec<_> = block
                    .into_iter()
                    .filter(|(key, value)| state.get(key) != value.as_ref())
                    .map(|(key, value)| (key, value, state.contains_key(&key)))
                    .collect();
                if real.is_empty() {
                    continue;
                }
                both(&disk, &recent, &state, &mut base, version, &real);
                for (key, value, _) in real {
                    match value {
                        Some(value) => state.insert(key, value),
                        None => state.remove(&key),
                    };
                }
                let all = disk.view().range(Table::Nodes, Bound::Unbounded, Bound::Unbounded).collect::<Result<Vec<_>, _>>();
                let leaves = all.unwrap().iter().filter(|(_, row)| matches!(node::parts(row), Ok(Parts::Leaf { .. }))).count();
                prop_assert_eq!(leaves, state.len());
            }
        }
    }
}
