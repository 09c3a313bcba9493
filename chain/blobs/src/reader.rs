//! A stored blob as a stream.

use std::{
    io::{self, Read, Seek, SeekFrom},
    sync::Arc,
};

use crate::{dag::Cursor, error::BlobError, store::Inner};

/// Reads a blob leaf by leaf; no byte leaves before its leaf was hashed. Holds one leaf (1 MiB) and the nodes above it.
///
/// It keeps the store's directory locked while it lives. Removing the blob does not stop it until its bytes are
/// compacted away.
pub struct BlobReader {
    store: Arc<Inner>,
    cursor: Cursor,
    at: u64,
}

impl BlobReader {
    pub(crate) fn new(store: Arc<Inner>, cursor: Cursor) -> Self {
        Self { store, cursor, at: 0 }
    }

    /// Bytes of the blob.
    pub fn size(&self) -> u64 {
        self.cursor.size()
    }

    /// The bytes from the current place to the end of their leaf; empty at the end of the blob.
    ///
    /// # Errors
    /// [`BlobError::Incomplete`], [`BlobError::Corrupt`] or [`BlobError::Io`], naming the blob and the block.
    pub fn fill(&mut self) -> Result<&[u8], BlobError> {
        self.cursor.bytes(&*self.store, self.at)
    }
}

/// Errors are [`BlobError`]s inside an [`io::Error`] of kind `Other`.
impl Read for BlobReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.fill().map_err(io::Error::other)?.read(out)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(by) => self.size().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = place.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before byte 0 of a blob"))?;
        Ok(self.at)
    }
}
