//! Tree nodes on disk.
//!
//! ```text
//! leaf    01 · hash of the value (32) · the key itself
//! inner   02 · children (u16, bit i: child i) · leaves (u16) · per child: hash (32) · version · leaves below
//! null    00
//! ```
//! Numbers after the two bit maps are varints; a child that is a leaf has no count. A leaf carries its key because
//! ICS23 proves keys, not their hashes, and names neighbours in a proof of absence: the table from key hash to key
//! that this needs lives and dies with the leaves.

use borsh::BorshDeserialize as _;
use jmt::storage::{LeafNode, Node};
use jmt::{KeyHash, ValueHash};
use prost::encoding::{decode_varint, encode_varint};
use sha2::{Digest as _, Sha256};

use crate::error::StateError;

const NULL: u8 = 0;
const LEAF: u8 = 1;
const INNER: u8 = 2;

/// Children of an inner node: four levels of a binary tree.
const CHILDREN: u8 = 16;

/// What the tree calls the hash of a key.
pub(crate) fn key_hash(key: &[u8]) -> KeyHash {
    KeyHash(Sha256::digest(key).into())
}

/// A node as a row; `key_of` gives the key behind a leaf's hash.
pub(crate) fn encode(
    node: &Node,
    key_of: impl FnOnce(KeyHash) -> Result<Vec<u8>, StateError>,
) -> Result<Vec<u8>, StateError> {
    match node {
        Node::Null => Ok(vec![NULL]),
        Node::Leaf(leaf) => {
            let key = key_of(leaf.key_hash())?;
            let fields = borsh::to_vec(leaf).map_err(|error| StateError::corrupt(format!("leaf: {error}")))?;
            let value_hash = fields.get(32..64).ok_or_else(|| StateError::corrupt("leaf without a value hash"))?;
            let mut row = Vec::with_capacity(33 + key.len());
            row.push(LEAF);
            row.extend_from_slice(value_hash);
            row.extend_from_slice(&key);
            Ok(row)
        }
        Node::Internal(inner) => {
            let (children, leaves) = inner.generate_bitmaps();
            let mut row = Vec::with_capacity(5 + 38 * usize::from(CHILDREN));
            row.push(INNER);
            row.extend_from_slice(&children.to_be_bytes());
            row.extend_from_slice(&leaves.to_be_bytes());
            for (_, child) in inner.children_sorted() {
                row.extend_from_slice(&child.hash);
                encode_varint(child.version, &mut row);
                if !child.is_leaf() {
                    encode_varint(child.leaf_count() as u64, &mut row);
                }
            }
            Ok(row)
        }
    }
}

/// A row as a node, with its key if it is a leaf.
pub(crate) fn decode(row: &[u8]) -> Result<(Node, Option<Vec<u8>>), StateError> {
    let broken = || StateError::corrupt(format!("a tree node of {} bytes has no known form", row.len()));
    match row.split_first() {
        Some((&NULL, [])) => Ok((Node::Null, None)),
        Some((&LEAF, fields)) => {
            let (value_hash, key) = fields.split_first_chunk::<32>().ok_or_else(broken)?;
            let leaf = LeafNode::new(key_hash(key), ValueHash(*value_hash));
            Ok((Node::Leaf(leaf), Some(key.to_vec())))
        }
        Some((&INNER, fields)) => {
            let fields = inner_fields(fields).ok_or_else(broken)?;
            let node = Node::try_from_slice(&fields).map_err(|_| broken())?;
            Ok((node, None))
        }
        _ => Err(broken()),
    }
}

/// Spreads an inner node out to the encoding that the tree library reads: sixteen optional children, their number,
/// the number of leaves.
fn inner_fields(row: &[u8]) -> Option<Vec<u8>> {
    let (children, row) = row.split_first_chunk::<2>()?;
    let (leaves, mut row) = row.split_first_chunk::<2>()?;
    let (children, leaves) = (u16::from_be_bytes(*children), u16::from_be_bytes(*leaves));
    let mut out = Vec::with_capacity(1 + 50 * usize::from(CHILDREN) + 16);
    let mut below: u64 = 0;
    out.push(1);
    for place in 0..CHILDREN {
        if children >> place & 1 == 0 {
            out.push(0);
            continue;
        }
        let (hash, rest) = row.split_first_chunk::<32>()?;
        row = rest;
        out.push(1);
        out.extend_from_slice(hash);
        out.extend_from_slice(&decode_varint(&mut row).ok()?.to_le_bytes());
        if leaves >> place & 1 == 1 {
            out.push(0);
            below = below.checked_add(1)?;
        } else {
            let count = decode_varint(&mut row).ok()?;
            out.push(1);
            out.extend_from_slice(&count.to_le_bytes());
            below = below.checked_add(count)?;
        }
    }
    out.extend_from_slice(&u64::from(children.count_ones()).to_le_bytes());
    out.extend_from_slice(&below.to_le_bytes());
    (row.is_empty() && children != 0).then_some(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use expect_test::expect;
    use jmt::Sha256Jmt;
    use jmt::storage::{NodeKey, TreeReader};
    use proptest::prelude::*;

    use super::*;

    /// A tree that has nothing yet.
    struct Nothing;

    impl TreeReader for Nothing {
        fn get_node_option(&self, _: &NodeKey) -> anyhow::Result<Option<Node>> {
            Ok(Some(Node::Null))
        }
        fn get_value_option(&self, _: u64, _: KeyHash) -> anyhow::Result<Option<Vec<u8>>> {
            Ok(None)
        }
        fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
            Ok(None)
        }
    }

    fn nodes(keys: &[Vec<u8>], version: u64) -> Vec<Node> {
        let writes = keys.iter().map(|key| (key_hash(key), key.clone())).collect();
        let (_, batch) = Sha256Jmt::new(&Nothing).batch_put_value_sets(vec![writes], None, version).unwrap();
        batch.node_batch.nodes().values().cloned().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn nodes_come_back_as_they_were(
            keys in prop::collection::btree_set(prop::collection::vec(any::<u8>(), 1..5), 1..40),
            version in prop_oneof![1u64..3, Just(u64::MAX / 2)],
        ) {
            let keys: Vec<_> = keys.into_iter().collect();
            for node in nodes(&keys, version) {
                let key_of = |hash| Ok(keys.iter().find(|key| key_hash(key) == hash).unwrap().clone());
                let row = encode(&node, key_of).unwrap();
                let (back, key) = decode(&row).unwrap();
                prop_assert_eq!(&back, &node);
                prop_assert_eq!(key.is_some(), matches!(node, Node::Leaf(_)));
                prop_assert!(decode(row.get(..row.len() / 2).unwrap()).is_err() || matches!(node, Node::Leaf(_)));
            }
        }
    }

    #[test]
    fn rows_do_not_change() {
        let rows: Vec<String> = nodes(&[b"a".to_vec(), b"b".to_vec()], 300)
            .iter()
            .map(|node| hex::encode(encode(node, |_| Ok(b"key".to_vec())).unwrap()))
            .collect();
        expect![[r#"
            02100810088c9970cb7ad3e760fd5135abe74bfd4753a1b992e4999522333320bf859adf2aac028aee28b875ed2e75d1bfebb0cbf6ee69e23350aaf044dec6a428d4de8b0d184aac02
            013e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d6b6579
            01ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb6b6579"#]].assert_eq(&rows.join("\n"));
    }

    #[test]
    fn garbage_is_refused() {
        for row in [&[][..], &[7], &[NULL, 0], &[LEAF, 1, 2], &[INNER], &[INNER, 0, 0, 0, 0], &[INNER, 0, 1, 0, 0, 9]] {
            assert!(matches!(decode(row), Err(StateError::Corrupt { .. })), "{row:?}");
        }
    }
}
