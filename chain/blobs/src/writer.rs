//! The open end of the newest pack.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::FileExt,
    sync::Arc,
};

use crate::{
    error::{self, BlobError},
    pack::Packs,
    record::{Digest, HEADER, Header, Location},
};

/// Appends records to one pack and opens the next. Bytes past `len` are leftovers of a failed write and are written over.
pub(crate) struct Writer {
    pack: u32,
    file: Arc<File>,
    len: u64,
    synced: u64,
    pack_bytes: u64,
    halted: bool,
}

impl Writer {
    /// Goes on after `len` good bytes of `pack`; what lies behind them is cut off.
    pub(crate) fn resume(packs: &Packs, pack: u32, len: u64, pack_bytes: u64) -> Result<Self, BlobError> {
        let path = packs.path(pack);
        let file = OpenOptions::new().write(true).open(&path).map_err(error::io(&path, "open"))?;
        if packs.len(pack)? > len {
            file.set_len(len).map_err(error::io(&path, "shorten"))?;
        }
        // Blocks that an unfinished put left may be used by the next one, so they count as not yet synced.
        Ok(Self { pack, file: Arc::new(file), len, synced: 0, pack_bytes, halted: false })
    }

    /// Starts the pack with this number.
    pub(crate) fn create(packs: &Packs, pack: u32, pack_bytes: u64) -> Result<Self, BlobError> {
        let path = packs.path(pack);
        let file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(error::io(&path, "create"))?;
        // A pack that may vanish with a power cut must not take blocks, and the next attempt needs its name.
        File::open(packs.dir())
            .and_then(|dir| dir.sync_all())
            .inspect_err(|_| drop(fs::remove_file(&path)))
            .map_err(error::io(packs.dir(), "sync"))?;
        Ok(Self { pack, file: Arc::new(file), len: 0, synced: 0, pack_bytes, halted: false })
    }

    pub(crate) fn pack(&self) -> u32 {
        self.pack
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Whether a block of this length belongs into the next pack.
    pub(crate) fn is_full_for(&self, block: usize) -> bool {
        self.len > 0 && self.len + HEADER as u64 + block as u64 > self.pack_bytes
    }

    pub(crate) fn append(&mut self, packs: &Packs, digest: &Digest, block: &[u8]) -> Result<Location, BlobError> {
        self.check(packs)?;
        let path = packs.path(self.pack);
        let too_long = || BlobError::TooLarge { size: self.len + block.len() as u64, max: u64::from(u32::MAX) };
        let len = u32::try_from(block.len()).map_err(|_| too_long())?;
        let offset = u32::try_from(self.len).map_err(|_| too_long())?;
        let header = Header { len, digest: *digest }.encode();
        self.file
            .write_all_at(&header, self.len)
            .and_then(|()| self.file.write_all_at(block, self.len + HEADER as u64))
            .map_err(error::io(&path, "write"))?;
        let at = Location { pack: self.pack, offset, len };
        self.len = at.end();
        Ok(at)
    }

    /// Closes this pack, without leftovers and synced, and goes on in the next.
    pub(crate) fn roll(&mut self, packs: &Packs) -> Result<(), BlobError> {
        self.check(packs)?;
        let synced = self.file.set_len(self.len).and_then(|()| self.file.sync_data());
        self.note_sync(self.pack, self.len, synced.is_ok());
        synced.map_err(error::io(&packs.path(self.pack), "sync"))?;
        let next = self.pack.checked_add(1).ok_or_else(|| BlobError::Exhausted { path: packs.dir().to_owned() })?;
        *self = Self::create(packs, next, self.pack_bytes)?;
        Ok(())
    }

    /// The file to sync for everything up to now, with its pack and length; none if all of it is.
    pub(crate) fn unsynced(&self, packs: &Packs) -> Result<Option<(Arc<File>, u32, u64)>, BlobError> {
        self.check(packs)?;
        Ok((self.synced < self.len).then(|| (Arc::clone(&self.file), self.pack, self.len)))
    }

    /// The same for what `pack` held up to `len`, unless that was synced since. A closed pack is synced.
    pub(crate) fn unsynced_since(
        &self,
        packs: &Packs,
        pack: u32,
        len: u64,
    ) -> Result<Option<(Arc<File>, u32, u64)>, BlobError> {
        Ok(self.unsynced(packs)?.filter(|_| self.pack == pack && self.synced < len))
    }

    /// Records how a sync went. After a failed one the system may have dropped pages it could not write, and says so
    /// only once: no later success means anything, so nothing more is acknowledged.
    pub(crate) fn note_sync(&mut self, pack: u32, len: u64, went_well: bool) {
        if !went_well {
            self.halted = true;
        } else if self.pack == pack {
            self.synced = self.synced.max(len);
        }
    }

    pub(crate) fn check(&self, packs: &Packs) -> Result<(), BlobError> {
        if self.halted { Err(BlobError::Halted { path: packs.dir().to_owned() }) } else { Ok(()) }
    }
}
