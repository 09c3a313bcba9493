//! Walks over the tree of a file, bounded whatever the blocks say.
//!
//! A hostile tree cannot be a cycle, since that needs a broken hash, but it can be deep, share its nodes so that a small
//! one stands for an astronomical file, and lie about sizes. So: at most [`DEPTH_MAX`] levels, every distinct node once
//! when the whole is checked, and a size that a parent states holds or the walk ends.

use std::collections::{BTreeMap, BTreeSet};

use aceso_types::blob::{BlobId, DAG_PB, RAW};

use crate::{
    error::{BlobError, Place},
    node::{DEPTH_MAX, Node, NodeFault},
    record::Digest,
};

/// Where blocks come from.
pub(crate) trait Blocks {
    /// Length of a block that is here, without looking at its bytes.
    fn len(&self, block: &BlobId) -> Option<u64>;

    /// The bytes of a block of the blob `id`, hashed; [`BlobError::Incomplete`] or [`BlobError::Corrupt`] else.
    fn get(&self, id: &BlobId, block: &BlobId) -> Result<Vec<u8>, BlobError>;
}

fn malformed(id: &BlobId, block: &BlobId, fault: NodeFault) -> BlobError {
    BlobError::Malformed { place: Place::new(id, block), fault }
}

fn check_size(id: &BlobId, block: &BlobId, stated: u64, got: u64) -> Result<(), BlobError> {
    if got == stated { Ok(()) } else { Err(malformed(id, block, NodeFault::Size { stated, got })) }
}

fn check_depth(id: &BlobId, block: &BlobId, depth: usize) -> Result<(), BlobError> {
    if depth < DEPTH_MAX { Ok(()) } else { Err(malformed(id, block, NodeFault::Depth(DEPTH_MAX))) }
}

/// A node of `stated` bytes. Its length is looked at before its bytes are fetched.
fn node<B: Blocks>(blocks: &B, id: &BlobId, block: &BlobId, stated: u64) -> Result<Node, BlobError> {
    let node = Node::decode(&blocks.get(id, block)?).map_err(|fault| malformed(id, block, fault))?;
    check_size(id, block, stated, node.size())?;
    Ok(node)
}

/// Checks that every block of the file `id` of `size` bytes is here and adds their digests to `seen`. Nodes are read
/// and hashed, leaves only looked up.
pub(crate) fn check_whole<B: Blocks>(
    blocks: &B,
    id: &BlobId,
    size: u64,
    seen: &mut BTreeSet<Digest>,
) -> Result<(), BlobError> {
    let mut sizes = BTreeMap::new();
    let mut todo = vec![(*id, size, 0)];
    while let Some((block, stated, depth)) = todo.pop() {
        let length = blocks.len(&block).ok_or_else(|| BlobError::Incomplete(Place::new(id, &block)))?;
        seen.insert(block.sha256());
        if block.codec() == RAW {
            check_size(id, &block, stated, length)?;
            continue;
        }
        check_depth(id, &block, depth)?;
        if let Some(known) = sizes.get(&(block.sha256(), depth)) {
            check_size(id, &block, stated, *known)?;
            continue;
        }
        sizes.insert((block.sha256(), depth), stated);
        let node = node(blocks, id, &block, stated)?;
        todo.extend(node.links().iter().map(|link| (link.id, link.size, depth + 1)));
    }
    Ok(())
}

/// A place in a file. It keeps the nodes on the way to its leaf, so that reading on costs the next leaf only.
pub(crate) struct Cursor {
    id: BlobId,
    size: u64,
    path: Vec<(u64, Node)>,
    leaf: (u64, Vec<u8>),
}

impl Cursor {
    pub(crate) fn new(id: BlobId, size: u64) -> Self {
        Self { id, size, path: Vec::new(), leaf: (0, Vec::new()) }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The bytes from `at` to the end of their leaf, hashed; none at the end of the file.
    pub(crate) fn bytes<B: Blocks>(&mut self, blocks: &B, at: u64) -> Result<&[u8], BlobError> {
        if at >= self.size {
            return Ok(&[]);
        }
        if !covers(self.leaf.0, self.leaf.1.len() as u64, at) {
            self.leaf = (0, Vec::new());
            self.leaf = self.descend(blocks, at)?;
        }
        let skip = usize::try_from(at - self.leaf.0).unwrap_or(usize::MAX);
        Ok(self.leaf.1.get(skip..).unwrap_or_default())
    }

    fn descend<B: Blocks>(&mut self, blocks: &B, at: u64) -> Result<(u64, Vec<u8>), BlobError> {
        while self.path.pop_if(|(start, node)| !covers(*start, node.size(), at)).is_some() {}
        let (mut start, mut block, mut stated) = (0, self.id, self.size);
        loop {
            if let Some((first, node)) = self.path.last() {
                // The node covers `at`, so it has this child.
                let Some((skip, link)) = node.child(at - first) else {
                    return Err(malformed(&self.id, &block, NodeFault::Size { stated, got: node.size() }));
                };
                (start, block, stated) = (first + skip, link.id, link.size);
            }
            if block.codec() != DAG_PB {
                let bytes = blocks.get(&self.id, &block)?;
                check_size(&self.id, &block, stated, bytes.len() as u64)?;
                return Ok((start, bytes));
            }
            check_depth(&self.id, &block, self.path.len())?;
            self.path.push((start, node(blocks, &self.id, &block, stated)?));
        }
    }
}

fn covers(start: u64, size: u64, at: u64) -> bool {
    at.checked_sub(start).is_some_and(|skip| skip < size)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

    use std::cell::Cell;

    use super::*;
    use crate::node::{Link, encode};

    #[derive(Default)]
    struct Memory {
        blocks: BTreeMap<Digest, Vec<u8>>,
        reads: Cell<usize>,
    }

    impl Blocks for Memory {
        fn len(&self, block: &BlobId) -> Option<u64> {
            self.blocks.get(&block.sha256()).map(|bytes| bytes.len() as u64)
        }

        fn get(&self, id: &BlobId, block: &BlobId) -> Result<Vec<u8>, BlobError> {
            self.reads.set(self.reads.get() + 1);
            let missing = BlobError::Incomplete(Place::new(id, block));
            self.blocks.get(&block.sha256()).cloned().ok_or(missing)
        }
    }

    impl Memory {
        fn leaf(&mut self, bytes: &[u8]) -> Link {
            let id = BlobId::of_raw(bytes);
            self.blocks.insert(id.sha256(), bytes.to_vec());
            Link { id, size: bytes.len() as u64, total: 0 }
        }

        fn node(&mut self, links: &[Link]) -> Link {
            let bytes = encode(links);
            let id = BlobId::of_dag_pb(&bytes);
            self.blocks.insert(id.sha256(), bytes);
            Link { id, size: links.iter().map(|link| link.size).sum(), total: 0 }
        }

        fn whole(&self, root: &Link) -> Result<(), BlobError> {
            check_whole(self, &root.id, root.size, &mut BTreeSet::new())
        }

        fn read(&self, root: &Link) -> Result<Vec<u8>, BlobError> {
            let mut cursor = Cursor::new(root.id, root.size);
            let mut all = Vec::new();
            loop {
                let bytes = cursor.bytes(self, all.len() as u64)?;
                if bytes.is_empty() {
                    return Ok(all);
                }
                all.extend_from_slice(bytes);
            }
        }
    }

    #[test]
    fn an_uneven_tree_reads_from_every_byte() {
        let mut memory = Memory::default();
        let (a, b, c) = (memory.leaf(b"ab"), memory.leaf(b"c"), memory.leaf(b"defg"));
        let low = memory.node(&[b, c]);
        let root = memory.node(&[a.clone(), low, a]);
        memory.whole(&root).unwrap();
        assert_eq!(memory.read(&root).unwrap(), b"abcdefgab");
        let mut cursor = Cursor::new(root.id, root.size);
        for at in [8, 0, 3, 2, 7, 6] {
            assert_eq!(cursor.bytes(&memory, at).unwrap()[0], b"abcdefgab"[usize::try_from(at).unwrap()]);
        }
    }

    #[test]
    fn a_lie_about_a_size_ends_the_walk() {
        let mut memory = Memory::default();
        let leaf = memory.leaf(b"four");
        let long = memory.node(&[Link { size: 5, ..leaf.clone() }]);
        let node = memory.node(std::slice::from_ref(&leaf));
        let high = memory.node(&[Link { size: 9, ..node.clone() }]);
        let twice = memory.node(&[node.clone(), Link { size: 9, ..node }]);
        for root in [long, high, twice, Link { size: 7, ..leaf }] {
            for result in [memory.whole(&root), memory.read(&root).map(drop)] {
                assert!(
                    matches!(result, Err(BlobError::Malformed { fault: NodeFault::Size { .. }, .. })),
                    "{result:?}"
                );
            }
        }
    }

    #[test]
    fn a_deep_tree_is_refused_and_a_missing_block_named() {
        let mut memory = Memory::default();
        let leaf = memory.leaf(b"x");
        let mut root = leaf.clone();
        for _ in 0..DEPTH_MAX {
            root = memory.node(&[root]);
        }
        memory.whole(&root).unwrap();
        assert_eq!(memory.read(&root).unwrap(), b"x");
        let deeper = memory.node(std::slice::from_ref(&root));
        for result in [memory.whole(&deeper), memory.read(&deeper).map(drop)] {
            assert!(
                matches!(result, Err(BlobError::Malformed { fault: NodeFault::Depth(DEPTH_MAX), .. })),
                "{result:?}"
            );
        }
        memory.blocks.remove(&leaf.id.sha256());
        for result in [memory.whole(&root), memory.read(&root).map(drop)] {
            let named =
                matches!(&result, Err(BlobError::Incomplete(at)) if **at == Place { id: root.id, block: leaf.id });
            assert!(named, "{result:?}");
        }
    }

    #[test]
    fn a_small_tree_for_a_huge_file_is_checked_in_a_few_reads() {
        let mut memory = Memory::default();
        let mut root = memory.leaf(b"x");
        for _ in 0..6 {
            root = memory.node(&vec![root; 1024]);
        }
        assert_eq!(root.size, 1 << 60);
        memory.whole(&root).unwrap();
        assert_eq!(memory.reads.get(), 6);
        let mut cursor = Cursor::new(root.id, root.size);
        assert_eq!(cursor.bytes(&memory, (1 << 60) - 1).unwrap(), b"x");
        assert_eq!(memory.reads.get(), 13);
    }

    #[test]
    fn a_block_that_is_no_file_is_named() {
        let mut memory = Memory::default();
        let bytes = memory.leaf(b"not a node").id.sha256();
        let root = Link { id: BlobId::from_parts(DAG_PB, bytes).unwrap(), size: 10, total: 0 };
        for result in [memory.whole(&root), memory.read(&root).map(drop)] {
            assert!(matches!(result, Err(BlobError::Malformed { fault: NodeFault::DagPb(_), .. })), "{result:?}");
        }
    }
}
