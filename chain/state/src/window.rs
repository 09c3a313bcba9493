//! How old heights leave the window.
//!
//! Every version notes what it made useless: the nodes its trees no longer reach, the roots it replaced, and its own
//! notes in the history, which serve only the heights before it. Once that version is the oldest one kept, all of it
//! goes, in the same write as the commit that moved the window.

use std::ops::Bound;

use prost::encoding::{decode_varint, encode_varint};

use crate::disk::{Bytes, Rows, Table, View};
use crate::error::StateError;
use crate::keys;

/// Versions that one commit prunes at most. Two let a window that was made shorter catch up while the chain goes
/// on, at a cost per block that stays within that of the blocks which wrote the rows.
pub(crate) const VERSIONS_PER_COMMIT: usize = 2;

/// Versions that one write prunes at most while no block waits for it: enough for one flush to cost little beside them.
pub(crate) const VERSIONS_AT_REST: usize = 64;

/// Rows that are useless once a version is the oldest one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct StaleRows(pub(crate) Vec<(Table, Bytes)>);

impl StaleRows {
    pub(crate) fn add(&mut self, table: Table, row: impl Into<Bytes>) {
        self.0.push((table, row.into()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Per row: table, length, key.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (table, row) in &self.0 {
            out.push(match table {
                Table::Roots => b'r',
                Table::History => b'h',
                _ => b'n',
            });
            encode_varint(row.len() as u64, &mut out);
            out.extend_from_slice(row);
        }
        out
    }

    fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut rows = Vec::new();
        while let Some((kind, rest)) = bytes.split_first() {
            let table = match kind {
                b'r' => Table::Roots,
                b'h' => Table::History,
                b'n' => Table::Nodes,
                _ => return None,
            };
            bytes = rest;
            let len = usize::try_from(decode_varint(&mut bytes).ok()?).ok()?;
            let (row, rest) = bytes.split_at_checked(len)?;
            rows.push((table, row.into()));
            bytes = rest;
        }
        Some(Self(rows))
    }
}

/// What a version made useless; nothing if there is no such list.
pub(crate) fn made_useless(view: &View, version: u64) -> Result<Vec<(Table, Bytes)>, StateError> {
    let Some(row) = view.get(Table::Stale, &keys::stale(version))? else { return Ok(Vec::new()) };
    StaleRows::decode(&row).map(|rows| rows.0).ok_or_else(broken)
}

fn broken() -> StateError {
    StateError::corrupt("a list of stale rows has no known form")
}

/// Removes what the heights below `wanted` needed, at most `versions` of them; the new oldest height.
pub(crate) fn prune(
    view: &View,
    oldest: u64,
    wanted: u64,
    versions: usize,
    rows: &mut Rows,
) -> Result<u64, StateError> {
    if wanted <= oldest {
        return Ok(oldest);
    }
    let range = (Bound::Unbounded, Bound::Included(keys::stale(wanted)));
    let (mut pruned, mut last) = (0, wanted);
    for row in view.range(Table::Stale, range.0, range.1).take(versions) {
        let (row, contents) = row?;
        last = u64::from_be_bytes(row.as_slice().try_into().map_err(|_| broken())?);
        for (table, stale) in StaleRows::decode(&contents).ok_or_else(broken)?.0 {
            rows.remove(table, stale);
        }
        rows.remove(Table::Stale, row);
        pruned += 1;
    }
    Ok(if pruned < versions { wanted } else { last.max(oldest) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::{Changes, Options, Store, node};

    /// Nodes that a root reaches.
    fn reachable(view: &View, tree: u8, version: u64, path: &[u8]) -> usize {
        let row = view.get(Table::Nodes, &keys::node(tree, version, path.iter().copied())).unwrap().unwrap();
        let jmt::storage::Node::Internal(inner) = node::decode(&row, &|_| Ok(Some(vec![1]))).unwrap().0 else {
            return 1;
        };
        let below = inner.children_sorted().map(|(nibble, child)| {
            let path: Vec<u8> = path.iter().copied().chain([u8::from(nibble)]).collect();
            reachable(view, tree, child.version, &path)
        });
        1 + below.sum::<usize>()
    }

    #[test]
    fn nothing_useless_stays() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::new(&["bank", "wasm"], 1)).unwrap();
        let commit = |version, changes: &Changes| store.commit(store.stage(version, changes).unwrap()).unwrap();
        for version in 1..=40u64 {
            let mut changes = Changes::new();
            for n in 0..30 {
                let key = format!("key/{}", (version * 7 + n * n) % 97).into_bytes();
                if (version + n) % 3 == 0 {
                    changes.remove("bank", &key);
                } else {
                    changes.set("bank", key, version.to_be_bytes().to_vec()).unwrap();
                }
            }
            commit(version, &changes);
        }
        (41..=43).for_each(|version| commit(version, &Changes::new()));
        let view = store.view();
        // The table's mark is no row of ours.
        let rows = |table| view.range(table, Bound::Unbounded, Bound::Unbounded).count() - 1;
        let roots = [0, 1, 2].map(|tree| crate::tree::root_at(&view, tree, 43).unwrap().unwrap().0);
        let nodes: usize = (0..).zip(roots).map(|(tree, since)| reachable(&view, tree, since, &[])).sum();
        assert_eq!(rows(Table::Nodes), nodes);
        assert_eq!((rows(Table::Roots), rows(Table::History), rows(Table::Stale)), (3, 0, 0));
    }

    #[test]
    fn lists_come_back_as_they_were() {
        let mut rows = StaleRows::default();
        rows.add(Table::Nodes, vec![1; 300]);
        rows.add(Table::History, vec![]);
        rows.add(Table::Roots, vec![2, 3]);
        let bytes = rows.encode();
        assert_eq!(StaleRows::decode(&bytes).unwrap(), rows);
        assert_eq!(StaleRows::decode(bytes.get(..200).unwrap()), None);
        assert_eq!(StaleRows::decode(b"x"), None);
    }
}
