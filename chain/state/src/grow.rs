//! A tree from its leaves, handed over from left to right: it grows at its right edge only.
//!
//! Whatever lies left of the latest leaf is final: its rows are given out as soon as they are known, and only the
//! nodes on the way to that leaf stay open. With the branches right of the edge, which a snapshot proves, the root is
//! known at any moment: so the leaves so far are right or wrong, long before the tree is complete.

use crate::branch::{Branch, Branches, bit, inner_hash, nibble, path};
use crate::disk::{Bulk, Table};
use crate::tree::EMPTY_ROOT;
use crate::walk::{Edge, Leaf};
use crate::{keys, node};

/// The right edge of a tree that grows.
pub(crate) struct Growing {
    tree: u8,
    version: u64,
    /// The open nodes on the way to the latest leaf, from the root down; the leaf hangs below the last one.
    open: Vec<Branches>,
    latest: Option<Leaf>,
}

impl Growing {
    pub(crate) fn new(tree: u8, version: u64) -> Self {
        Self { tree, version, open: Vec::new(), latest: None }
    }

    /// Adds a leaf right of all others, and writes the rows that are final now. False, and nothing happens, if it is
    /// not right of them.
    pub(crate) fn push(&mut self, leaf: Leaf, rows: &mut Bulk) -> bool {
        let Some(before) = &self.latest else {
            self.latest = Some(leaf);
            return true;
        };
        if leaf.key_hash <= before.key_hash {
            return false;
        }
        let shared = (0..64).take_while(|level| nibble(&leaf.key_hash, *level) == nibble(&before.key_hash, *level));
        let shared = shared.count();
        while self.open.len() <= shared {
            self.open.push(Branches::default());
        }
        if let Some(before) = self.latest.replace(leaf) {
            self.hang(&before, shared + 1, rows);
        }
        true
    }

    /// The root if just the branches of `edge` lie right of the latest leaf; none without a leaf, or if the number of
    /// branches does not fit the depth.
    pub(crate) fn root_with(&self, edge: &Edge) -> Option<[u8; 32]> {
        let latest = self.latest.as_ref()?;
        let mut hash = latest.hash;
        let mut right = edge.right.iter();
        for at in (0..edge.depth).rev() {
            hash = if bit(&latest.key_hash, at) {
                let level = usize::from(at / 4);
                let place = nibble(&latest.key_hash, level);
                let left = self.open.get(level).map_or(EMPTY_ROOT, |branches| branches.sibling(place, at % 4));
                inner_hash(&left, &hash)
            } else {
                inner_hash(&hash, right.next()?)
            };
        }
        right.next().is_none().then_some(hash)
    }

    /// Closes the tree after its last leaf; its root, or none if it has no leaf.
    pub(crate) fn finish(mut self, rows: &mut Bulk) -> Option<[u8; 32]> {
        let latest = self.latest.take()?;
        Some(self.hang(&latest, 0, rows))
    }

    /// Hangs a leaf below the lowest open node and closes all nodes but `keep` of them; the hash of what was closed
    /// last.
    fn hang(&mut self, leaf: &Leaf, keep: usize, rows: &mut Bulk) -> [u8; 32] {
        let place = |levels| keys::node(self.tree, self.version, path(&leaf.key_hash, levels));
        let mut closed = Branch { hash: leaf.hash, version: self.version, below: None };
        rows.put(Table::Nodes, &place(self.open.len()), &node::leaf_row(&leaf.key));
        while let Some(mut branches) = self.open.pop() {
            let level = self.open.len();
            branches.set(nibble(&leaf.key_hash, level), closed);
            if level < keep {
                self.open.push(branches);
                break;
            }
            rows.put(Table::Nodes, &place(level), &node::inner_row(&branches));
            closed = Branch { hash: branches.hash(), version: self.version, below: branches.leaves() };
        }
        closed.hash
    }
}
