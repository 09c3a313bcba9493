//! One node of a file's tree: dag-pb around UnixFS, and nothing that the profile does not write.
//!
//! Source: the dag-pb and UnixFS specifications; profile `unixfs-v1-2025`: inner nodes carry links and sizes only, bytes
//! live in raw leaves. Decoding accepts exactly the bytes that encoding writes, so one tree has one name.

use aceso_types::blob::{BlobId, BlobIdError};
use bytes::Bytes;
use ipld_dagpb::{PbLink, PbNode};
use prost::Message;

/// Links of a node, by the profile.
pub(crate) const LINKS_MAX: usize = 1024;
/// Largest node that is looked at. The profile's fullest has 1024 × (54 + 10) bytes; this is twice that.
pub(crate) const NODE_BYTES_MAX: usize = 128 << 10;
/// Levels of nodes above the leaves. Three already hold an exbibyte of 1 MiB leaves.
pub(crate) const DEPTH_MAX: usize = 8;
/// `DataType.File` of UnixFS.
const FILE: i32 = 2;

/// What is wrong with a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeFault {
    /// Longer than any node of the profile.
    #[error("the node has {bytes} bytes, and at most {max} are read")]
    TooBig {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The outer encoding is broken.
    #[error("the node is not dag-pb: {0}")]
    DagPb(String),
    /// The inner encoding is broken or absent.
    #[error("the node carries no UnixFS data: {0}")]
    UnixFs(String),
    /// A directory, symlink or shard.
    #[error("the UnixFS type is {0}, and a file is 2")]
    Type(i32),
    /// Bytes inside an inner node, which other profiles have.
    #[error("the node carries {0} bytes inline, and bytes belong into raw leaves")]
    Inline(usize),
    /// No link or too many.
    #[error("the node has {links} links, and 1 to {max} are allowed")]
    Links {
        /// How many there are.
        links: usize,
        /// The limit.
        max: usize,
    },
    /// Links and sizes do not pair up.
    #[error("the node has {links} links and {sizes} sizes")]
    Sizes {
        /// How many links there are.
        links: usize,
        /// How many sizes there are.
        sizes: usize,
    },
    /// A link to something that no blob is made of.
    #[error("link {index} is unusable: {fault}")]
    Link {
        /// Position of the link, from 0.
        index: usize,
        /// What is wrong with its identifier.
        fault: BlobIdError,
    },
    /// A child without bytes; the tree of a file has none.
    #[error("link {0} leads to no bytes")]
    Empty(usize),
    /// The stated file size is not the sum of the children's.
    #[error("the node states {stated:?} bytes, and its links have {sum:?}")]
    Sum {
        /// What the node says.
        stated: Option<u64>,
        /// What its sizes add up to; none if that passes 2^64.
        sum: Option<u64>,
    },
    /// The block does not have the size that its parent states.
    #[error("the block holds {got} bytes of the file, and its parent states {stated}")]
    Size {
        /// What the parent says.
        stated: u64,
        /// What the block says or has.
        got: u64,
    },
    /// The same content in another spelling.
    #[error("the node is not in the canonical encoding of the profile")]
    Spelling,
    /// Deeper than any file can be.
    #[error("the tree has more than {0} levels")]
    Depth(usize),
}

/// A child of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) id: BlobId,
    /// Bytes of the file below it.
    pub(crate) size: u64,
    /// Bytes of all blocks below it, dag-pb's `Tsize`.
    pub(crate) total: u64,
}

/// An inner node: its children and where each one's bytes end, counted from the node's first byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    links: Vec<Link>,
    ends: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct Data {
    #[prost(int32, required, tag = "1")]
    kind: i32,
    #[prost(bytes = "vec", optional, tag = "2")]
    inline: Option<Vec<u8>>,
    #[prost(uint64, optional, tag = "3")]
    file_size: Option<u64>,
    #[prost(uint64, repeated, packed = "false", tag = "4")]
    block_sizes: Vec<u64>,
}

impl Node {
    /// Reads the canonical form and nothing else.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, NodeFault> {
        if bytes.len() > NODE_BYTES_MAX {
            return Err(NodeFault::TooBig { bytes: bytes.len(), max: NODE_BYTES_MAX });
        }
        let outer = PbNode::from_bytes(Bytes::copy_from_slice(bytes)).map_err(|e| NodeFault::DagPb(e.to_string()))?;
        let data = outer.data.ok_or_else(|| NodeFault::UnixFs("the data field is absent".into()))?;
        let data = Data::decode(data).map_err(|e| NodeFault::UnixFs(e.to_string()))?;
        if data.kind != FILE {
            return Err(NodeFault::Type(data.kind));
        }
        if let Some(inline) = &data.inline {
            return Err(NodeFault::Inline(inline.len()));
        }
        if outer.links.is_empty() || outer.links.len() > LINKS_MAX {
            return Err(NodeFault::Links { links: outer.links.len(), max: LINKS_MAX });
        }
        if outer.links.len() != data.block_sizes.len() {
            return Err(NodeFault::Sizes { links: outer.links.len(), sizes: data.block_sizes.len() });
        }
        let mut links = Vec::with_capacity(outer.links.len());
        let mut ends = Vec::with_capacity(outer.links.len());
        let mut sum = Some(0u64);
        for (index, (link, size)) in outer.links.into_iter().zip(data.block_sizes).enumerate() {
            if size == 0 {
                return Err(NodeFault::Empty(index));
            }
            let id = BlobId::try_from(link.cid).map_err(|fault| NodeFault::Link { index, fault })?;
            links.push(Link { id, size, total: link.size.unwrap_or(0) });
            sum = sum.and_then(|sum| sum.checked_add(size));
            ends.extend(sum);
        }
        if sum.is_none() || data.file_size != sum {
            return Err(NodeFault::Sum { stated: data.file_size, sum });
        }
        if encode(&links) != bytes {
            return Err(NodeFault::Spelling);
        }
        Ok(Self { links, ends })
    }

    /// Bytes of the file below this node.
    pub(crate) fn size(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    pub(crate) fn links(&self) -> &[Link] {
        &self.links
    }

    /// The child that holds byte `at` of this node, and where that child starts.
    pub(crate) fn child(&self, at: u64) -> Option<(u64, &Link)> {
        let link = self.links.get(self.ends.partition_point(|end| *end <= at))?;
        let before = self.ends.partition_point(|end| *end <= at).checked_sub(1);
        Some((before.and_then(|i| self.ends.get(i)).copied().unwrap_or(0), link))
    }
}

/// The canonical bytes of a node with these children: links before data, empty names, sizes unpacked.
pub(crate) fn encode(links: &[Link]) -> Vec<u8> {
    let data = Data {
        kind: FILE,
        inline: None,
        file_size: Some(links.iter().fold(0, |sum: u64, link| sum.saturating_add(link.size))),
        block_sizes: links.iter().map(|link| link.size).collect(),
    };
    let links = links
        .iter()
        .map(|link| PbLink { cid: *link.id.as_cid(), name: Some(String::new()), size: Some(link.total) })
        .collect();
    PbNode { links, data: Some(data.encode_to_vec().into()) }.into_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn leaf(n: u8) -> Link {
        Link { id: BlobId::of_raw(&[n]), size: u64::from(n) + 1, total: u64::from(n) + 1 }
    }

    fn spelled(data: Data, links: &[Link]) -> Vec<u8> {
        let links = links
            .iter()
            .map(|l| PbLink { cid: *l.id.as_cid(), name: Some(String::new()), size: Some(l.total) })
            .collect();
        PbNode { links, data: Some(data.encode_to_vec().into()) }.into_bytes()
    }

    fn file(sizes: &[u64]) -> Data {
        Data { kind: FILE, inline: None, file_size: Some(sizes.iter().sum()), block_sizes: sizes.to_vec() }
    }

    #[test]
    fn a_node_finds_the_child_of_each_byte() {
        let links = [leaf(2), leaf(0), leaf(4)];
        let node = Node::decode(&encode(&links)).unwrap();
        assert_eq!(node.size(), 9);
        for (at, start, child) in [(0, 0, 0), (2, 0, 0), (3, 3, 1), (4, 4, 2), (8, 4, 2)] {
            assert_eq!(node.child(at), Some((start, &links[child])), "byte {at}");
        }
        assert_eq!(node.child(9), None);
    }

    #[test]
    fn each_fault_has_its_name() {
        let two = [leaf(1), leaf(2)];
        let cases: Vec<(Vec<u8>, NodeFault)> = vec![
            (vec![0; NODE_BYTES_MAX + 1], NodeFault::TooBig { bytes: NODE_BYTES_MAX + 1, max: NODE_BYTES_MAX }),
            (spelled(Data { kind: 1, ..file(&[2, 3]) }, &two), NodeFault::Type(1)),
            (spelled(Data { inline: Some(vec![7; 3]), ..file(&[2, 3]) }, &two), NodeFault::Inline(3)),
            (spelled(file(&[]), &[]), NodeFault::Links { links: 0, max: LINKS_MAX }),
            (
                spelled(file(&[2; LINKS_MAX + 1]), &vec![leaf(1); LINKS_MAX + 1]),
                NodeFault::Links { links: LINKS_MAX + 1, max: LINKS_MAX },
            ),
            (spelled(file(&[2]), &two), NodeFault::Sizes { links: 2, sizes: 1 }),
            (spelled(file(&[2, 0]), &two), NodeFault::Empty(1)),
            (
                spelled(Data { file_size: Some(6), ..file(&[2, 3]) }, &two),
                NodeFault::Sum { stated: Some(6), sum: Some(5) },
            ),
            (spelled(Data { file_size: None, ..file(&[2, 3]) }, &two), NodeFault::Sum { stated: None, sum: Some(5) }),
            (
                spelled(Data { kind: FILE, inline: None, file_size: Some(1), block_sizes: vec![2, u64::MAX] }, &two),
                NodeFault::Sum { stated: Some(1), sum: None },
            ),
        ];
        for (bytes, fault) in cases {
            assert_eq!(Node::decode(&bytes), Err(fault));
        }
        assert!(matches!(Node::decode(b"\xff\xff"), Err(NodeFault::DagPb(_))));
        assert!(matches!(Node::decode(b""), Err(NodeFault::UnixFs(_))));
        assert!(matches!(Node::decode(&[10, 1, 0xff]), Err(NodeFault::UnixFs(_))));
    }

    #[test]
    fn foreign_links_and_spellings_are_refused() {
        let good = encode(&[leaf(1), leaf(2)]);
        let node = PbNode::from_bytes(good.clone().into()).unwrap();

        let mut named = node.clone();
        named.links[1].name = Some("x".into());
        assert_eq!(Node::decode(&named.into_bytes()), Err(NodeFault::Spelling));

        let mut v0 = node;
        v0.links[0].cid = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n".parse().unwrap();
        let refused = Node::decode(&v0.into_bytes());
        assert!(matches!(refused, Err(NodeFault::Link { index: 0, fault: BlobIdError::Version(_) })), "{refused:?}");
    }

    proptest! {
        #[test]
        fn only_the_canonical_bytes_decode(mut bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), to: u8) {
            let _ = Node::decode(&bytes);
            bytes = encode(&[leaf(1), leaf(2), leaf(3)]);
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Ok(node) = Node::decode(&bytes) {
                prop_assert_eq!(encode(node.links()), bytes);
            }
        }
    }
}
