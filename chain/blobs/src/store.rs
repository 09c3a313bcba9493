//! The store: opening, putting, reading, removing. Compaction is in [`crate::compact`].
//!
//! ```text
//! DIR/lock                      locked while open
//! DIR/roots                     the log of what was put and removed
//! DIR/packs/0000000001.pack     blocks; the last pack grows, the others never change
//! DIR/packs/0000000001.index    where they lie; may be missing
//! ```
//!
//! Many readers and many puts run side by side: hashing and reading happen outside of every lock. Locks are taken in the
//! order compaction, sync turn, writer, roots, state, and the state lock is never held over a file operation but the
//! writing of an index. A panic elsewhere cannot leave a lock's data half changed, so a poisoned lock is taken over.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions, TryLockError},
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aceso_types::blob::BlobId;

use crate::{
    dag::{self, Blocks, Cursor},
    error::{self, BlobError, Other, Place},
    import::{self, Put},
    index::Index,
    pack::{self, Found, Packs},
    reader::BlobReader,
    record::{Digest, Location},
    roots::{Listed, Roots, Stat},
    writer::Writer,
};

/// A pack is closed before it passes this length: 8192 packs per TiB, and a walk over the last one, which a crash costs,
/// reads 128 headers.
const PACK_BYTES: u64 = 128 << 20;
/// Offsets in a pack are 32 bits.
const PACK_BYTES_MAX: u64 = 2 << 30;

/// How a store is kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Bytes after which a pack is closed and the next one begun; a larger block gets a pack of its own. At most 2 GiB.
    pub pack_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { pack_bytes: PACK_BYTES }
    }
}

/// What opening found and mended. All zero after an orderly close.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// Bytes of unfinished writes that were cut off; nothing acknowledged was in them.
    pub torn_bytes: u64,
    /// Bytes within packs that are no records: the disk changed what was written.
    pub damaged_bytes: u64,
    /// Rows of the table of roots that are broken: blobs that were put or removed and are not known any more.
    pub damaged_roots: u64,
    /// Packs whose index was missing or wrong and was made again.
    pub indexes_rebuilt: u64,
}

/// What the store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Blobs that were put and not removed.
    pub blobs: u64,
    /// Blocks in packs, also those of no blob.
    pub blocks: u64,
    /// Bytes of all packs.
    pub pack_bytes: u64,
}

/// Blobs in a directory that this value has for itself.
///
/// A blob is here from the return of [`put`](Self::put) until [`remove`](Self::remove); the blocks inside its tree are
/// not blobs by themselves. Memory: some 66 bytes per block and 90 per blob, so 1 MiB per 15 GiB of large files and
/// 160 MiB per million small ones, and one leaf per call in progress.
pub struct BlobStore(pub(crate) Arc<Inner>);

impl BlobStore {
    /// Opens the store in `dir`, which is made if it is not there.
    ///
    /// # Errors
    /// [`BlobError::InUse`] if another one has it open; [`BlobError::Io`] and [`BlobError::NoSpace`].
    pub fn open(dir: &Path, options: Options) -> Result<Self, BlobError> {
        Inner::open(dir, &options).map(|inner| Self(Arc::new(inner)))
    }

    /// What [`open`](Self::open) found and mended.
    pub fn recovery(&self) -> Recovery {
        self.0.recovery
    }

    /// Stores a stream of at most `max` bytes. It is on the disk when this returns.
    ///
    /// Blocks that are here already are compared, not written. After an error the blob is not here; blocks written until
    /// then go with the next [`compact`](Self::compact).
    ///
    /// # Errors
    /// [`BlobError::TooLarge`], [`BlobError::Input`], [`BlobError::NoSpace`], [`BlobError::Io`], [`BlobError::Halted`].
    pub fn put(&self, reader: impl Read, max: u64) -> Result<Put, BlobError> {
        self.put_checked(reader, max, |_| Ok(()))
    }

    /// Stores a stream that has to be the blob `want` of `size` bytes, as when a stranger sends it. A stream of other
    /// bytes becomes no blob.
    ///
    /// # Errors
    /// [`BlobError::Other`] for other bytes, and those of [`put`](Self::put).
    pub fn put_as(&self, want: &BlobId, size: u64, reader: impl Read) -> Result<Put, BlobError> {
        self.put_checked(reader, size, |put| {
            if put.id == *want && put.size == size {
                Ok(())
            } else {
                Err(BlobError::Other(Box::new(Other { want: *want, got: put.id })))
            }
        })
    }

    fn put_checked(
        &self,
        reader: impl Read,
        max: u64,
        check: impl FnOnce(&Put) -> Result<(), BlobError>,
    ) -> Result<Put, BlobError> {
        let flight = Flight::begin(&self.0);
        let put = import::import(reader, max, |id, block| self.0.keep(&flight, id.sha256(), block))?;
        check(&put)?;
        self.0.sync()?;
        self.0.roots().put(&put)?;
        Ok(put)
    }

    /// Size and blocks of a blob; none unless it was put and all its blocks are here. Leaves are looked up, not hashed.
    ///
    /// # Errors
    /// [`BlobError::Corrupt`] if a node of its tree is damaged, [`BlobError::Io`].
    pub fn stat(&self, id: &BlobId) -> Result<Option<Stat>, BlobError> {
        let Some(stat) = self.0.root(id) else { return Ok(None) };
        match dag::check_whole(&*self.0, id, stat.size, &mut BTreeSet::new()) {
            Ok(()) => Ok(Some(stat)),
            Err(BlobError::Incomplete(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Whether [`stat`](Self::stat) knows the blob.
    ///
    /// # Errors
    /// As for [`stat`](Self::stat).
    pub fn has(&self, id: &BlobId) -> Result<bool, BlobError> {
        self.stat(id).map(|stat| stat.is_some())
    }

    /// All bytes of a blob, each block hashed.
    ///
    /// # Errors
    /// [`BlobError::Missing`], [`BlobError::TooLarge`] if it has more than `max` bytes, [`BlobError::Incomplete`],
    /// [`BlobError::Corrupt`], [`BlobError::Io`]. No byte of a damaged blob is returned.
    pub fn read(&self, id: &BlobId, max: u64) -> Result<Vec<u8>, BlobError> {
        let size = self.0.root(id).ok_or(BlobError::Missing { id: *id })?.size;
        let too_large = BlobError::TooLarge { size, max };
        if size > max {
            return Err(too_large);
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(usize::try_from(size).unwrap_or(usize::MAX)).map_err(|_| too_large)?;
        let mut cursor = self.0.cursor(id)?;
        loop {
            let leaf = cursor.bytes(&*self.0, bytes.len() as u64)?;
            if leaf.is_empty() {
                return Ok(bytes);
            }
            bytes.extend_from_slice(leaf);
        }
    }

    /// A blob as a stream, each leaf hashed before its bytes leave.
    ///
    /// # Errors
    /// [`BlobError::Missing`]; [`BlobError::Incomplete`] and [`BlobError::Corrupt`] if that shows without reading leaves.
    pub fn open_file(&self, id: &BlobId) -> Result<BlobReader, BlobError> {
        Ok(BlobReader::new(Arc::clone(&self.0), self.0.cursor(id)?))
    }

    /// Forgets a blob, on the disk when this returns. Its bytes stay in the packs until [`compact`](Self::compact).
    ///
    /// # Errors
    /// [`BlobError::Missing`], [`BlobError::NoSpace`], [`BlobError::Io`], [`BlobError::Halted`].
    pub fn remove(&self, id: &BlobId) -> Result<(), BlobError> {
        if self.0.roots().remove(id)? { Ok(()) } else { Err(BlobError::Missing { id: *id }) }
    }

    /// Up to `limit` blobs in the order of their digests, those after `after`.
    pub fn list(&self, after: Option<&BlobId>, limit: usize) -> Vec<Listed> {
        self.0.roots().after(after).take(limit).collect()
    }

    /// What the store holds.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn usage(&self) -> Result<Usage, BlobError> {
        let blobs = self.0.roots().len() as u64;
        let blocks = self.0.state().index.len() as u64;
        let mut pack_bytes = 0;
        for pack in self.0.packs.list()? {
            pack_bytes += self.0.packs.len(pack)?;
        }
        Ok(Usage { blobs, blocks, pack_bytes })
    }

    /// Drops blocks that no blob needs by moving the others out of their packs.
    ///
    /// Puts and reads go on meanwhile. Whatever moment it is interrupted at, nothing is lost: a pack is deleted only when
    /// its blocks are on the disk elsewhere. A pack in which a needed block is damaged stays as it is and is reported.
    ///
    /// # Errors
    /// [`BlobError::Corrupt`] and [`BlobError::Incomplete`] if a node of a blob cannot be read, since nobody knows then
    /// which blocks it needs: remove that blob or put it again. [`BlobError::NoSpace`], [`BlobError::Io`],
    /// [`BlobError::Halted`].
    pub fn compact(&self) -> Result<crate::Compacted, BlobError> {
        self.0.compact()
    }
}

/// What the threads share.
pub(crate) struct Inner {
    pub(crate) dir: PathBuf,
    pub(crate) packs: Packs,
    recovery: Recovery,
    pub(crate) compaction: Mutex<()>,
    sync_turn: Mutex<()>,
    writer: Mutex<Writer>,
    roots: Mutex<Roots>,
    state: Mutex<State>,
    lock: File,
}

/// Where blocks lie, and which must stay though no root leads to them yet.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) index: Index,
    next_flight: u64,
    flights: BTreeMap<u64, BTreeSet<Digest>>,
    /// While compaction runs: every block that a put has used since it began or was using then.
    pub(crate) spared: Option<BTreeSet<Digest>>,
}

impl State {
    /// Blocks of the puts in progress.
    pub(crate) fn in_flight(&self) -> BTreeSet<Digest> {
        self.flights.values().flatten().copied().collect()
    }
}

/// A put in progress: its blocks are not collected.
struct Flight<'a> {
    inner: &'a Inner,
    number: u64,
}

impl<'a> Flight<'a> {
    fn begin(inner: &'a Inner) -> Self {
        let mut state = inner.state();
        let number = state.next_flight;
        state.next_flight += 1;
        state.flights.insert(number, BTreeSet::new());
        Self { inner, number }
    }

    /// Claims a block and says where it lies. One step under the lock: compaction sees the claim or has dropped it.
    fn claim(&self, digest: Digest) -> Option<Location> {
        let mut state = self.inner.state();
        state.flights.entry(self.number).or_default().insert(digest);
        if let Some(spared) = &mut state.spared {
            spared.insert(digest);
        }
        state.index.find(&digest)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.inner.state().flights.remove(&self.number);
    }
}

fn taken_over<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    fn open(dir: &Path, options: &Options) -> Result<Self, BlobError> {
        let packs = Packs::new(dir.join("packs"));
        fs::create_dir_all(packs.dir()).map_err(error::io(packs.dir(), "create"))?;
        let lock_path = dir.join("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&lock_path);
        let lock = lock.map_err(error::io(&lock_path, "open"))?;
        lock.try_lock().map_err(|e| match e {
            TryLockError::WouldBlock => BlobError::InUse { path: dir.to_owned() },
            TryLockError::Error(e) => error::io(&lock_path, "lock")(e),
        })?;
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(error::io(dir, "sync"))?;

        let opened = Roots::open(dir)?;
        let mut recovery = Recovery { torn_bytes: opened.torn, damaged_roots: opened.damaged, ..Recovery::default() };
        let mut index = Index::default();
        let numbers = packs.list()?;
        packs.tidy(&numbers)?;
        let mut end = 0;
        for pack in &numbers {
            end = take_in(&packs, *pack, &mut index, &mut recovery)?;
            if numbers.last() != Some(pack) && !packs.index_path(*pack).exists() {
                save(&packs, &index, *pack, packs.len(*pack)?);
            }
        }
        let pack_bytes = options.pack_bytes.min(PACK_BYTES_MAX);
        let writer = match numbers.last() {
            Some(last) => {
                recovery.torn_bytes += packs.len(*last)? - end;
                Writer::resume(&packs, *last, end, pack_bytes)?
            }
            None => Writer::create(&packs, 1, pack_bytes)?,
        };
        Ok(Self {
            dir: dir.to_owned(),
            packs,
            recovery,
            compaction: Mutex::new(()),
            sync_turn: Mutex::new(()),
            writer: Mutex::new(writer),
            roots: Mutex::new(opened.roots),
            state: Mutex::new(State { index, ..State::default() }),
            lock,
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        taken_over(&self.state)
    }

    pub(crate) fn roots(&self) -> MutexGuard<'_, Roots> {
        taken_over(&self.roots)
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, Writer> {
        taken_over(&self.writer)
    }

    fn root(&self, id: &BlobId) -> Option<Stat> {
        self.roots().get(id)
    }

    /// At the start of a blob that was put and whose blocks are here.
    fn cursor(&self, id: &BlobId) -> Result<Cursor, BlobError> {
        let size = self.root(id).ok_or(BlobError::Missing { id: *id })?.size;
        dag::check_whole(self, id, size, &mut BTreeSet::new())?;
        Ok(Cursor::new(*id, size))
    }

    /// Makes sure that a pack has this block: the one that is there if it has the right bytes, else a new one.
    fn keep(&self, flight: &Flight<'_>, digest: Digest, block: &[u8]) -> Result<(), BlobError> {
        let mut seen = flight.claim(digest);
        while let Some(at) = seen {
            match self.packs.holds(&digest, at, block)? {
                Found::Block(_) => return Ok(()),
                Found::Damaged => break,
                Found::Gone => {
                    let now = self.state().index.find(&digest);
                    if now == seen {
                        break;
                    }
                    seen = now;
                }
            }
        }
        self.append(&digest, seen, block)
    }

    /// Appends a block unless someone else did since its place was `seen`.
    pub(crate) fn append(&self, digest: &Digest, seen: Option<Location>, block: &[u8]) -> Result<(), BlobError> {
        let mut writer = self.writer();
        if self.state().index.find(digest) != seen {
            return Ok(());
        }
        if writer.is_full_for(block.len()) {
            self.roll(&mut writer)?;
        }
        let at = writer.append(&self.packs, digest, block)?;
        self.state().index.insert(*digest, at);
        Ok(())
    }

    /// Closes the pack that is written to and saves its index.
    pub(crate) fn roll(&self, writer: &mut Writer) -> Result<(), BlobError> {
        let (pack, length) = (writer.pack(), writer.len());
        writer.roll(&self.packs)?;
        save(&self.packs, &self.state().index, pack, length);
        Ok(())
    }

    /// Returns when everything appended before is on the disk. Calls that wait for the same sync share it.
    pub(crate) fn sync(&self) -> Result<(), BlobError> {
        let Some((_, pack, len)) = self.writer().unsynced(&self.packs)? else { return Ok(()) };
        let _turn = taken_over(&self.sync_turn);
        // Whoever had the turn before may have synced all of it, and closing a pack syncs it too.
        let Some((file, now, upto)) = self.writer().unsynced_since(&self.packs, pack, len)? else { return Ok(()) };
        let synced = file.sync_data();
        let mut writer = self.writer();
        writer.note_sync(now, upto, synced.is_ok());
        synced.map_err(error::io(&self.packs.path(now), "sync"))?;
        writer.check(&self.packs)
    }
}

impl Blocks for Inner {
    fn len(&self, block: &BlobId) -> Option<u64> {
        self.state().index.find(&block.sha256()).map(|at| u64::from(at.len))
    }

    fn get(&self, id: &BlobId, block: &BlobId) -> Result<Vec<u8>, BlobError> {
        let digest = block.sha256();
        let mut gone = None;
        loop {
            let at = self.state().index.find(&digest);
            let Some(at) = at.filter(|_| at != gone) else {
                return Err(BlobError::Incomplete(Place::new(id, block)));
            };
            match self.packs.read(&digest, at)? {
                Found::Block(bytes) => return Ok(bytes),
                Found::Damaged => return Err(BlobError::Corrupt(Place::new(id, block))),
                // Compaction moved it between the lookup and the read; a second look tells where to.
                Found::Gone => gone = Some(at),
            }
        }
    }
}

impl Drop for Inner {
    /// Leaves an index for the last pack, so that the next opening need not walk it.
    fn drop(&mut self) {
        let (pack, length) = {
            let writer = self.writer();
            (writer.pack(), writer.len())
        };
        save(&self.packs, &self.state().index, pack, length);
        // Closing the file would do, were it not that a process being started just now holds it too for a moment.
        let _ = self.lock.unlock();
    }
}

/// Takes a pack's blocks into the index and says where its records end.
fn take_in(packs: &Packs, pack: u32, index: &mut Index, recovery: &mut Recovery) -> Result<u64, BlobError> {
    let (path, index_path, length) = (packs.path(pack), packs.index_path(pack), packs.len(pack)?);
    if length == 0 {
        return Ok(0);
    }
    if index.load(&index_path, &path, pack, length).unwrap_or(false) {
        return Ok(length);
    }
    recovery.indexes_rebuilt += 1;
    match fs::remove_file(&index_path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(error::io(&index_path, "remove")(e)),
        _ => {}
    }
    let walk = pack::walk(&path, pack, length, |digest, at| index.insert(digest, at))?;
    recovery.damaged_bytes += walk.damaged;
    Ok(walk.end)
}

/// Writes a pack's index. Not being able to is no error: the next opening walks the pack instead.
fn save(packs: &Packs, index: &Index, pack: u32, length: u64) {
    let _ = index.save(&packs.index_path(pack), pack, length);
}
