//! The arithmetic of the Merkle trees: what sixteen children hash to, and what lies right of a path.
//!
//! An inner node on disk stands for four levels of a binary tree. In a binary tree a branch with one leaf is that
//! leaf, an empty branch the placeholder, and everything else the hash of its halves.

use sha2::{Digest as _, Sha256, compress256};

use crate::tree::EMPTY_ROOT;

/// What a hash begins with, so that no leaf is taken for an inner node. The tree library spells it so.
const LEAF: &[u8] = b"JMT::LeafNode";
const INNER: &[u8] = b"JMT::IntrnalNode";

/// What SHA-256 starts from (FIPS 180-4, section 5.3.3), and what it has behind a tag and two hashes: a bit, and their
/// length in bits.
const START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
const END: [u8; 48] = {
    let mut end = [0; 48];
    end[0] = 0x80;
    let [.., high, low] = (8 * (INNER.len() as u64 + 64)).to_be_bytes();
    [end[46], end[47]] = [high, low];
    end
};

/// Places in an inner node.
const PLACES: u8 = 16;

/// A child of an inner node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Branch {
    pub(crate) hash: [u8; 32],
    /// The version that wrote the child's row.
    pub(crate) version: u64,
    /// Leaves below; none if the child is a leaf.
    pub(crate) below: Option<u64>,
}

impl Branch {
    pub(crate) fn is_leaf(&self) -> bool {
        self.below.is_none()
    }
}

/// The sixteen places of an inner node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Branches([Option<Branch>; PLACES as usize]);

impl Branches {
    pub(crate) fn get(&self, place: u8) -> Option<&Branch> {
        self.0.get(usize::from(place))?.as_ref()
    }

    /// Fills a place. There are sixteen; another one stays without effect.
    pub(crate) fn set(&mut self, place: u8, branch: Branch) {
        if let Some(free) = self.0.get_mut(usize::from(place)) {
            *free = Some(branch);
        }
    }

    /// Empties a place.
    pub(crate) fn clear(&mut self, place: u8) {
        if let Some(taken) = self.0.get_mut(usize::from(place)) {
            *taken = None;
        }
    }

    /// The children with their places, from left to right.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u8, &Branch)> {
        (0..PLACES).zip(&self.0).filter_map(|(place, branch)| Some((place, branch.as_ref()?)))
    }

    /// Leaves below; none if a row claims more than can be counted.
    pub(crate) fn leaves(&self) -> Option<u64> {
        self.iter().try_fold(0_u64, |sum, (_, branch)| sum.checked_add(branch.below.unwrap_or(1)))
    }

    /// The node's hash.
    pub(crate) fn hash(&self) -> [u8; 32] {
        hash_of(&self.0)
    }

    /// The hash of one of the halves that `place` falls into after `bit` levels, the other half being its own.
    pub(crate) fn sibling(&self, place: u8, bit: u8) -> [u8; 32] {
        let half = PLACES >> (bit + 1);
        let start = usize::from((place ^ half) & !(half - 1));
        hash_of(self.0.get(start..start + usize::from(half)).unwrap_or_default())
    }

    /// Whether `place` holds a leaf that is alone in its branch after `bit` levels.
    pub(crate) fn is_alone(&self, place: u8, bit: u8) -> bool {
        let width = PLACES >> bit;
        let start = usize::from(place & !(width - 1));
        let branch = self.0.get(start..start + usize::from(width)).unwrap_or_default();
        branch.iter().flatten().count() == 1 && self.get(place).is_some_and(Branch::is_leaf)
    }
}

fn hash_of(branch: &[Option<Branch>]) -> [u8; 32] {
    let mut children = branch.iter().flatten();
    match (children.next(), children.next()) {
        (None, _) => EMPTY_ROOT,
        (Some(only), None) if only.is_leaf() || branch.len() == 1 => only.hash,
        _ => {
            let (left, right) = branch.split_at(branch.len() / 2);
            inner_hash(&hash_of(left), &hash_of(right))
        }
    }
}

/// The hash of an entry.
pub(crate) fn leaf_hash(key_hash: &[u8; 32], value_hash: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(LEAF).chain_update(key_hash).chain_update(value_hash).finalize().into()
}

/// The hash of two halves.
///
/// What is hashed has always the same length, so its two blocks are filled here with the end that SHA-256 has it (FIPS 180-4,
/// section 5.1.1): a node of sixteen children is fifteen such hashes, of whose time a hasher for any length takes a third.
pub(crate) fn inner_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut blocks = [[0; 64]; 2];
    let mut rest = blocks.as_flattened_mut();
    for part in [INNER, left, right, &END] {
        let (place, behind) = rest.split_at_mut(part.len());
        place.copy_from_slice(part);
        rest = behind;
    }
    let mut state = START;
    compress256(&mut state, &blocks.map(Into::into));
    let mut hash = [0; 32];
    hash.chunks_exact_mut(4).zip(state).for_each(|(bytes, word)| bytes.copy_from_slice(&word.to_be_bytes()));
    hash
}

/// The four bits of a hash that choose a place at a level from 0 to 63.
pub(crate) fn nibble(hash: &[u8; 32], level: usize) -> u8 {
    let byte = hash.get(level / 2).copied().unwrap_or_default();
    if level.is_multiple_of(2) { byte >> 4 } else { byte & 0xf }
}

/// The first `levels` places on the way to a hash.
pub(crate) fn path(hash: &[u8; 32], levels: usize) -> impl Iterator<Item = u8> {
    (0..levels).map(|level| nibble(hash, level))
}

/// A bit of a hash, the most significant first: true leads to the right.
pub(crate) fn bit(hash: &[u8; 32], at: u8) -> bool {
    nibble(hash, usize::from(at / 4)) >> (3 - at % 4) & 1 == 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn two_halves_hash_as_any_bytes_do(left in any::<[u8; 32]>(), right in any::<[u8; 32]>()) {
            let whole: [u8; 32] = Sha256::digest([INNER, &left, &right].concat()).into();
            prop_assert_eq!(inner_hash(&left, &right), whole);
        }
    }
}
