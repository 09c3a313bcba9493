//! The Merkle trees: one per component and the app tree over them.
//!
//! The tree is jmt's, which makes the proofs; [`crate::update`] writes it. Here is what joins it to the tables: nodes
//! are read as rows, and a tree that a version leaves alone keeps its root without a copy.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;

use jmt::storage::{HasPreimage, LeafNode, Node, NodeKey, TreeReader};
use jmt::{KeyHash, OwnedValue, Sha256Jmt, ValueHash};

use crate::disk::{Bytes, Table, View};
use crate::error::StateError;
use crate::{keys, node};

/// Root of a tree without entries, and app hash before the first commit.
pub const EMPTY_ROOT: [u8; 32] = *b"SPARSE_MERKLE_PLACEHOLDER_HASH__";

/// Key of the one entry that every component's tree has from the first commit on; its value is the component's name.
///
/// No tree is ever empty, so every absence is provable and each component is under the app hash at every height.
/// The entry is neither listed nor read, and cannot be written.
pub const SENTINEL_KEY: &[u8] = &[0];

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

fn row_of(tree: u8, version: u64, place: &NodeKey) -> Bytes {
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
    /// The values of its keys at that version.
    values: Values<'a>,
    /// The keys of all leaves met.
    keys: RefCell<BTreeMap<KeyHash, Vec<u8>>>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(view: &'a View, tree: u8, asked: u64, base: Option<u64>, values: Values<'a>) -> Self {
        Self { view, tree, asked, base, values, keys: RefCell::default() }
    }

    fn node(&self, place: &NodeKey) -> Result<Option<Node>, StateError> {
        let is_root = place.nibble_path().is_empty() && place.version() == self.asked;
        let version = match (is_root, self.base) {
            (false, _) => place.version(),
            (true, Some(base)) => base,
            (true, None) => return Ok(Some(Node::Null)),
        };
        let Some(row) = self.view.get(Table::Nodes, &row_of(self.tree, version, place))? else { return Ok(None) };
        let (node, key) = node::decode(&row, self.values)?;
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
    failure: RefCell<Option<StateError>>,
}

impl<'a> Prover<'a> {
    pub(crate) fn new(reader: Reader<'a>) -> Self {
        Self { reader, failure: RefCell::default() }
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
            Some(key) => Ok((self.reader.values)(&key)?),
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
