//! The Merkle trees: one per component and the app tree over them.
//!
//! The tree itself is jmt's. Here is what joins it to the tables: nodes are read and written as rows, a tree that a
//! version leaves alone keeps its root without a copy, and removals and writes of one version go through the tree
//! in two passes, because the pass that hashes every touched node once takes only writes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;

use jmt::storage::{HasPreimage, LeafNode, Node, NodeKey, StaleNodeIndex, TreeReader, TreeUpdateBatch};
use jmt::{KeyHash, OwnedValue, Sha256Jmt, ValueHash};

use crate::disk::{Table, View};
use crate::error::StateError;
use crate::{keys, node};

/// Root of a tree without entries, and app hash before the first commit.
pub const EMPTY_ROOT: [u8; 32] = *b"SPARSE_MERKLE_PLACEHOLDER_HASH__";

/// Key of the one entry that every component's tree has from the first commit on; its value is the component's name.
///
/// No tree is ever empty, so every absence is provable and each component is under the app hash at every height.
/// The entry is neither listed nor read, and cannot be written.
pub const SENTINEL_KEY: &[u8] = &[0];

/// What a version does to one tree.
pub(crate) struct Update {
    /// The new root.
    pub(crate) root: [u8; 32],
    /// Nodes to write: row and contents.
    pub(crate) nodes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Rows of nodes that the new root no longer reaches.
    pub(crate) stale: Vec<Vec<u8>>,
}

/// The version that gave `tree` the root that it has at `version`, and that root.
pub(crate) fn root_at(view: &View, tree: u8, version: u64) -> Result<Option<(u64, [u8; 32])>, StateError> {
    let lower = Bound::Included(keys::root(tree, 0));
    let upper = Bound::Included(keys::root(tree, version));
    let Some(row) = view.range(Table::Roots, lower, upper).next_back() else { return Ok(None) };
    let (row, root) = row?;
    let broken = || StateError::corrupt(format!("root of tree {tree} at height {version} has no known form"));
    let since = keys::version_of_root(&row).ok_or_else(broken)?;
    Ok(Some((since, root.try_into().map_err(|_| broken())?)))
}

/// Applies writes to a tree whose root was last written by `base`. Keys must be new or have another value so far,
/// removed keys must be there; at least one key changes.
pub(crate) fn update(
    view: &View,
    tree: u8,
    base: Option<u64>,
    version: u64,
    writes: &BTreeMap<&[u8], Option<&[u8]>>,
) -> Result<Update, StateError> {
    let mut keys_by_hash = BTreeMap::new();
    let (mut removed, mut written) = (Vec::new(), Vec::new());
    for (key, value) in writes {
        let hash = node::key_hash(key);
        keys_by_hash.insert(hash, key.to_vec());
        match value {
            Some(value) => written.push((hash, value.to_vec())),
            None => removed.push((hash, None)),
        }
    }

    let failed = |error: anyhow::Error| tree_error(version, error);
    let mut reader = Reader::new(view, tree, version.saturating_sub(1), base);
    let mut root = None;
    if !removed.is_empty() {
        let (after, batch) = Sha256Jmt::new(&reader).put_value_set(removed, version).map_err(failed)?;
        root = Some(after);
        reader.earlier = Some(batch);
    }
    let mut later = TreeUpdateBatch::default();
    if !written.is_empty() {
        let (after, batch) =
            Sha256Jmt::new(&reader).batch_put_value_sets(vec![written], None, version).map_err(failed)?;
        root = after.first().copied().or(root);
        later = batch;
    }
    let root = root.ok_or_else(|| StateError::corrupt("a tree was updated with nothing"))?.0;
    let mut seen = reader.keys.into_inner();
    let earlier = reader.earlier.unwrap_or_default();

    let later_nodes = later.node_batch.nodes();
    let undone = |place: &NodeKey| {
        let stale_since_version = version;
        let index = StaleNodeIndex { stale_since_version, node_key: place.clone() };
        later_nodes.contains_key(place) || later.stale_node_index_batch.contains(&index)
    };
    let kept = earlier.node_batch.nodes().iter().filter(|(place, _)| !undone(place));
    let mut nodes = Vec::with_capacity(later_nodes.len());
    for (place, contents) in kept.chain(later_nodes) {
        let key_of = |hash: KeyHash| {
            let key = keys_by_hash.remove(&hash).or_else(|| seen.remove(&hash));
            key.ok_or_else(|| StateError::corrupt(format!("leaf {hash:?} has no key")))
        };
        nodes.push((row_of(tree, place.version(), place), node::encode(contents, key_of)?));
    }

    // What the second pass replaced of the first one never reaches the disk. Both call the root before them by the
    // version just before; it has the row of the version that wrote it.
    let mut stale = Vec::with_capacity(later.stale_node_index_batch.len());
    let old_root = |place: &NodeKey| place.nibble_path().is_empty();
    let indices = earlier.stale_node_index_batch.iter().chain(&later.stale_node_index_batch);
    for place in indices.map(|index| &index.node_key) {
        if place.version() != version && !old_root(place) {
            stale.push(row_of(tree, place.version(), place));
        }
    }
    stale.extend(base.map(|base| keys::node(tree, base, std::iter::empty())));
    Ok(Update { root, nodes, stale })
}

fn row_of(tree: u8, version: u64, place: &NodeKey) -> Vec<u8> {
    keys::node(tree, version, place.nibble_path().nibbles().map(u8::from))
}

/// What the tree library's errors mean: our own are passed through, the rest is a tree that contradicts itself.
fn tree_error(version: u64, error: anyhow::Error) -> StateError {
    match error.downcast::<StateError>() {
        Ok(error) => error,
        Err(error) => StateError::Tree { version, what: format!("{error:#}") },
    }
}

/// Gives the tree library its nodes.
pub(crate) struct Reader<'a> {
    view: &'a View,
    tree: u8,
    /// The version under which the library asks for the root …
    asked: u64,
    /// … and the one that wrote it.
    base: Option<u64>,
    /// An earlier pass over the same version.
    earlier: Option<TreeUpdateBatch>,
    /// The keys of all leaves met.
    keys: RefCell<BTreeMap<KeyHash, Vec<u8>>>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(view: &'a View, tree: u8, asked: u64, base: Option<u64>) -> Self {
        Self { view, tree, asked, base, earlier: None, keys: RefCell::default() }
    }

    fn node(&self, place: &NodeKey) -> Result<Option<Node>, StateError> {
        let is_root = place.nibble_path().is_empty() && place.version() == self.asked;
        if let Some(earlier) = &self.earlier {
            // All its nodes have one version, so its root is the first of them.
            let nodes = earlier.node_batch.nodes();
            let found = if is_root { nodes.values().next() } else { nodes.get(place) };
            if let Some(node) = found {
                return Ok(Some(node.clone()));
            }
        }
        let version = match (is_root, self.base) {
            (false, _) => place.version(),
            (true, Some(base)) => base,
            (true, None) => return Ok(Some(Node::Null)),
        };
        let Some(row) = self.view.get(Table::Nodes, &row_of(self.tree, version, place))? else { return Ok(None) };
        let (node, key) = node::decode(&row)?;
        if let (Node::Leaf(leaf), Some(key)) = (&node, key) {
            self.keys.borrow_mut().insert(leaf.key_hash(), key);
        }
        Ok(Some(node))
    }
}

impl TreeReader for Reader<'_> {
    fn get_node_option(&self, place: &NodeKey) -> anyhow::Result<Option<Node>> {
        Ok(self.node(place)?)
    }

    /// Updating needs no value: leaves hold their hashes.
    fn get_value_option(&self, _: u64, _: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        Ok(None)
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        Ok(None)
    }
}

/// Looks up the value behind a key at the proven height.
pub(crate) type Values<'a> = &'a dyn Fn(&[u8]) -> Result<Option<Vec<u8>>, StateError>;

/// Gives the tree library what it needs for a proof.
///
/// While it proves, the library takes a failed read of a sibling for a bug of its own and panics. So a failure is
/// kept here and an arbitrary leaf handed out in its place; the proof made of it is thrown away.
pub(crate) struct Prover<'a> {
    reader: Reader<'a>,
    values: Values<'a>,
    failure: RefCell<Option<StateError>>,
}

impl<'a> Prover<'a> {
    pub(crate) fn new(reader: Reader<'a>, values: Values<'a>) -> Self {
        Self { reader, values, failure: RefCell::default() }
    }

    /// A proof of the key's value, or of its absence.
    pub(crate) fn prove(
        self,
        key: &[u8],
        version: u64,
    ) -> Result<(Option<Vec<u8>>, ics23::CommitmentProof), StateError> {
        let proven = Sha256Jmt::new(&self).get_with_ics23_proof(key.to_vec(), version);
        match self.failure.into_inner() {
            Some(failure) => Err(failure),
            None => proven.map_err(|error| tree_error(version, error)),
        }
    }
}

impl TreeReader for Prover<'_> {
    fn get_node_option(&self, place: &NodeKey) -> anyhow::Result<Option<Node>> {
        let found = self
            .reader
            .node(place)
            .and_then(|node| node.ok_or_else(|| StateError::corrupt(format!("tree node {place:?} is missing"))));
        Ok(Some(found.unwrap_or_else(|failure| {
            self.failure.borrow_mut().get_or_insert(failure);
            Node::Leaf(LeafNode::new(KeyHash([0; 32]), ValueHash([0; 32])))
        })))
    }

    fn get_value_option(&self, _: u64, hash: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        match self.preimage(hash)? {
            Some(key) => Ok((self.values)(&key)?),
            None => Ok(None),
        }
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        Ok(None)
    }
}

impl HasPreimage for Prover<'_> {
    fn preimage(&self, hash: KeyHash) -> anyhow::Result<Option<Vec<u8>>> {
        Ok(self.reader.keys.borrow().get(&hash).cloned())
    }
}
