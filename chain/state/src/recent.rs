//! Inner nodes of committed versions: the rows of those that updates went through lately.
//!
//! What is kept of a place in a tree is what the latest commit that touched it has written there; a row names its version,
//! so another version's node is never taken for it. The upper levels are met by every update and stay; of the lower ones
//! stay those on the way to keys that are written often.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::disk::Bytes;
use crate::generations::Generations;

/// Nodes of a generation; a node takes 100 to 700 bytes.
const GENERATION: usize = 16_000;

/// Tree and path of a node, without its version: sixteen bytes of its row as a number, which compares as fast as one.
type Place = u128;

/// A node's row, and the version that wrote it.
type Node = (u64, Bytes);

/// See the module.
pub(crate) struct Recent(Mutex<Generations<Place, Node>>);

impl Default for Recent {
    fn default() -> Self {
        Self(Mutex::new(Generations::new(GENERATION)))
    }
}

impl Recent {
    /// The contents of a row.
    pub(crate) fn get(&self, row: &[u8]) -> Option<Bytes> {
        let (place, version) = split(row)?;
        let mut nodes = self.lock();
        let (_, contents) = nodes.get(&place).filter(|(written, _)| *written == version)?;
        Some(contents.clone())
    }

    /// Keeps nodes that are committed: rows and contents.
    pub(crate) fn put(&self, nodes: impl IntoIterator<Item = (Bytes, Bytes)>) {
        let mut kept = self.lock();
        for (row, contents) in nodes {
            if let Some((place, version)) = split(&row) {
                kept.put(place, (version, contents));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Generations<Place, Node>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A row without its version, and the version: see [`crate::keys::node`]. Nothing of a node that is deeper than 28 levels,
/// below which there are no two keys that anybody could find.
fn split(row: &[u8]) -> Option<(Place, u64)> {
    let (tree, rest) = row.split_first()?;
    let (version, path) = rest.split_first_chunk::<8>()?;
    let mut place = [0; 16];
    let (first, rest) = place.split_first_mut()?;
    *first = *tree;
    rest.get_mut(..path.len())?.copy_from_slice(path);
    Some((u128::from_be_bytes(place), u64::from_be_bytes(*version)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::keys;

    fn row(version: u64, path: u8) -> Bytes {
        keys::node(1, version, [path >> 4, path & 15].into_iter())
    }

    #[test]
    fn places_are_told_apart_down_to_where_there_are_no_keys() {
        let paths = [vec![], vec![0], vec![0, 0], vec![1], vec![1, 0], vec![0; 27], vec![0; 28]];
        let place = |tree, path: &Vec<u8>| split(&keys::node(tree, 7, path.iter().copied())).unwrap();
        let places: Vec<_> = [1, 2].iter().flat_map(|tree| paths.iter().map(|path| place(*tree, path))).collect();
        let different: std::collections::BTreeSet<_> = places.iter().collect();
        assert_eq!(different.len(), places.len());
        assert_eq!(split(&keys::node(1, 7, [0; 29].into_iter())), None);
    }

    #[test]
    fn a_node_is_kept_for_its_version_only() {
        let recent = Recent::default();
        recent.put([(row(7, 0x12), Bytes::default())]);
        assert!(recent.get(&row(7, 0x12)).is_some());
        assert!(recent.get(&row(8, 0x12)).is_none() && recent.get(&row(7, 0x13)).is_none());
        recent.put([(row(8, 0x12), Bytes::default())]);
        assert!(recent.get(&row(8, 0x12)).is_some() && recent.get(&row(7, 0x12)).is_none());
    }

    #[test]
    fn what_is_used_outlives_what_is_not() {
        let recent = Recent::default();
        recent.put([(row(1, 1), Bytes::default()), (row(1, 2), Bytes::default())]);
        for version in 0..3 * GENERATION as u64 {
            let path = version.to_be_bytes().into_iter().map(|byte| byte & 15);
            recent.put([(
                keys::node(2, version, path.chain(version.to_be_bytes().map(|byte| byte >> 4))),
                Bytes::default(),
            )]);
            assert!(recent.get(&row(1, 1)).is_some());
        }
        assert!(recent.get(&row(1, 2)).is_none());
        assert!(recent.lock().lens().into_iter().all(|len| len <= GENERATION));
    }
}
