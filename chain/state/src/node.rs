//! Tree nodes on disk.
//!
//! ```text
//! leaf    03 · the key itself
//! inner   02 · children (u16, bit i: child i) · leaves (u16) · per child: hash (32) · version · leaves below
//! null    00
//! ```
//! Numbers after the two bit maps are varints; a child that is a leaf has no count. A leaf carries its key because
//! ICS23 proves keys, not their hashes, and names neighbours in a proof of absence: the table from key hash to key
//! that this needs lives and dies with the leaves. A leaf's hash stands in its parent, and its value in the tables of
//! values: a row is written where a leaf gets its place, and stays while only the value changes. Layout 1 wrote it anew
//! for each value, with the value's hash: `01 · hash (32) · key`.

use borsh::BorshDeserialize as _;
use jmt::storage::{LeafNode, Node};
use jmt::{KeyHash, ValueHash};
use prost::encoding::{decode_varint, encode_varint};
use sha2::{Digest as _, Sha256};

use crate::branch::{Branch, Branches};
use crate::disk::Bytes;
use crate::error::StateError;
use crate::tree::Values;

const NULL: u8 = 0;
const LEAF_OF_VALUE: u8 = 1;
const LEAF: u8 = 3;
const INNER: u8 = 2;

/// Children of an inner node: four levels of a binary tree.
const CHILDREN: u8 = 16;

/// What the tree calls the hash of a key.
pub(crate) fn key_hash(key: &[u8]) -> KeyHash {
    KeyHash(Sha256::digest(key).into())
}

/// What stands in a row.
pub(crate) enum Parts {
    /// A tree without entries.
    Null,
    /// An entry.
    Leaf {
        /// Its key.
        key: Vec<u8>,
    },
    /// Sixteen places for children.
    Inner(Box<Branches>),
}

/// A leaf as a row.
pub(crate) fn leaf_row(key: &[u8]) -> Bytes {
    let mut row = Vec::with_capacity(1 + key.len());
    row.push(LEAF);
    row.extend_from_slice(key);
    row.into()
}

/// An inner node as a row.
pub(crate) fn inner_row(branches: &Branches) -> Bytes {
    let (mut children, mut leaves) = (0_u16, 0_u16);
    for (place, branch) in branches.iter() {
        children |= 1 << place;
        leaves |= u16::from(branch.is_leaf()) << place;
    }
    let mut row = Vec::with_capacity(5 + 38 * usize::from(CHILDREN));
    row.push(INNER);
    row.extend_from_slice(&children.to_be_bytes());
    row.extend_from_slice(&leaves.to_be_bytes());
    for (_, branch) in branches.iter() {
        row.extend_from_slice(&branch.hash);
        encode_varint(branch.version, &mut row);
        if let Some(below) = branch.below {
            encode_varint(below, &mut row);
        }
    }
    row.into()
}

/// A tree without entries as a row.
pub(crate) fn null_row() -> Bytes {
    [NULL].into()
}

/// Whether a row holds an inner node.
pub(crate) fn is_inner(row: &[u8]) -> bool {
    row.first() == Some(&INNER)
}

/// A row's children, if it holds an inner node.
pub(crate) fn inner(row: &[u8]) -> Result<Option<Branches>, StateError> {
    match row.split_first() {
        Some((&INNER, fields)) => Ok(Some(branches(fields).ok_or_else(|| broken(row))?)),
        _ => Ok(None),
    }
}

/// A row as a node, with its key if it is a leaf. `values` says what a key's value is, at the height that is looked at.
pub(crate) fn decode(row: &[u8], values: Values<'_>) -> Result<(Node, Option<Vec<u8>>), StateError> {
    match parts(row)? {
        Parts::Null => Ok((Node::Null, None)),
        Parts::Leaf { key } => {
            let value = values(&key)?.ok_or_else(|| StateError::corrupt("a leaf of a tree has no value"))?;
            let value_hash = ValueHash(Sha256::digest(value).into());
            Ok((Node::Leaf(LeafNode::new(key_hash(&key), value_hash)), Some(key)))
        }
        Parts::Inner(branches) => Ok((Node::try_from_slice(&inner_fields(&branches)).map_err(|_| broken(row))?, None)),
    }
}

/// A row's contents without the tree library's types.
pub(crate) fn parts(row: &[u8]) -> Result<Parts, StateError> {
    if let Some(branches) = inner(row)? {
        return Ok(Parts::Inner(Box::new(branches)));
    }
    match row.split_first() {
        Some((&NULL, [])) => Ok(Parts::Null),
        Some((&LEAF, key @ [_, ..])) => Ok(Parts::Leaf { key: key.to_vec() }),
        Some((&LEAF_OF_VALUE, fields)) => match fields.split_first_chunk::<32>() {
            Some((_, key @ [_, ..])) => Ok(Parts::Leaf { key: key.to_vec() }),
            _ => Err(broken(row)),
        },
        _ => Err(broken(row)),
    }
}

fn broken(row: &[u8]) -> StateError {
    StateError::corrupt(format!("a tree node of {} bytes has no known form", row.len()))
}

fn branches(row: &[u8]) -> Option<Branches> {
    let (children, row) = row.split_first_chunk::<2>()?;
    let (leaves, mut row) = row.split_first_chunk::<2>()?;
    let (children, leaves) = (u16::from_be_bytes(*children), u16::from_be_bytes(*leaves));
    let mut branches = Branches::default();
    for place in (0..CHILDREN).filter(|place| children >> place & 1 == 1) {
        let (hash, rest) = row.split_first_chunk::<32>()?;
        row = rest;
        let version = decode_varint(&mut row).ok()?;
        let below = if leaves >> place & 1 == 1 { None } else { Some(decode_varint(&mut row).ok()?) };
        branches.set(place, Branch { hash: *hash, version, below });
    }
    (row.is_empty() && children != 0 && branches.leaves().is_some()).then_some(branches)
}

/// Spreads an inner node out to the encoding that the tree library reads: sixteen optional children, their number,
/// the number of leaves.
fn inner_fields(branches: &Branches) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + 50 * usize::from(CHILDREN) + 16);
    let mut children: u64 = 0;
    out.push(1);
    for place in 0..CHILDREN {
        let Some(branch) = branches.get(place) else {
            out.push(0);
            continue;
        };
        children += 1;
        out.push(1);
        out.extend_from_slice(&branch.hash);
        out.extend_from_slice(&branch.version.to_le_bytes());
        match branch.below {
            None => out.push(0),
            Some(count) => {
                out.push(1);
                out.extend_from_slice(&count.to_le_bytes());
            }
        }
    }
    out.extend_from_slice(&children.to_le_bytes());
    out.extend_from_slice(&branches.leaves().unwrap_or_default().to_le_bytes());
    out
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

    /// The library's node as a row, given the key behind a leaf's hash.
    fn encode(node: &Node, key_of: impl FnOnce(KeyHash) -> Vec<u8>) -> Bytes {
        match node {
            Node::Null => null_row(),
            Node::Leaf(leaf) => leaf_row(&key_of(leaf.key_hash())),
            Node::Internal(inner) => {
                let mut branches = Branches::default();
                for (nibble, child) in inner.children_sorted() {
                    let below = (!child.is_leaf()).then(|| child.leaf_count() as u64);
                    branches.set(u8::from(nibble), Branch { hash: child.hash, version: child.version, below });
                }
                inner_row(&branches)
            }
        }
    }

    /// Each key has itself as its value.
    fn value(key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        Ok(Some(key.to_vec()))
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
                let key_of = |hash| keys.iter().find(|key| key_hash(key) == hash).unwrap().clone();
                let row = encode(&node, key_of);
                let (back, key) = decode(&row, &value).unwrap();
                prop_assert_eq!(&back, &node);
                prop_assert_eq!(key.is_some(), matches!(node, Node::Leaf(_)));
                prop_assert!(decode(row.get(..row.len() / 2).unwrap(), &value).is_err() || matches!(node, Node::Leaf(_)));
            }
        }
    }

    #[test]
    fn rows_do_not_change() {
        let rows: Vec<String> = nodes(&[b"a".to_vec(), b"b".to_vec()], 300)
            .iter()
            .map(|node| hex::encode(encode(node, |_| b"key".to_vec())))
            .collect();
        expect![[r#"
            02100810088c9970cb7ad3e760fd5135abe74bfd4753a1b992e4999522333320bf859adf2aac028aee28b875ed2e75d1bfebb0cbf6ee69e23350aaf044dec6a428d4de8b0d184aac02
            036b6579
            036b6579"#]].assert_eq(&rows.join("\n"));
    }

    #[test]
    fn garbage_is_refused() {
        for row in [
            &[][..],
            &[7],
            &[NULL, 0],
            &[LEAF],
            &[LEAF_OF_VALUE, 1, 2],
            &[INNER],
            &[INNER, 0, 0, 0, 0],
            &[INNER, 0, 1, 0, 0, 9],
        ] {
            assert!(matches!(decode(row, &value), Err(StateError::Corrupt { .. })), "{row:?}");
        }
    }
}
