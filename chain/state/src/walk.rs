//! The leaves of a tree from left to right, that is by the hashes of their keys, and what lies right of one.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::branch::{Branches, bit, nibble, path};
use crate::disk::{Table, View};
use crate::error::StateError;
use crate::node::{self, Parts};
use crate::{keys, tree::root_at};

/// Places on the way to the deepest leaf.
const LEVELS: usize = 64;

/// An entry as the tree knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) key_hash: [u8; 32],
    /// The hash of key and value.
    pub(crate) hash: [u8; 32],
    pub(crate) key: Vec<u8>,
}

/// Children of a node that are read at once if one version has written them: their rows lie side by side.
const TOGETHER: usize = 3;

/// A walk over the leaves of one tree at one version. It holds one node with its children per level.
pub(crate) struct Walk {
    view: View,
    tree: u8,
    /// Leaves left of it are passed over.
    start: [u8; 32],
    /// The version of the root's row and the root, until it has been read.
    root: Option<(u64, [u8; 32])>,
    /// The open nodes from the root down.
    open: Vec<Open>,
    /// The places that lead to the last of them.
    path: Vec<u8>,
}

/// An inner node on the way.
struct Open {
    branches: Box<Branches>,
    /// The next place.
    next: u8,
    /// Rows of children that have been read already, by place.
    rows: BTreeMap<u8, Vec<u8>>,
}

impl Walk {
    /// Begins at the first leaf whose key hash is `start` or larger.
    pub(crate) fn new(view: &View, tree: u8, version: u64, start: [u8; 32]) -> Result<Self, StateError> {
        let root = root_at(view, tree, version)?.ok_or(StateError::Unproven { version })?;
        Ok(Self { view: view.clone(), tree, start, root: Some(root), open: Vec::new(), path: Vec::new() })
    }

    /// The next leaf.
    pub(crate) fn next(&mut self) -> Result<Option<Leaf>, StateError> {
        if let Some(root) = self.root.take()
            && let Some(leaf) = self.enter(root, None)?
        {
            return Ok(Some(leaf));
        }
        while let Some(open) = self.open.last_mut() {
            let place = open.next;
            open.next += 1;
            match open.branches.get(place).map(|branch| (branch.version, branch.hash)) {
                Some(node) => {
                    let row = open.rows.remove(&place);
                    self.path.push(place);
                    let found = self.enter(node, row)?;
                    self.path.truncate(self.open.len().saturating_sub(1));
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                None if place < 16 => {}
                None => {
                    self.open.pop();
                    self.path.truncate(self.open.len().saturating_sub(1));
                }
            }
        }
        Ok(None)
    }

    /// Reads the node at the path, unless its row is there: a leaf is answered if it is not passed over, an inner node
    /// is opened.
    fn enter(&mut self, (version, hash): (u64, [u8; 32]), row: Option<Vec<u8>>) -> Result<Option<Leaf>, StateError> {
        let level = self.path.len();
        let node = match row {
            Some(row) => node::parts(&row)?,
            None => read(&self.view, self.tree, version, self.path.iter().copied())?,
        };
        match node {
            Parts::Null => Ok(None),
            Parts::Leaf { key } => {
                let leaf = Leaf { key_hash: node::key_hash(&key).0, hash, key };
                Ok((leaf.key_hash >= self.start).then_some(leaf))
            }
            Parts::Inner(_) if level >= LEVELS => Err(StateError::corrupt("a tree is deeper than its hashes are long")),
            Parts::Inner(branches) => {
                let on_edge = path(&self.start, level).eq(self.path.iter().copied());
                let next = if on_edge { nibble(&self.start, level) } else { 0 };
                let rows = self.children(&branches, next)?;
                self.open.push(Open { branches, next, rows });
                Ok(None)
            }
        }
    }

    /// The rows of children of the node at the path, from a place on, where many are of one version.
    fn children(&self, branches: &Branches, from: u8) -> Result<BTreeMap<u8, Vec<u8>>, StateError> {
        let mut places: BTreeMap<u64, Vec<(u8, Vec<u8>)>> = BTreeMap::new();
        for (place, branch) in branches.iter().filter(|(place, _)| *place >= from) {
            let row = keys::node(self.tree, branch.version, self.path.iter().copied().chain([place]));
            places.entry(branch.version).or_default().push((place, row.to_vec()));
        }
        let mut found = BTreeMap::new();
        for places in places.into_values().filter(|places| places.len() >= TOGETHER) {
            let ends = places.first().zip(places.last()).map(|((_, first), (_, last))| (first.clone(), last.clone()));
            let Some((first, last)) = ends else { continue };
            let mut wanted = places.into_iter().peekable();
            for row in self.view.range(Table::Nodes, Bound::Included(first), Bound::Included(last)) {
                let (row, contents) = row?;
                // Between them may be rows that later versions have replaced.
                if let Some((place, _)) = wanted.next_if(|(_, wanted)| *wanted == row) {
                    found.insert(place, contents);
                }
            }
        }
        Ok(found)
    }
}

/// Where a leaf hangs in the binary tree, and all that is right of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    /// Levels above the leaf.
    pub(crate) depth: u8,
    /// The hashes of the branches right of the way to it, the lowest first.
    pub(crate) right: Vec<[u8; 32]>,
}

/// What is right of the leaf with this key hash, which must be in the tree.
pub(crate) fn edge(view: &View, tree: u8, version: u64, key_hash: &[u8; 32]) -> Result<Edge, StateError> {
    let (mut base, _) = root_at(view, tree, version)?.ok_or(StateError::Unproven { version })?;
    let mut edge = Edge { depth: 0, right: Vec::new() };
    for level in 0..LEVELS {
        let Parts::Inner(branches) = read(view, tree, base, path(key_hash, level))? else { break };
        let place = nibble(key_hash, level);
        for at in 0..4 {
            if branches.is_alone(place, at) {
                edge.right.reverse();
                return Ok(edge);
            }
            if !bit(key_hash, edge.depth) {
                edge.right.push(branches.sibling(place, at));
            }
            edge.depth = edge.depth.checked_add(1).ok_or_else(|| StateError::corrupt("two keys have one hash"))?;
        }
        match branches.get(place) {
            Some(branch) if !branch.is_leaf() => base = branch.version,
            Some(_) => break,
            None => return Err(StateError::corrupt(format!("tree {tree} has no leaf where one was found"))),
        }
    }
    edge.right.reverse();
    Ok(edge)
}

fn read(view: &View, tree: u8, version: u64, path: impl Iterator<Item = u8>) -> Result<Parts, StateError> {
    let row = keys::node(tree, version, path);
    match view.get(Table::Nodes, &row)? {
        Some(contents) => node::parts(&contents),
        None => Err(StateError::corrupt(format!("a node of tree {tree}, written at height {version}, is missing"))),
    }
}
