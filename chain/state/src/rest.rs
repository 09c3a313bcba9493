//! What is done to a store while no block is made: going back, dropping old heights, giving space back.
//!
//! A version notes the values that it replaced (in the history) and the rows that it made useless (which stay until the
//! window has passed it), and adds rows under its own number. So it can be undone from what is there: the notes go back
//! into the latest table, and everything under its number goes. Each step is one atomic, flushed write: a process that
//! dies in between has done it or has not.

use std::ops::Bound;
use std::sync::{Arc, PoisonError};

use crate::disk::{Rows, Table};
use crate::error::StateError;
use crate::store::{Head, Store, head_row, read_head};
use crate::tree::{EMPTY_ROOT, root_at};
use crate::warm::Warm;
use crate::window::{VERSIONS_AT_REST, made_useless, prune};
use crate::{history, keys};

impl Store {
    /// Undoes the latest versions, one after the other; the one that is the latest then. Interrupted, some of them are
    /// undone.
    ///
    /// What follows can be staged and committed again, and gives the same roots for the same changes. Memory: the
    /// values that a version replaced.
    ///
    /// # Errors
    /// Before anything is done [`StateError::Pruned`] if the version to go back to has left the window or was never
    /// here, and [`StateError::NoWayBack`] if there is none. After any other error the store must be closed.
    pub fn roll_back(&self, versions: u64) -> Result<u64, StateError> {
        let _one_at_a_time = self.committing().lock().unwrap_or_else(PoisonError::into_inner);
        let (latest, _) = self.latest();
        let target = latest.saturating_sub(versions);
        if self.snapshot_at(target)?.root() == EMPTY_ROOT {
            return Err(StateError::NoWayBack { latest });
        }
        while self.latest().0 > target {
            self.undo()?;
        }
        Ok(target)
    }

    /// Undoes the latest version, which has one before it in the window.
    fn undo(&self) -> Result<(), StateError> {
        let head = self.head();
        let (version, before) = (head.version, head.version.saturating_sub(1));
        let missing = || StateError::corrupt(format!("the app tree does not have the root of height {before}"));
        let (_, root) = root_at(&head.view, keys::APP, before)?.ok_or_else(missing)?;
        let mut rows = Rows::default();
        for (table, row) in made_useless(&head.view, version)? {
            if table == Table::History {
                history::undo(&head.view, &row, &mut rows)?;
                rows.remove(Table::History, row);
            }
        }
        rows.remove(Table::Stale, keys::stale(version));
        for tree in (0..=self.components().len()).filter_map(|tree| u8::try_from(tree).ok()) {
            rows.remove(Table::Roots, keys::root(tree, version));
            let (lower, upper) = (keys::root(tree, version), keys::root(tree, version.saturating_add(1)));
            for row in head.view.range(Table::Nodes, Bound::Included(lower), Bound::Excluded(upper)) {
                rows.remove(Table::Nodes, row?.0);
            }
        }
        self.put_head(head, rows, (before, root), None)
    }

    /// Drops the heights before the latest but `keep` of them, at least one; the oldest one that is left.
    ///
    /// Interrupted, it has dropped some of them.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn prune(&self, keep: u64) -> Result<u64, StateError> {
        let _one_at_a_time = self.committing().lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let head = self.head();
            let wanted = head.version.saturating_sub(keep.max(1));
            if wanted <= head.oldest {
                return Ok(head.oldest);
            }
            let mut rows = Rows::default();
            let oldest = prune(&head.view, head.oldest, wanted, VERSIONS_AT_REST, &mut rows)?;
            let latest = (head.version, head.root);
            self.put_head(head, rows, latest, Some(oldest))?;
        }
    }

    /// Writes the state anew without what was removed or replaced, and puts that in its place in one atomic step.
    /// Interrupted, nothing is lost. It needs room for a second copy; snapshots that were taken before must not be
    /// used any more.
    ///
    /// # Errors
    /// [`StateError::NoSpace`], [`StateError::Store`], [`StateError::Corrupt`].
    pub fn compact(&self) -> Result<(), StateError> {
        let _one_at_a_time = self.committing().lock().unwrap_or_else(PoisonError::into_inner);
        let copy = self.head().disk(self.dir())?.copied()?;
        self.close_disk();
        let disk = Arc::new(copy.take_place()?);
        self.set_head(read_head(disk)?);
        Ok(())
    }

    /// Writes rows together with the head that they lead to.
    fn put_head(
        &self,
        head: Head,
        mut rows: Rows,
        (version, root): (u64, [u8; 32]),
        oldest: Option<u64>,
    ) -> Result<(), StateError> {
        let oldest = oldest.unwrap_or(head.oldest);
        rows.put(Table::Meta, keys::META_HEAD.to_vec(), head_row(version, &root, oldest));
        let disk = head.disk(self.dir())?;
        disk.write(version, rows)?;
        let view = disk.view();
        // A height that comes again has other nodes in the same rows, and other values.
        let (recent, warm) = (Arc::default(), Arc::new(Warm::new(version)));
        self.set_head(Head { view, version, root, oldest, recent, warm, ..head });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

    use std::path::Path;

    use super::*;
    use crate::{Changes, Options};

    const TABLES: [Table; 6] = [Table::Meta, Table::Latest, Table::History, Table::Nodes, Table::Roots, Table::Stale];

    fn open(dir: &Path, keep: u64) -> Store {
        Store::open(dir, Options::new(&["bank", "wasm"], keep)).unwrap()
    }

    fn commit(store: &Store, version: u64) {
        let mut changes = Changes::new();
        for n in 0..if version.is_multiple_of(5) { 0 } else { 30 } {
            let key = format!("key/{}", (version * 7 + n * n) % 97).into_bytes();
            if (version + n).is_multiple_of(3) {
                changes.remove("bank", &key);
            } else {
                changes.set(["bank", "wasm"][usize::from(n % 7 == 0)], key, version.to_be_bytes().repeat(4)).unwrap();
            }
        }
        store.commit(store.stage(version, &changes).unwrap()).unwrap();
    }

    fn rows(store: &Store) -> Vec<Vec<(Vec<u8>, Vec<u8>)>> {
        let all = |table| store.view().range(table, Bound::Unbounded, Bound::Unbounded).map(Result::unwrap).collect();
        TABLES.map(all).to_vec()
    }

    #[test]
    fn an_undone_version_leaves_no_row() {
        let dir = tempfile::tempdir().unwrap();
        let (store, other) = (open(&dir.path().join("a"), 100), open(&dir.path().join("b"), 100));
        (1..=20).for_each(|version| commit(&store, version));
        (1..=13).for_each(|version| commit(&other, version));
        for versions in [1, 4, 2] {
            let target = store.latest().0 - versions;
            assert_eq!(store.roll_back(versions).unwrap(), target);
            assert_eq!(store.latest().0, target);
        }
        assert_eq!(rows(&store), rows(&other));
        assert_eq!(store.latest(), other.latest());
        drop(store);
        let store = open(&dir.path().join("a"), 100);
        (14..=25).for_each(|version| {
            commit(&store, version);
            commit(&other, version);
        });
        assert_eq!(rows(&store), rows(&other));
    }

    #[test]
    fn what_is_not_kept_cannot_be_undone() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), 2);
        let refused = |versions| store.roll_back(versions).unwrap_err().to_string();
        assert_eq!(
            refused(1),
            "nothing lies before the first height (the latest is 0); remove the folder of the state to begin anew"
        );
        commit(&store, 1);
        assert!(matches!(store.roll_back(1), Err(StateError::NoWayBack { latest: 1 })));
        (2..=9).for_each(|version| commit(&store, version));
        let latest = store.latest();
        assert_eq!(refused(3), "height 6 is pruned, the oldest one kept is 7");
        assert_eq!((store.latest(), store.roll_back(0).unwrap()), (latest, 9));
        assert_eq!(store.roll_back(2).unwrap(), 7);
        assert_eq!(refused(1), "height 6 is pruned, the oldest one kept is 7");
        assert_eq!(refused(100), "height 0 is pruned, the oldest one kept is 7");
    }

    /// A chain that begins above 1, as one that goes on with the state of another does.
    #[test]
    fn nothing_lies_before_the_first_height() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), 100);
        (42..=45).for_each(|version| commit(&store, version));
        assert!(matches!(store.roll_back(4), Err(StateError::NoWayBack { latest: 45 })));
        assert_eq!((store.latest().0, store.roll_back(3).unwrap()), (45, 42));
    }

    #[test]
    fn pruning_and_compacting_keep_what_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (store, other) = (open(&dir.path().join("a"), 1_000), open(&dir.path().join("b"), 3));
        (1..=200).for_each(|version| {
            commit(&store, version);
            commit(&other, version);
        });
        assert_eq!((store.prune(300).unwrap(), store.prune(199).unwrap()), (0, 1));
        assert_eq!(store.prune(3).unwrap(), 197);
        store.compact().unwrap();
        assert_eq!(rows(&store), rows(&other));
        drop(store);
        let store = open(&dir.path().join("a"), 3);
        assert_eq!((store.latest(), store.oldest()), (other.latest(), 197));
        assert_eq!(store.snapshot_at(198).unwrap().root(), other.snapshot_at(198).unwrap().root());
        commit(&store, 201);
        commit(&other, 201);
        assert_eq!(rows(&store), rows(&other));
        assert_eq!(store.prune(0).unwrap(), 200);
    }
}
