//! The embedded store: six ordered tables, snapshots of all of them, one atomic write at a time.
//!
//! The only file that knows fjall, a log-structured merge tree in Rust. `benches/peers/state-stores` is why: it
//! commits a large block several times faster than a copy-on-write B-tree, which rewrites a page per key.
//!
//! A write goes to the journal first, and into the tables' buffers once the journal is flushed to the medium: no file
//! of a table ever holds a row that the journal can still lose. A journal that ends in the middle of a write is cut
//! there when the store is opened, so a write is there as a whole or not at all.

use std::fs::{File, TryLockError};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fjall::compaction::Leveled;
use fjall::config::CompressionPolicy;
use fjall::{
    AbstractTree as _, CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable as _,
};
use xxhash_rust::xxh3::xxh3_128;

use crate::error::StateError;

/// Called with the version of a block at each [`Moment`] of its commit.
///
/// A node leaves it empty. A test ends the process in it, or takes a copy of the folder, to see what a restart finds.
pub type FailPoint = Arc<dyn Fn(u64, Moment<'_>) + Send + Sync>;

/// Where a commit is.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Moment<'a> {
    /// Nothing of the block has left the memory of this process.
    Begun,
    /// All its rows are in the journal, flushed to the medium, and nobody was told.
    Written(Written<'a>),
}

/// The last write, for a test of what would be left of it had power gone in the middle of its flush.
#[derive(Clone, Copy)]
pub struct Written<'a> {
    store: &'a Path,
    tables: &'a Tables,
    /// Bytes that the write has in the journal at least.
    least: usize,
}

impl Written<'_> {
    /// Takes the end of the write out of the journal, as a loss of power in the middle of the flush may. The process
    /// must end then. False, and nothing done, where a buffer is on its way into a file by this write: it only is after
    /// the flush, so that no loss of power leaves what the tear would.
    pub fn tear(&self) -> std::io::Result<bool> {
        if self.tables.is_one_leaving() {
            return Ok(false);
        }
        let number = |path: &PathBuf| path.file_stem()?.to_str()?.parse::<u64>().ok();
        let files = std::fs::read_dir(self.store)?.map(|entry| entry.map(|entry| entry.path()));
        let mut journals = files.collect::<Result<Vec<_>, _>>()?;
        journals.retain(|path| path.extension().is_some_and(|extension| extension == "jnl"));
        let Some(journal) = journals.into_iter().max_by_key(number) else { return Ok(true) };
        let mut bytes = std::fs::read(&journal)?;
        // The file is longer than what was written to it, and a write does not end with a zero.
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let lost = end.saturating_sub(self.least.div_ceil(2))..end;
        bytes.get_mut(lost).unwrap_or_default().fill(0);
        std::fs::write(journal, bytes)?;
        Ok(true)
    }
}

/// What a state folder holds: the lock, the store, and at times a store that is being created or restored, or one that
/// is restored and on its way into the store's place.
const LOCK: &str = "lock";
const STORE: &str = "store";
/// Where a store goes that takes the place of one in [`STORE`], and the other way round. Files that the one before has merged
/// go once nobody reads them, by their path: under the same names as before they would be the other one's.
const OTHER: &str = "store.2";
const UNFINISHED: &str = "unfinished";
const RESTORING: &str = "restoring";
const RESTORED: &str = "restored";

/// Journals that may wait for their tables to be written; what a start after a crash replays at most.
const JOURNAL_BYTES: u64 = 128 << 20;

/// Threads that write tables and merge them. The first one only writes, and turns without a pause as long as something is to
/// be merged and all others merge (fjall 3.1, `worker_tick`): with two that is a whole processor for as long as a merge
/// takes, with three it hardly happens.
const WORKERS: usize = 3;

/// Rows of one table kept in memory before they become a file, and of one that gets a row or two a block.
const BUFFER_BYTES: u64 = 8 << 20;
const SLOW_BUFFER_BYTES: u64 = 1 << 20;

/// New files of the table of nodes that are merged into the old ones together. From twenty on writes are held up.
const NODES_FILES: u8 = 10;

/// The row of every table that names the version which wrote last; it sorts behind all others.
///
/// Tables become files one by one. Should a journal lose rows that one of them has in a file already, then the tables
/// are not at one height, and this is how that shows.
const MARK: &[u8] = &[0xff];

/// Bytes that a row takes in the journal beside its key and its value.
const JOURNAL_ROW: usize = 21;

/// Free space below which a store that stopped taking writes is taken to have run out of it.
const SPACE_MIN: u64 = 64 << 20;

/// The tables; [`crate::keys`] says what their keys look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Meta,
    Latest,
    History,
    Nodes,
    Roots,
    Stale,
}

impl Table {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Meta, "meta"),
        (Self::Latest, "latest"),
        (Self::History, "history"),
        (Self::Nodes, "nodes"),
        (Self::Roots, "roots"),
        (Self::Stale, "stale"),
    ];

    fn buffer_bytes(self) -> u64 {
        match self {
            Self::Meta | Self::Roots => SLOW_BUFFER_BYTES,
            Self::Latest | Self::History | Self::Nodes | Self::Stale => BUFFER_BYTES,
        }
    }

    fn options(self) -> KeyspaceCreateOptions {
        let options = KeyspaceCreateOptions::default().max_memtable_size(self.buffer_bytes());
        match self {
            // Nodes are hashes, which no compression makes smaller, and each one asked for is there. A merge takes what new
            // files have and all that is old between the first and the last of it, which is most of the table: it is put off.
            Self::Nodes => options
                .expect_point_read_hits(true)
                .compaction_strategy(Arc::new(Leveled::default().with_l0_threshold(NODES_FILES)))
                .data_block_compression_policy(CompressionPolicy::all(CompressionType::None)),
            _ => options,
        }
    }
}

/// Rows to write at once; none as a value removes the row.
#[derive(Debug, Default)]
pub(crate) struct Rows(Vec<(Table, Bytes, Option<Bytes>)>);

impl Rows {
    pub(crate) fn put(&mut self, table: Table, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.0.push((table, key.into(), Some(value.into())));
    }

    pub(crate) fn remove(&mut self, table: Table, key: impl Into<Bytes>) {
        self.0.push((table, key.into(), None));
    }

    /// What becomes of rows of one table.
    pub(crate) fn of(&self, table: Table) -> impl Iterator<Item = (&Bytes, Option<&Bytes>)> {
        let rows = self.0.iter().filter(move |(of, ..)| *of == table);
        rows.map(|(_, key, value)| (key, value.as_ref()))
    }
}

/// Many rows for [`Disk::load`], in one piece of memory: what is small is more than its bytes on its own.
#[derive(Debug, Default)]
pub(crate) struct Bulk {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

/// Where a row's key and value begin and end.
#[derive(Debug)]
struct Place {
    table: Table,
    key: usize,
    value: usize,
    end: usize,
}

impl Bulk {
    pub(crate) fn put(&mut self, table: Table, key: &[u8], value: &[u8]) {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.places.push(Place { table, key: begin, value: begin + key.len(), end: self.bytes.len() });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// The open store. Dropping the last one releases the folder.
pub(crate) struct Disk {
    db: Database,
    tables: Arc<Tables>,
    /// The store's own folder.
    place: PathBuf,
    cache_bytes: u64,
    fail: Option<FailPoint>,
    /// Released last, when the store below is closed.
    _lock: Arc<Lock>,
}

struct Tables {
    dir: PathBuf,
    keyspaces: [Keyspace; 6],
}

impl Tables {
    /// Whether the write before, which put a row into every buffer, left one so full that it becomes a file, or whether
    /// that began already, which leaves it empty.
    fn is_one_leaving(&self) -> bool {
        Table::ALL.into_iter().any(|(table, _)| {
            let bytes = self.of(table).tree.active_memtable().size();
            bytes == 0 || bytes > table.buffer_bytes()
        })
    }

    fn of(&self, table: Table) -> &Keyspace {
        let [meta, latest, history, nodes, roots, stale] = &self.keyspaces;
        match table {
            Table::Meta => meta,
            Table::Latest => latest,
            Table::History => history,
            Table::Nodes => nodes,
            Table::Roots => roots,
            Table::Stale => stale,
        }
    }
}

impl Disk {
    /// Opens the store in `dir`, or creates it with the rows of `initial`.
    ///
    /// A store is created beside its place and then moved there, so that a process which dies meanwhile leaves none.
    pub(crate) fn open(
        dir: &Path,
        cache_bytes: u64,
        fail: Option<FailPoint>,
        initial: impl FnOnce() -> Rows,
    ) -> Result<Self, StateError> {
        let lock = Arc::new(lock(dir).map_err(|error| failure(dir, error))?);
        let unfinished = dir.join(UNFINISHED);
        let failed = |error: std::io::Error| failure(dir, error.into());
        remove(&dir.join(RESTORING)).map_err(failed)?;
        if dir.join(RESTORED).exists() {
            put_in_place(dir).map_err(failed)?;
        }
        if [STORE, OTHER].iter().all(|name| dir.join(name).exists()) {
            return Err(StateError::corrupt(format!("{} has two stores, {STORE} and {OTHER}", dir.display())));
        }
        if place(dir).is_none() {
            remove(&unfinished).map_err(failed)?;
            let new = Self::attach(dir, &unfinished, cache_bytes, Arc::clone(&lock))?;
            new.write(0, initial())?;
            drop(new);
            rename(dir, UNFINISHED, STORE).map_err(failed)?;
        }
        let disk = Self::attach(dir, &dir.join(place(dir).unwrap_or(STORE)), cache_bytes, lock)?;
        disk.check_marks()?;
        Ok(Self { fail, ..disk })
    }

    /// Whether all tables are at one height. Those of a store that is older than the marks have none.
    fn check_marks(&self) -> Result<(), StateError> {
        let (view, mut told) = (self.view(), Vec::new());
        for (table, name) in Table::ALL {
            let mark = view.get(table, MARK)?.map(|mark| mark.try_into().map(u64::from_be_bytes));
            told.push((
                name,
                mark.transpose().map_err(|_| StateError::corrupt(format!("the mark of {name} is none")))?,
            ));
        }
        if told.iter().all(|(_, mark)| Some(*mark) == told.first().map(|(_, mark)| *mark)) {
            return Ok(());
        }
        let height = |mark: Option<u64>| mark.map_or_else(|| "no height".into(), |height| height.to_string());
        let told: Vec<String> = told.into_iter().map(|(name, mark)| format!("{name} {}", height(mark))).collect();
        Err(StateError::corrupt(format!("its tables are at different heights ({})", told.join(", "))))
    }

    /// Another store beside this one, to be restored. There is one at a time.
    pub(crate) fn beside(&self, initial: Rows) -> Result<Self, StateError> {
        let dir = &self.tables.dir;
        let place = dir.join(RESTORING);
        remove(&place).map_err(|error| failure(dir, error.into()))?;
        let new = Self::attach(dir, &place, self.cache_bytes, Arc::clone(&self._lock))?;
        new.write(0, initial)?;
        Ok(Self { fail: self.fail.clone(), ..new })
    }

    /// Puts a store that was made with [`Disk::beside`] in the place of the other one, and opens it there.
    ///
    /// It is complete from the first renaming on: an interruption after that is made good at the next start. Whoever
    /// still looks at the other store must not need it any more.
    pub(crate) fn take_place(self) -> Result<Self, StateError> {
        let Self { db, tables, cache_bytes, fail, _lock, .. } = self;
        let dir = tables.dir.clone();
        drop((db, tables));
        let placed = rename(&dir, RESTORING, RESTORED).and_then(|()| put_in_place(&dir));
        let name = placed.map_err(|error| failure(&dir, error.into()))?;
        Ok(Self { fail, ..Self::attach(&dir, &dir.join(name), cache_bytes, _lock)? })
    }

    /// Removes a store that was made with [`Disk::beside`]; what cannot be removed now is at the next start.
    pub(crate) fn discard(self) {
        let place = self.tables.dir.join(RESTORING);
        drop(self);
        let _ = remove(&place);
    }

    fn attach(dir: &Path, place: &Path, cache_bytes: u64, lock: Arc<Lock>) -> Result<Self, StateError> {
        let failed = |error| failure(dir, error);
        check_lists(dir, place)?;
        let db = Database::builder(place)
            .cache_size(cache_bytes)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(WORKERS)
            .open()
            .map_err(failed)?;
        let table = |(table, name): (Table, &str)| db.keyspace(name, || table.options());
        let [meta, latest, history, nodes, roots, stale] = Table::ALL.map(table);
        let keyspaces = (|| Ok([meta?, latest?, history?, nodes?, roots?, stale?]))().map_err(failed)?;
        let tables = Arc::new(Tables { dir: dir.to_path_buf(), keyspaces });
        Ok(Self { db, tables, place: place.to_path_buf(), cache_bytes, fail: None, _lock: lock })
    }

    /// Writes many rows of a store that nobody reads yet: past journal and buffers, straight into sorted files. They
    /// survive a loss of power when this returns; after an error some of them may be there.
    pub(crate) fn load(&self, version: u64, rows: Bulk) -> Result<(), StateError> {
        let failed = |error| failure(&self.tables.dir, error);
        let Bulk { bytes, mut places } = rows;
        let key = |place: &Place| bytes.get(place.key..place.value).unwrap_or_default();
        places.sort_unstable_by(|a, b| (a.table as u8, key(a)).cmp(&(b.table as u8, key(b))));
        if places.windows(2).any(|pair| matches!(pair, [a, b] if a.table == b.table && key(a) == key(b))) {
            return Err(StateError::corrupt("a row is to be written twice"));
        }
        for part in places.chunk_by(|a, b| a.table == b.table) {
            let Some(first) = part.first() else { continue };
            let mut files = self.tables.of(first.table).start_ingestion().map_err(failed)?;
            for place in part {
                let value = bytes.get(place.value..place.end).unwrap_or_default();
                files.write(key(place), value).map_err(failed)?;
            }
            files.finish().map_err(failed)?;
        }
        if let Some(fail) = &self.fail {
            // Sorted files are flushed already: power takes nothing of them.
            fail(version, Moment::Written(Written { store: &self.place, tables: &self.tables, least: 0 }));
        }
        Ok(())
    }

    /// All tables as they are now.
    pub(crate) fn view(&self) -> View {
        View { snapshot: self.db.snapshot(), tables: Arc::clone(&self.tables) }
    }

    /// Writes all rows or none. They survive a loss of power when this returns.
    pub(crate) fn write(&self, version: u64, rows: Rows) -> Result<(), StateError> {
        let failed = |error| failure(&self.tables.dir, error);
        // Values count as nothing: the journal may pack them.
        let least = rows.0.iter().map(|(_, key, _)| key.len() + JOURNAL_ROW).sum();
        if let Some(fail) = &self.fail {
            fail(version, Moment::Begun);
        }
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncData));
        for (table, key, value) in rows.0 {
            match value {
                Some(value) => batch.insert(self.tables.of(table), key, value),
                None => batch.remove(self.tables.of(table), key),
            }
        }
        for (table, _) in Table::ALL {
            batch.insert(self.tables.of(table), MARK, version.to_be_bytes());
        }
        batch.commit().map_err(failed)?;
        if let Some(fail) = &self.fail {
            fail(version, Moment::Written(Written { store: &self.place, tables: &self.tables, least }));
        }
        Ok(())
    }

    /// The same rows in a store of its own beside this one, in files without what was removed or replaced and without
    /// a journal of what is in them; to be put in this one's place with [`Disk::take_place`].
    pub(crate) fn copied(&self) -> Result<Self, StateError> {
        let dir = &self.tables.dir;
        let failed = |error| failure(dir, error);
        let place = dir.join(RESTORING);
        remove(&place).map_err(|error| failure(dir, error.into()))?;
        let copy = Self::attach(dir, &place, self.cache_bytes, Arc::clone(&self._lock))?;
        let view = self.view();
        for (table, _) in Table::ALL {
            let mut rows = copy.tables.of(table).start_ingestion().map_err(failed)?;
            for row in view.range(table, Bound::Unbounded, Bound::Unbounded) {
                let (key, value) = row?;
                rows.write(key, value).map_err(failed)?;
            }
            rows.finish().map_err(failed)?;
        }
        copy.db.persist(PersistMode::SyncAll).map_err(failed)?;
        Ok(Self { fail: self.fail.clone(), ..copy })
    }
}

/// All tables as they were at one moment, whatever is written later.
#[derive(Clone)]
pub(crate) struct View {
    snapshot: fjall::Snapshot,
    tables: Arc<Tables>,
}

/// A row as read: key and value.
pub(crate) type Row = (Vec<u8>, Vec<u8>);

/// Bytes of a row, shared by whoever has them; up to twenty stand in the place of the pointer to them. What was read may be
/// a part of a larger block: whoever keeps it for long makes a copy.
pub(crate) type Bytes = fjall::Slice;

impl View {
    /// The value of one row.
    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.get_shared(table, key)?.map(|value| value.to_vec()))
    }

    /// The same without a copy.
    pub(crate) fn get_shared(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        self.snapshot.get(self.tables.of(table), key).map_err(|error| failure(&self.tables.dir, error))
    }

    /// The rows between two keys, from either end. `lower` must not lie above `upper`. Without an upper key the table's
    /// mark is the last row.
    pub(crate) fn range(
        &self,
        table: Table,
        lower: Bound<Vec<u8>>,
        upper: Bound<Vec<u8>>,
    ) -> impl DoubleEndedIterator<Item = Result<Row, StateError>> + Send + use<> {
        self.shared(table, lower, upper).map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec())))
    }

    /// The same without copies.
    pub(crate) fn shared(
        &self,
        table: Table,
        lower: Bound<Vec<u8>>,
        upper: Bound<Vec<u8>>,
    ) -> impl DoubleEndedIterator<Item = Result<(Bytes, Bytes), StateError>> + Send + use<> {
        let tables = Arc::clone(&self.tables);
        self.snapshot
            .range(self.tables.of(table), (lower, upper))
            .map(move |row| row.into_inner().map_err(|error| failure(&tables.dir, error)))
    }
}

/// Whether the list of each table's files is what was written: fjall takes it as it is, and stops the process where it makes no
/// sense (lsm-tree 3.1, `Manifest::decode_from`). Beside the lists stands which of them holds, and its XXH3 of 128 bits
/// (`persist_version`).
fn check_lists(dir: &Path, place: &Path) -> Result<(), StateError> {
    /// A file that may not be there.
    fn read(file: &Path) -> std::io::Result<Option<Vec<u8>>> {
        match std::fs::read(file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            bytes => bytes.map(Some),
        }
    }
    let failed = |error: std::io::Error| failure(dir, error.into());
    let folder = place.join("keyspaces");
    if !folder.exists() {
        return Ok(());
    }
    for table in std::fs::read_dir(folder).map_err(failed)? {
        let table = table.map_err(failed)?.path();
        let broken = |what| StateError::corrupt(format!("{} {what}", table.display()));
        // Without it the table's creation was cut off, and fjall removes what there is.
        let Some(current) = read(&table.join("current")).map_err(failed)? else { continue };
        let (number, rest) = current.split_first_chunk::<8>().ok_or_else(|| broken("does not say its files"))?;
        let list = read(&table.join(format!("v{}", u64::from_le_bytes(*number)))).map_err(failed)?;
        let list = list.ok_or_else(|| broken("has no list of its files"))?;
        if rest.first_chunk().copied().map(u128::from_le_bytes) != Some(xxh3_128(&list)) {
            return Err(broken("has a list of its files that is not what was written"));
        }
    }
    Ok(())
}

/// Removes a folder that may not be there.
fn remove(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Gives a store in `dir` another name, durably.
fn rename(dir: &Path, from: &str, to: &str) -> std::io::Result<()> {
    std::fs::rename(dir.join(from), dir.join(to))?;
    File::open(dir)?.sync_all()
}

/// What the store in a folder is called, if there is one.
fn place(dir: &Path) -> Option<&'static str> {
    [STORE, OTHER].into_iter().find(|name| dir.join(name).exists())
}

/// The last steps of a restoration, as often as it takes; what the store is called then.
fn put_in_place(dir: &Path) -> std::io::Result<&'static str> {
    let free = if place(dir) == Some(STORE) { OTHER } else { STORE };
    remove(&dir.join(STORE))?;
    remove(&dir.join(OTHER))?;
    rename(dir, RESTORED, free)?;
    Ok(free)
}

/// Keeps other stores out of the folder while it lives.
struct Lock(File);

impl Drop for Lock {
    /// Closing the file would do, were it not that a process being started just now holds it too for a moment.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Takes the folder for this store alone.
fn lock(dir: &Path) -> Result<Lock, fjall::Error> {
    std::fs::create_dir_all(dir)?;
    let file = File::options().create(true).truncate(false).write(true).open(dir.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(fjall::Error::Locked),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Tells what an operator can do something about from the rest.
fn failure(dir: &Path, error: fjall::Error) -> StateError {
    let path = dir.to_path_buf();
    match &error {
        fjall::Error::Locked => StateError::InUse { path },
        fjall::Error::Io(io) | fjall::Error::Storage(fjall::LsmError::Io(io)) if is_full(io) => {
            StateError::NoSpace { path }
        }
        // A worker thread met the failure, and only the fact that there was one comes through.
        fjall::Error::Poisoned if space_left(dir).is_some_and(|bytes| bytes < SPACE_MIN) => {
            StateError::NoSpace { path }
        }
        fjall::Error::Storage(inner) if !matches!(inner, fjall::LsmError::Io(_)) => damaged(dir, &error),
        fjall::Error::JournalRecovery(_)
        | fjall::Error::InvalidVersion(_)
        | fjall::Error::InvalidTrailer
        | fjall::Error::InvalidTag(_)
        | fjall::Error::Decompress(_)
        | fjall::Error::Unrecoverable => damaged(dir, &error),
        _ => {
            let source: Box<dyn std::error::Error + Send + Sync> = match error {
                fjall::Error::Io(io) | fjall::Error::Storage(fjall::LsmError::Io(io)) => Box::new(io),
                other => Box::new(other),
            };
            StateError::Store { path, source }
        }
    }
}

fn damaged(dir: &Path, error: &fjall::Error) -> StateError {
    StateError::corrupt(format!("store in {}: {error}", dir.display()))
}

/// A limit on a file's size (`ulimit -f`) ends like a full disk: what is written has no place.
fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

fn space_left(dir: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(dir).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        let dir = Path::new("/home/node/state");
        let io = |code| std::io::Error::from_raw_os_error(code);
        for full in [fjall::Error::Io(io(28)), fjall::Error::Storage(fjall::LsmError::Io(io(28)))] {
            let StateError::NoSpace { path } = failure(dir, full) else { panic!("ENOSPC was not recognised") };
            assert_eq!(path, dir);
        }
        assert!(matches!(failure(dir, fjall::Error::Io(io(5))), StateError::Store { .. }));
        assert!(matches!(failure(dir, fjall::Error::InvalidTrailer), StateError::Corrupt { .. }));
        assert!(space_left(&std::env::temp_dir()).unwrap() > 0);
    }

    /// Any bit of the lists, of which some stop fjall.
    #[test]
    fn a_damaged_list_of_files_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Disk::open(dir.path(), 1 << 20, None, Rows::default);
        let disk = open().unwrap();
        let mut rows = Rows::default();
        rows.put(Table::Latest, [1], [1; 100]);
        disk.write(1, rows).unwrap();
        disk.tables.of(Table::Latest).rotate_memtable_and_wait().unwrap();
        drop(disk);
        let table = |number: u8| dir.path().join(STORE).join("keyspaces").join(number.to_string());
        let mut refused = 0;
        for folder in (0..=6).map(table) {
            let current = std::fs::read(folder.join("current")).unwrap();
            let list = format!("v{}", u64::from_le_bytes(*current.first_chunk().unwrap()));
            for file in ["current", &list].map(|name| folder.join(name)) {
                let whole = std::fs::read(&file).unwrap();
                // What follows says how it was reckoned, which there is one way for.
                let end = if file.ends_with("current") { 24 } else { whole.len() };
                for at in 0..end {
                    let mut damaged = whole.clone();
                    damaged[at] ^= 1 << (at % 8);
                    std::fs::write(&file, damaged).unwrap();
                    let Err(StateError::Corrupt { what }) = open() else { panic!("{file:?} at {at} was opened") };
                    assert!(what.contains("its files"), "{file:?} at {at}: {what}");
                    refused += 1;
                }
                for cut in 0..end {
                    std::fs::write(&file, &whole[..cut]).unwrap();
                    assert!(matches!(open(), Err(StateError::Corrupt { .. })), "{file:?} cut to {cut}");
                }
                std::fs::write(&file, whole).unwrap();
            }
        }
        assert!(refused > 1_000 && open().unwrap().view().get(Table::Latest, &[1]).unwrap().is_some());
    }

    #[test]
    fn a_store_whose_creation_was_cut_off_is_created_anew() {
        let dir = tempfile::tempdir().unwrap();
        drop(Disk::open(dir.path(), 1 << 20, None, Rows::default).unwrap());
        std::fs::rename(dir.path().join(STORE), dir.path().join(UNFINISHED)).unwrap();
        std::fs::remove_file(dir.path().join(UNFINISHED).join("version")).unwrap();
        drop(Disk::open(dir.path(), 1 << 20, None, Rows::default).unwrap());
        assert!(!dir.path().join(UNFINISHED).exists());
    }

    /// A table becomes a file with rows that the journal then loses, as on a medium that does not do what it says.
    #[test]
    fn tables_at_different_heights_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let tear: FailPoint = Arc::new(|version, moment| {
            if let (2, Moment::Written(written)) = (version, moment) {
                assert!(written.tear().unwrap());
            }
        });
        let disk = Disk::open(dir.path(), 1 << 20, Some(tear), Rows::default).unwrap();
        for version in 1..=2 {
            let mut rows = Rows::default();
            rows.put(Table::Latest, vec![1], vec![2; 100]);
            disk.write(version, rows).unwrap();
        }
        disk.tables.of(Table::Latest).rotate_memtable_and_wait().unwrap();
        drop(disk);
        let Err(StateError::Corrupt { what }) = Disk::open(dir.path(), 1 << 20, None, Rows::default) else {
            panic!("a store between two heights was opened")
        };
        let want = "its tables are at different heights (meta 1, latest 2, history 1, nodes 1, roots 1, stale 1)";
        assert_eq!(what, want);
    }

    /// Files that were merged are removed when the last one who reads them ends, which may be after another store has taken
    /// the place of theirs.
    #[test]
    fn who_reads_a_store_that_was_replaced_takes_nothing_of_the_other_one() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Disk::open(dir.path(), 1 << 20, None, Rows::default).unwrap();
        let mut disk = open();
        for replaced in 0..3 {
            let latest = disk.tables.of(Table::Latest).clone();
            let write = |disk: &Disk, key: u8| {
                let mut rows = Rows::default();
                rows.put(Table::Latest, [key], [key; 100]);
                disk.write(u64::from(key), rows).unwrap();
                latest.rotate_memtable_and_wait().unwrap();
            };
            (1..=3).for_each(|key| write(&disk, key));
            let view = disk.view();
            (4..=9).for_each(|key| write(&disk, key));
            latest.major_compact().unwrap();
            let copy = disk.copied().unwrap();
            drop((disk, latest));
            disk = copy.take_place().unwrap();
            drop(view);
            assert_eq!(place(dir.path()), Some([OTHER, STORE, OTHER][replaced]));
        }
        drop(disk);
        let view = open().view();
        let all = view.range(Table::Latest, Bound::Unbounded, Bound::Unbounded).collect::<Result<Vec<_>, _>>();
        assert_eq!(all.unwrap().len(), 10);
        drop(view);
        std::fs::create_dir(dir.path().join(STORE)).unwrap();
        assert!(matches!(Disk::open(dir.path(), 1 << 20, None, Rows::default), Err(StateError::Corrupt { .. })));
    }

    /// Its buffer becomes a file, which says that the journal was flushed before.
    #[test]
    fn a_write_that_fills_a_buffer_cannot_be_torn() {
        let dir = tempfile::tempdir().unwrap();
        let tear: FailPoint = Arc::new(|version, moment| {
            if let (1.., Moment::Written(written)) = (version, moment) {
                assert_eq!(written.tear().unwrap(), version == 3);
            }
        });
        let disk = Disk::open(dir.path(), 1 << 20, Some(tear), Rows::default).unwrap();
        for version in 1..=3_u64 {
            let mut rows = Rows::default();
            let bytes = if version == 3 { 100 } else { 100 + usize::try_from(BUFFER_BYTES).unwrap() };
            rows.put(Table::Latest, version.to_be_bytes().to_vec(), vec![7; bytes]);
            disk.write(version, rows).unwrap();
            if version == 2 {
                disk.tables.of(Table::Latest).rotate_memtable_and_wait().unwrap();
            }
        }
        drop(disk);
        let view = Disk::open(dir.path(), 1 << 20, None, Rows::default).unwrap().view();
        let there = |version: u64| view.get(Table::Latest, &version.to_be_bytes()).unwrap().is_some();
        assert_eq!([1, 2, 3].map(there), [true, true, false]);
    }

    #[test]
    fn rows_that_are_loaded_are_like_written_ones() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Disk::open(dir.path(), 1 << 20, None, Rows::default).unwrap();
        let disk = open();
        let rows = |from: u8| {
            let mut rows = Bulk::default();
            for key in (from..from + 9).rev() {
                rows.put(Table::Latest, &[key], &[key; 100]);
                rows.put(Table::Nodes, &[key], &[key; 30]);
            }
            rows
        };
        disk.load(7, rows(1)).unwrap();
        disk.load(7, rows(100)).unwrap();
        let mut changed = Rows::default();
        changed.put(Table::Latest, vec![3], vec![0]);
        changed.remove(Table::Latest, vec![4]);
        disk.write(8, changed).unwrap();
        drop(disk);
        let view = open().view();
        let count = |table| view.range(table, Bound::Unbounded, Bound::Unbounded).count();
        // With the mark of each table.
        assert_eq!([Table::Latest, Table::Nodes, Table::Roots].map(count), [17 + 1, 18 + 1, 1]);
        let get = |table, key| view.get(table, &[key]).unwrap();
        assert_eq!((get(Table::Latest, 3), get(Table::Latest, 4)), (Some(vec![0]), None));
        assert_eq!((get(Table::Latest, 108), get(Table::Nodes, 1)), (Some(vec![108; 100]), Some(vec![1; 30])));
    }

    #[test]
    fn a_row_is_not_loaded_twice() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path(), 1 << 20, None, Rows::default).unwrap();
        let mut rows = Bulk::default();
        rows.put(Table::Latest, &[1], &[1]);
        rows.put(Table::Nodes, &[1], &[1]);
        rows.put(Table::Latest, &[1], &[2]);
        assert!(matches!(disk.load(1, rows), Err(StateError::Corrupt { .. })));
    }

    #[test]
    fn a_view_does_not_move() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path(), 1 << 20, None, Rows::default).unwrap();
        let write = |version: u8| {
            let mut rows = Rows::default();
            rows.put(Table::Latest, vec![1], vec![version]);
            disk.write(u64::from(version), rows).unwrap();
        };
        write(1);
        let view = disk.view();
        write(2);
        assert_eq!(view.get(Table::Latest, &[1]).unwrap(), Some(vec![1]));
        assert_eq!(disk.view().get(Table::Latest, &[1]).unwrap(), Some(vec![2]));
        assert!(matches!(Disk::open(dir.path(), 1 << 20, None, Rows::default), Err(StateError::InUse { .. })));
    }
}
