//! The open state: its latest height, and the way to the next one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use crate::changes::Changes;
use crate::disk::{Disk, FailPoint, Rows, Table, View};
use crate::error::StateError;
use crate::history::{self, RECENT};
use crate::recent::Recent;
use crate::refusal::RestoreError;
use crate::snapshot::Snapshot;
use crate::stage::{Staged, stage};
use crate::tree::{EMPTY_ROOT, root_at};
use crate::warm::Warm;
use crate::window::{VERSIONS_PER_COMMIT, prune};
use crate::{keys, node};

/// Memory for blocks of the store's files unless the options say otherwise.
pub const CACHE_BYTES: u64 = 256 << 20;

/// How to open a [`Store`].
#[derive(Clone)]
pub struct Options {
    /// The components, 1 to 254 different names. Set and order belong to the state and cannot change later.
    pub components: &'static [&'static str],
    /// Heights before the latest that stay readable and provable; at least one does.
    pub keep: u64,
    /// Memory for blocks of the store's files in bytes.
    pub cache_bytes: u64,
    /// Where a test may end the process.
    pub fail: Option<FailPoint>,
}

impl Options {
    /// Options with the usual cache and no fail point.
    pub fn new(components: &'static [&'static str], keep: u64) -> Self {
        Self { components, keep, cache_bytes: CACHE_BYTES, fail: None }
    }
}

/// The state of a chain on disk. One process at a time; any number of threads read while one commits.
pub struct Store {
    dir: PathBuf,
    components: Arc<[&'static str]>,
    keep: u64,
    head: RwLock<Head>,
    /// Held over a commit, so that each follows the one before.
    committing: Mutex<()>,
    /// The snapshot that is being restored.
    restoring: Mutex<Weak<()>>,
}

/// The latest committed version, and where the next one goes.
#[derive(Clone)]
pub(crate) struct Head {
    /// None while another store is put in this one's place, and for good if that fails.
    pub(crate) disk: Option<Arc<Disk>>,
    pub(crate) view: View,
    pub(crate) version: u64,
    pub(crate) root: [u8; 32],
    pub(crate) oldest: u64,
    /// Tree nodes of this version and of those before it.
    pub(crate) recent: Arc<Recent>,
    /// Values of this version.
    pub(crate) warm: Arc<Warm>,
}

impl Head {
    pub(crate) fn disk(&self, dir: &Path) -> Result<&Arc<Disk>, StateError> {
        let closed = || StateError::Store { path: dir.into(), source: "it was closed to be replaced".into() };
        self.disk.as_ref().ok_or_else(closed)
    }
}

impl Store {
    /// Opens the state in `dir`, or creates it.
    ///
    /// A process that was killed, or a machine that lost power, left the state at its last commit: nothing is to be
    /// repaired. Fails if another store has the folder open, if it was written with other components or another
    /// layout, and if it cannot be read.
    pub fn open(dir: &Path, options: Options) -> Result<Self, StateError> {
        check_components(options.components)?;
        let disk = Disk::open(dir, options.cache_bytes, options.fail, || initial_rows(options.components))?;
        let layout = check_layout(&disk.view(), options.components)?;
        let head = read_head(Arc::new(disk))?;
        if layout != keys::LAYOUT {
            let mut rows = Rows::default();
            rows.put(Table::Meta, keys::META_LAYOUT.to_vec(), keys::LAYOUT.to_be_bytes().to_vec());
            head.disk(dir)?.write(head.version, rows)?;
        }
        Ok(Self {
            dir: dir.to_path_buf(),
            components: options.components.into(),
            keep: options.keep.max(1),
            head: RwLock::new(head),
            committing: Mutex::new(()),
            restoring: Mutex::default(),
        })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The latest committed version and its app hash; 0 and [`EMPTY_ROOT`] when new.
    pub fn latest(&self) -> (u64, [u8; 32]) {
        let head = self.head();
        (head.version, head.root)
    }

    /// The oldest version that can be read and proven.
    pub fn oldest(&self) -> u64 {
        self.head().oldest
    }

    /// The latest committed version.
    pub fn snapshot(&self) -> Snapshot {
        let head = self.head();
        let (version, root) = (head.version, head.root);
        Snapshot::new(head, version, root, Arc::clone(&self.components))
    }

    /// The state at a height within the window.
    pub fn snapshot_at(&self, version: u64) -> Result<Snapshot, StateError> {
        let head = self.head();
        if version > head.version {
            return Err(StateError::Future { version, latest: head.version });
        }
        if version < head.oldest {
            return Err(StateError::Pruned { version, oldest: head.oldest });
        }
        let root = root_at(&head.view, keys::APP, version)?.map_or(EMPTY_ROOT, |(_, root)| root);
        Ok(Snapshot::new(head, version, root, Arc::clone(&self.components)))
    }

    /// Computes the app hash of `changes` on top of the latest version; nothing reaches the disk.
    ///
    /// The version follows the latest one; the first may be any from 1 on. Writes that change nothing are dropped.
    pub fn stage(&self, version: u64, changes: &Changes) -> Result<Staged, StateError> {
        let head = self.head();
        if !follows(version, head.version) {
            return Err(StateError::OutOfOrder { version, latest: head.version });
        }
        stage(&head, &self.components, version, changes)
    }

    /// Makes a staged version the latest one: one atomic write, durable when this returns.
    ///
    /// After any error but [`StateError::OutOfOrder`] the store must be closed: whether the write lasts is known
    /// only once it is opened again.
    pub fn commit(&self, staged: Staged) -> Result<(), StateError> {
        let _one_at_a_time = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        let head = self.head();
        let Staged { version, root, parent, mut rows } = staged;
        if parent != (head.version, head.root) {
            return Err(StateError::OutOfOrder { version, latest: head.version });
        }
        // Heights before a first version above 1 are the empty base, all the same.
        let before = if parent.0 == 0 { version - 1 } else { head.oldest };
        let oldest = prune(&head.view, before, version.saturating_sub(self.keep), VERSIONS_PER_COMMIT, &mut rows)?;
        if let Some(aged) = version.checked_sub(RECENT).filter(|aged| *aged > oldest) {
            history::age(&head.view, aged, &mut rows)?;
        }
        rows.put(Table::Meta, keys::META_HEAD.to_vec(), head_row(version, &root, oldest));
        let written = rows.of(Table::Latest).map(|(row, value)| Warm::written(row, value)).collect();
        let nodes = rows.of(Table::Nodes).filter_map(|(row, contents)| Some((row.clone(), contents?.clone())));
        let inner: Vec<_> = nodes.filter(|(_, contents)| node::is_inner(contents)).collect();
        let disk = head.disk(&self.dir)?;
        disk.write(version, rows)?;
        let view = disk.view();
        head.recent.put(inner);
        head.warm.advance(version, written);
        self.set_head(Head { view, version, root, oldest, ..head });
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn view(&self) -> View {
        self.head().view
    }

    pub(crate) fn head(&self) -> Head {
        self.head.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_head(&self, head: Head) {
        *self.head.write().unwrap_or_else(PoisonError::into_inner) = head;
    }

    /// Closes the disk, so that another one can take its place: what merges its files beside knows them by their names, which
    /// are the other one's then. Snapshots go on reading. Waits for who is staging.
    pub(crate) fn close_disk(&self) {
        let mut disk = self.head.write().unwrap_or_else(PoisonError::into_inner).disk.take();
        while let Some(shared) = disk.and_then(|disk| Arc::try_unwrap(disk).err()) {
            disk = Some(shared);
            std::thread::yield_now();
        }
    }

    pub(crate) fn components(&self) -> &[&'static str] {
        &self.components
    }

    pub(crate) fn committing(&self) -> &Mutex<()> {
        &self.committing
    }

    pub(crate) fn restoring(&self) -> &Mutex<Weak<()>> {
        &self.restoring
    }

    /// Whether another state may take this one's place: nothing was committed, or nothing after a restored height,
    /// which has no height before it. A commit leaves at least one.
    pub(crate) fn check_replaceable(&self) -> Result<(), RestoreError> {
        let head = self.head();
        if head.version == head.oldest { Ok(()) } else { Err(RestoreError::NotEmpty { height: head.version }) }
    }
}

/// What a store holds before the first version.
pub(crate) fn initial_rows(components: &[&str]) -> Rows {
    let mut rows = Rows::default();
    rows.put(Table::Meta, keys::META_LAYOUT.to_vec(), keys::LAYOUT.to_be_bytes().to_vec());
    rows.put(Table::Meta, keys::META_COMPONENTS.to_vec(), components.join("\n").into_bytes());
    rows
}

/// The row that makes a version the latest one.
pub(crate) fn head_row(version: u64, root: &[u8; 32], oldest: u64) -> Vec<u8> {
    let mut row = version.to_be_bytes().to_vec();
    row.extend_from_slice(root);
    row.extend_from_slice(&oldest.to_be_bytes());
    row
}

fn follows(version: u64, latest: u64) -> bool {
    version > 0 && (latest == 0 || Some(version) == latest.checked_add(1))
}

fn check_components(components: &[&str]) -> Result<(), StateError> {
    let bad = |why| Err(StateError::BadComponents { wanted: components.join(", "), why });
    if components.is_empty() || components.len() > keys::COMPONENTS_MAX {
        return bad("there must be 1 to 254 of them");
    }
    for (place, name) in components.iter().enumerate() {
        if name.is_empty() || name.contains('\n') {
            return bad("a name is empty or has a line feed");
        }
        if components.iter().take(place).any(|other| other == name) {
            return bad("a name is there twice");
        }
    }
    Ok(())
}

/// The layout that a store has, if it can be read and is of these components.
fn check_layout(view: &View, components: &[&str]) -> Result<u64, StateError> {
    let layout = view.get(Table::Meta, keys::META_LAYOUT)?.unwrap_or_default();
    let layout = layout.try_into().map_err(|_| StateError::corrupt("the number of the layout is not a number"))?;
    let layout = u64::from_be_bytes(layout);
    if ![keys::LAYOUT, keys::LAYOUT_BEFORE].contains(&layout) {
        return Err(StateError::Layout { found: layout, wanted: keys::LAYOUT });
    }
    let found = view.get(Table::Meta, keys::META_COMPONENTS)?.unwrap_or_default();
    if found != components.join("\n").as_bytes() {
        let found = String::from_utf8_lossy(&found).replace('\n', ", ");
        return Err(StateError::Components { found, wanted: components.join(", ") });
    }
    Ok(layout)
}

/// The head as it was committed last, checked against the app tree.
pub(crate) fn read_head(disk: Arc<Disk>) -> Result<Head, StateError> {
    let (view, recent) = (disk.view(), Arc::default());
    let Some(meta) = view.get(Table::Meta, keys::META_HEAD)? else {
        let warm = Arc::new(Warm::new(0));
        return Ok(Head { disk: Some(disk), view, version: 0, root: EMPTY_ROOT, oldest: 0, recent, warm });
    };
    let broken = || StateError::corrupt(format!("the head has {} bytes", meta.len()));
    let (version, rest) = meta.split_first_chunk::<8>().ok_or_else(broken)?;
    let (root, oldest) = rest.split_first_chunk::<32>().ok_or_else(broken)?;
    let oldest = oldest.try_into().map_err(|_| broken())?;
    let (version, root, oldest) = (u64::from_be_bytes(*version), *root, u64::from_be_bytes(oldest));
    if root_at(&view, keys::APP, version)?.map(|(_, root)| root) != Some(root) {
        return Err(StateError::corrupt(format!("the app tree does not have the root of height {version}")));
    }
    Ok(Head { disk: Some(disk), view, version, root, oldest, recent, warm: Arc::new(Warm::new(version)) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

    use std::ops::Bound;

    use super::*;
    use crate::node::Parts;

    fn open(dir: &Path) -> Result<Store, StateError> {
        Store::open(dir, Options::new(&["bank", "wasm"], 100))
    }

    fn commit(store: &Store, version: u64) {
        let mut changes = Changes::new();
        for n in 0..30 {
            let key = format!("key/{}", (version * 7 + n * n) % 97).into_bytes();
            match (version + n).is_multiple_of(3) {
                true => changes.remove("bank", &key),
                false => changes.set("bank", key, version.to_be_bytes().to_vec()).unwrap(),
            }
        }
        store.commit(store.stage(version, &changes).unwrap()).unwrap();
    }

    fn set_layout(store: &Store, layout: u64, mut rows: Rows) {
        rows.put(Table::Meta, keys::META_LAYOUT.to_vec(), layout.to_be_bytes().to_vec());
        store.head().disk(store.dir()).unwrap().write(store.latest().0, rows).unwrap();
    }

    #[test]
    fn the_layout_before_is_read_and_gets_the_number_of_this_one() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        let (store, other) = (open(&old).unwrap(), open(&new).unwrap());
        (1..=20).for_each(|version| [&store, &other].into_iter().for_each(|store| commit(store, version)));
        let mut rows = Rows::default();
        for row in store.view().range(Table::Nodes, Bound::Unbounded, Bound::Excluded(vec![0xff])) {
            let (row, contents) = row.unwrap();
            if let Parts::Leaf { key } = node::parts(&contents).unwrap() {
                rows.put(Table::Nodes, row, [&[1], &[7; 32][..], &key].concat());
            }
        }
        set_layout(&store, keys::LAYOUT_BEFORE, rows);
        drop(store);
        let store = open(&old).unwrap();
        (21..=140).for_each(|version| [&store, &other].into_iter().for_each(|store| commit(store, version)));
        drop(store);
        let store = open(&old).unwrap();
        let layout = store.view().get(Table::Meta, keys::META_LAYOUT).unwrap();
        assert_eq!((layout, store.latest()), (Some(keys::LAYOUT.to_be_bytes().to_vec()), other.latest()));
        for key in (0..97).map(|n| format!("key/{n}")) {
            let prove = |store: &Store| store.snapshot_at(41).unwrap().prove("bank", key.as_bytes()).unwrap();
            assert_eq!(prove(&store), prove(&other));
        }
        assert_eq!(
            store.snapshot().export(1_000, &|| false).unwrap(),
            other.snapshot().export(1_000, &|| false).unwrap()
        );
    }

    #[test]
    fn another_layout_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        for found in [0, 3, u64::MAX] {
            let store = Store::open(dir.path(), Options::new(&["bank", "wasm"], 100));
            set_layout(&store.unwrap(), found, Rows::default());
            let refused = open(dir.path());
            assert!(matches!(refused, Err(StateError::Layout { found: layout, wanted: 2 }) if layout == found));
            let disk = Disk::open(dir.path(), 1 << 20, None, Rows::default).unwrap();
            let mut rows = Rows::default();
            rows.put(Table::Meta, keys::META_LAYOUT.to_vec(), keys::LAYOUT.to_be_bytes().to_vec());
            disk.write(0, rows).unwrap();
        }
    }
}
