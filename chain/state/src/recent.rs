//! Inner nodes of committed versions, decoded: those that updates went through lately.
//!
//! What is kept of a place in a tree is what the latest commit that touched it has written there; a row names its version,
//! so another version's node is never taken for it. The upper levels are met by every update and stay; of the lower ones
//! stay those on the way to keys that are written often.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::branch::Branches;
use crate::generations::Generations;

/// Nodes of a generation; a node takes about a kilobyte.
const GENERATION: usize = 8_000;

/// Tree and path of a node, without its version.
type Place = Vec<u8>;

/// A node, and the version that wrote it.
type Node = (u64, Arc<Branches>);

/// See the module.
pub(crate) struct Recent(Mutex<Generations<Place, Node>>);

impl Default for Recent {
    fn default() -> Self {
        Self(Mutex::new(Generations::new(GENERATION)))
    }
}

impl Recent {
    /// The node of a row.
    pub(crate) fn get(&self, row: &[u8]) -> Option<Arc<Branches>> {
        let (place, version) = split(row)?;
        let mut nodes = self.lock();
        let (_, branches) = nodes.get(&place).filter(|(written, _)| *written == version)?;
        Some(Arc::clone(branches))
    }

    /// Keeps nodes that are committed.
    pub(crate) fn put(&self, nodes: impl IntoIterator<Item = (Vec<u8>, Arc<Branches>)>) {
        let mut kept = self.lock();
        for (row, branches) in nodes {
            if let Some((place, version)) = split(&row) {
                kept.put(place, (version, branches));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Generations<Place, Node>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A row without its version, and the version: see [`crate::keys::node`].
fn split(row: &[u8]) -> Option<(Place, u64)> {
    let (tree, rest) = row.split_first()?;
    let (version, path) = rest.split_first_chunk::<8>()?;
    let mut place = Vec::with_capacity(1 + path.len());
    place.push(*tree);
    place.extend_from_slice(path);
    Some((place, u64::from_be_bytes(*version)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::keys;

    fn row(version: u64, path: u8) -> Vec<u8> {
        keys::node(1, version, [path >> 4, path & 15].into_iter())
    }

    #[test]
    fn a_node_is_kept_for_its_version_only() {
        let recent = Recent::default();
        recent.put([(row(7, 0x12), Arc::default())]);
        assert!(recent.get(&row(7, 0x12)).is_some());
        assert!(recent.get(&row(8, 0x12)).is_none() && recent.get(&row(7, 0x13)).is_none());
        recent.put([(row(8, 0x12), Arc::default())]);
        assert!(recent.get(&row(8, 0x12)).is_some() && recent.get(&row(7, 0x12)).is_none());
    }

    #[test]
    fn what_is_used_outlives_what_is_not() {
        let recent = Recent::default();
        recent.put([(row(1, 1), Arc::default()), (row(1, 2), Arc::default())]);
        for version in 0..3 * GENERATION as u64 {
            let path = version.to_be_bytes().into_iter().map(|byte| byte & 15);
            recent.put([(
                keys::node(2, version, path.chain(version.to_be_bytes().map(|byte| byte >> 4))),
                Arc::default(),
            )]);
            assert!(recent.get(&row(1, 1)).is_some());
        }
        assert!(recent.get(&row(1, 2)).is_none());
        assert!(recent.lock().lens().into_iter().all(|len| len <= GENERATION));
    }
}
