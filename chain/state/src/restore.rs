//! Takes over another node's state, chunk by chunk, and believes nothing of it.
//!
//! A manifest is accepted if its roots make the app hash that the caller trusts. Every chunk must have the digest in
//! the manifest, and its entries must be those under the roots: that is known at the end of the chunk, because the
//! entries come from left to right and the chunk names the branches right of its last one ([`crate::grow`]).
//!
//! What is proven is written by a thread of its own, some chunks at a time, while the next ones are checked.
//!
//! All of it goes into a store of its own beside the one that is open. The last step puts it in that one's place; a
//! process that dies before leaves the open store as it was, and the next start removes the rest.

use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use sha2::{Digest as _, Sha256};

use crate::branch::leaf_hash;
use crate::changes::{KEY_MAX, VALUE_MAX, is_key};
use crate::chunk::{ENTRIES, PIECE, RECORDS_MAX, Scan};
use crate::disk::{Bulk, Disk, Rows, Table};
use crate::error::StateError;
use crate::grow::Growing;
use crate::keys;
use crate::manifest::{CHUNK_MAX, Manifest};
use crate::node;
use crate::refusal::{ChunkFault, RestoreError};
use crate::store::{Store, head_row, initial_rows, read_head};
use crate::tree::EMPTY_ROOT;
use crate::update::update;
use crate::walk::Leaf;

/// Chunks whose rows are written at once: many rows make few sorted files, which have to be merged seldom.
const CHUNKS_AT_ONCE: u32 = 4;

/// A snapshot that is being restored. Dropping it removes what was written.
pub struct Restore {
    manifest: Manifest,
    /// Where the rows go, until it is put in place or removed.
    disk: Option<Arc<Disk>>,
    /// Proven rows that are not handed to the writer yet.
    rows: Bulk,
    /// Writes rows of chunks before.
    writer: Option<JoinHandle<Result<(), StateError>>>,
    /// The next chunk; none after a false one.
    next: Option<u32>,
    /// Components whose trees are complete.
    complete: u8,
    /// The tree that is not.
    growing: Option<Growing>,
    /// A value that comes in pieces.
    long: Option<Long>,
    /// Held as long as the restoration lives.
    _only: Arc<()>,
}

/// A value that comes in pieces.
struct Long {
    row: Vec<u8>,
    hash: [u8; 32],
    len: usize,
    bytes: Vec<u8>,
}

impl Store {
    /// Begins to restore a snapshot whose state has the app hash `trusted`.
    ///
    /// The store must be new, or hold nothing but a restored snapshot. It stays as it is until
    /// [`Store::finish_restore`].
    pub fn restore(&self, manifest: Manifest, trusted: [u8; 32]) -> Result<Restore, RestoreError> {
        self.check_replaceable()?;
        let names = manifest.components.iter().map(|(name, _)| name.as_str());
        if !names.clone().eq(self.components().iter().copied()) {
            let found = names.collect::<Vec<_>>().join(", ");
            return Err(RestoreError::Components { found, wanted: self.components().join(", ") });
        }
        let head = self.head();
        let app = update(&head.view, None, keys::APP, None, manifest.height, &manifest.roots())?;
        if app.root != trusted {
            return Err(RestoreError::AppHash { height: manifest.height });
        }
        let only = Arc::new(());
        let mut restoring = self.restoring().lock().unwrap_or_else(PoisonError::into_inner);
        if restoring.strong_count() > 0 {
            return Err(RestoreError::Busy);
        }
        let disk = head.disk(self.dir())?.beside(initial_rows(self.components()))?;
        *restoring = Arc::downgrade(&only);
        Ok(Restore {
            manifest,
            disk: Some(Arc::new(disk)),
            rows: Bulk::default(),
            writer: None,
            next: Some(0),
            complete: 0,
            growing: None,
            long: None,
            _only: only,
        })
    }

    /// Puts a restored state into this store's place: one atomic step, durable when this returns. Snapshots that were
    /// taken before stay as they are.
    ///
    /// Fails if chunks are missing; nothing is changed then.
    pub fn finish_restore(&self, mut restore: Restore) -> Result<(), RestoreError> {
        let _one_at_a_time = self.committing().lock().unwrap_or_else(PoisonError::into_inner);
        self.check_replaceable()?;
        let components = restore.manifest.components.len();
        let missing = components.saturating_sub(usize::from(restore.complete));
        if missing > 0 || !restore.is_complete() {
            return Err(RestoreError::Incomplete { missing, components });
        }
        restore.wait()?;
        // The writer has ended, so nobody else has it.
        let Some(disk) = restore.disk.take().and_then(Arc::into_inner) else { return Err(RestoreError::Busy) };
        let height = restore.manifest.height;
        let app = update(&disk.view(), None, keys::APP, None, height, &restore.manifest.roots())?;
        let mut rows = Rows::default();
        for (row, contents) in app.nodes {
            rows.put(Table::Nodes, row, contents);
        }
        rows.put(Table::Roots, keys::root(keys::APP, height), app.root.to_vec());
        rows.put(Table::Meta, keys::META_HEAD.to_vec(), head_row(height, &app.root, height));
        disk.write(height, rows)?;
        self.close_disk();
        let disk = Arc::new(disk.take_place()?);
        self.set_head(read_head(disk)?);
        Ok(())
    }
}

impl Restore {
    /// What is being restored.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Whether every chunk was applied.
    pub fn is_complete(&self) -> bool {
        self.next == Some(self.manifest.chunks()) && self.long.is_none() && self.growing.is_none()
    }

    /// Checks the next chunk and has its entries written, which [`Store::finish_restore`] waits for.
    ///
    /// After an error that blames the sender the right chunk can follow; after any other one the snapshot is over. It
    /// may be an error of writing what came before. Memory: the rows of twice [`CHUNKS_AT_ONCE`] chunks, and twice
    /// a value that comes in pieces.
    pub fn apply(&mut self, index: u32, chunk: &[u8]) -> Result<(), RestoreError> {
        let want = self.manifest.digests.get(usize::try_from(index).unwrap_or(usize::MAX));
        let Some(want) = want.filter(|_| self.next == Some(index)) else {
            return Err(RestoreError::Order { got: index, chunks: self.manifest.chunks() });
        };
        let len = chunk.len();
        if len > CHUNK_MAX || <[u8; 32]>::from(Sha256::digest(chunk)) != *want {
            return Err(RestoreError::Digest { index, len });
        }
        self.next = None;
        let state = (&self.manifest, &mut self.complete, &mut self.growing, &mut self.long);
        read(state, chunk, &mut self.rows).map_err(|fault| RestoreError::False { index, fault })?;
        let next = index.saturating_add(1);
        if next == self.manifest.chunks() || next.is_multiple_of(CHUNKS_AT_ONCE) {
            self.write()?;
        }
        self.next = Some(next);
        Ok(())
    }

    /// Hands the rows to a writer, when the one before has ended.
    fn write(&mut self) -> Result<(), StateError> {
        self.wait()?;
        let Some(disk) = self.disk.clone().filter(|_| !self.rows.is_empty()) else { return Ok(()) };
        let (height, rows) = (self.manifest.height, std::mem::take(&mut self.rows));
        let writer = std::thread::Builder::new().name("restore".into()).spawn(move || disk.load(height, rows));
        self.writer = Some(writer.map_err(|source| StateError::Thread { source })?);
        Ok(())
    }

    /// Waits for the writer.
    fn wait(&mut self) -> Result<(), StateError> {
        match self.writer.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(written)) => written,
            Some(Err(_)) => Err(StateError::corrupt("the thread that writes a snapshot's rows has panicked")),
        }
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        // What became of rows that are removed now is nothing to be told.
        let _ = self.wait();
        if let Some(disk) = self.disk.take().and_then(Arc::into_inner) {
            disk.discard();
        }
    }
}

/// What a chunk changes: how many trees are complete, the one that grows, the value that comes in pieces.
type State<'a> = (&'a Manifest, &'a mut u8, &'a mut Option<Growing>, &'a mut Option<Long>);

fn read((manifest, complete, growing, long): State<'_>, chunk: &[u8], rows: &mut Bulk) -> Result<(), ChunkFault> {
    let mut scan = Scan::new(chunk);
    match (scan.byte(), &long) {
        (Some(PIECE), Some(_)) => piece(long, scan.rest(), rows),
        (Some(ENTRIES), None) if !scan.is_empty() => {
            let mut records = 0;
            while !scan.is_empty() {
                if long.is_some() {
                    return Err(ChunkFault::Form { at: scan.at() });
                }
                part((manifest, complete, growing, long), &mut scan, &mut records, rows)?;
            }
            Ok(())
        }
        (Some(ENTRIES | PIECE), _) => Err(ChunkFault::Turn),
        _ => Err(ChunkFault::Form { at: 0 }),
    }
}

/// Reads all entries of one component that are in the chunk, and what proves them.
fn part(
    (manifest, complete, growing, long): State<'_>,
    scan: &mut Scan<'_>,
    records: &mut usize,
    rows: &mut Bulk,
) -> Result<(), ChunkFault> {
    let height = manifest.height;
    let cut = |scan: &Scan<'_>| ChunkFault::Form { at: scan.at() };
    let component = scan.byte().ok_or_else(|| cut(scan))?;
    let want = complete.saturating_add(1);
    let place = usize::from(*complete);
    let Some((name, root)) = manifest.components.get(place).filter(|_| component == want) else {
        return Err(ChunkFault::Component { got: component, want });
    };
    let tree = growing.get_or_insert_with(|| Growing::new(component, height));
    let mut last = None;
    loop {
        let key_len = scan.number().ok_or_else(|| cut(scan))?;
        if key_len == 0 {
            break;
        }
        if long.is_some() {
            return Err(cut(scan));
        }
        *records += 1;
        if *records > RECORDS_MAX {
            return Err(ChunkFault::Records { max: RECORDS_MAX });
        }
        let fits = usize::try_from(key_len).ok().filter(|len| *len <= KEY_MAX);
        let len = fits.ok_or(ChunkFault::Key { len: key_len, max: KEY_MAX })?;
        let key = scan.bytes(len).ok_or_else(|| cut(scan))?;
        let value_len = scan.number().ok_or_else(|| cut(scan))?;
        let fits = usize::try_from(value_len).ok().filter(|len| (1..=VALUE_MAX).contains(len));
        let len = fits.ok_or(ChunkFault::Value { len: value_len, max: VALUE_MAX })?;
        let row = keys::latest(component, key);
        let value_hash = if len > usize::try_from(manifest.chunk_bytes).unwrap_or(usize::MAX) {
            let hash = scan.hash().ok_or_else(|| cut(scan))?;
            *long = Some(Long { row, hash, len, bytes: Vec::new() });
            hash
        } else {
            let value = scan.bytes(len).ok_or_else(|| cut(scan))?;
            if is_key(key) {
                rows.put(Table::Latest, &row, value);
            } else if value != name.as_bytes() {
                return Err(ChunkFault::Sentinel { component });
            }
            Sha256::digest(value).into()
        };
        if long.is_some() && !is_key(key) {
            return Err(ChunkFault::Sentinel { component });
        }
        let key_hash = node::key_hash(key).0;
        last = Some(key_hash);
        let leaf = Leaf { key_hash, hash: leaf_hash(&key_hash, &value_hash), key: key.to_vec() };
        if !tree.push(leaf, rows) {
            return Err(ChunkFault::Order { component });
        }
    }
    let last = last.ok_or(ChunkFault::Empty { component })?;
    let edge = scan.edge(&last).ok_or_else(|| cut(scan))?;
    if tree.root_with(&edge) != Some(*root) {
        return Err(ChunkFault::Proof { component });
    }
    if edge.right.iter().all(|hash| *hash == EMPTY_ROOT) {
        if growing.take().and_then(|tree| tree.finish(rows)) != Some(*root) {
            return Err(ChunkFault::Proof { component });
        }
        rows.put(Table::Roots, &keys::root(component, height), root);
        *complete = want;
    }
    Ok(())
}

/// Adds a piece to the value that is incomplete.
fn piece(long: &mut Option<Long>, bytes: &[u8], rows: &mut Bulk) -> Result<(), ChunkFault> {
    let Some(mut value) = long.take() else { return Err(ChunkFault::Turn) };
    value.bytes.extend_from_slice(bytes);
    let len = value.bytes.len();
    if bytes.is_empty() || len > value.len {
        return Err(ChunkFault::Pieces { len });
    }
    if len < value.len {
        *long = Some(value);
        return Ok(());
    }
    if <[u8; 32]>::from(Sha256::digest(&value.bytes)) != value.hash {
        return Err(ChunkFault::Pieces { len });
    }
    rows.put(Table::Latest, &value.row, &value.bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::ops::Bound;

    use super::*;
    use crate::{Changes, Options};

    fn store(dir: &tempfile::TempDir, name: &str) -> Store {
        Store::open(&dir.path().join(name), Options::new(&["bank", "wasm"], 1)).unwrap()
    }

    fn commit(store: &Store, version: u64) {
        let mut changes = Changes::new();
        for n in 0..30 {
            let key = format!("key/{}", (version * 7 + n * n) % 97).into_bytes();
            if (version + n).is_multiple_of(3) {
                changes.remove("bank", &key);
            } else {
                changes.set("bank", key, version.to_be_bytes().repeat(20)).unwrap();
            }
        }
        store.commit(store.stage(version, &changes).unwrap()).unwrap();
    }

    fn rows(store: &Store, table: Table) -> usize {
        // The table's mark is no row of ours.
        store.view().range(table, Bound::Unbounded, Bound::Unbounded).count() - 1
    }

    #[test]
    fn a_restored_store_holds_what_an_executing_one_holds() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (store(&dir, "old"), store(&dir, "new"));
        (1..=20).for_each(|version| commit(&old, version));
        let export = old.snapshot().export(500, &|| false).unwrap().unwrap();
        let mut restore = new.restore(export.manifest().clone(), old.latest().1).unwrap();
        for index in 0..export.manifest().chunks() {
            restore.apply(index, &old.snapshot().chunk(&export, index).unwrap().unwrap()).unwrap();
        }
        new.finish_restore(restore).unwrap();
        assert_eq!(rows(&new, Table::Latest), rows(&old, Table::Latest));
        assert_eq!([Table::Roots, Table::Stale, Table::History].map(|table| rows(&new, table)), [3, 0, 0]);
        for version in 21..=40 {
            commit(&old, version);
            commit(&new, version);
        }
        for store in [&old, &new] {
            (41..=43).for_each(|version| {
                store.commit(store.stage(version, &Changes::new()).unwrap()).unwrap();
            });
        }
        for table in [Table::Latest, Table::Nodes, Table::Roots, Table::Stale, Table::History] {
            assert_eq!(rows(&new, table), rows(&old, table), "{table:?}");
        }
        assert_eq!(new.latest(), old.latest());
    }

    /// Between the two renamings of the last step.
    #[test]
    fn a_restored_store_on_its_way_arrives_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let first = store(&dir, "new");
        (1..=3).for_each(|version| commit(&first, version));
        let latest = first.latest();
        drop(first);
        drop(store(&dir, "other"));
        let home = dir.path().join("other");
        std::fs::rename(dir.path().join("new/store"), home.join("restored")).unwrap();
        std::fs::create_dir(home.join("restoring")).unwrap();
        assert_eq!(store(&dir, "other").latest(), latest);
        assert!(!home.join("restored").exists() && !home.join("restoring").exists());
        assert_eq!(store(&dir, "other").latest(), latest);
    }
}
