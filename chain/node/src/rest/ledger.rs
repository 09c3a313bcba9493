//! Room for bytes that nobody has registered yet: a quota, and a deadline after which they go.
//!
//! The ledger is in memory. After a restart every unregistered blob begins its hour anew, which is the worst that a
//! restart can do.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use aceso_blobs::{BlobError, BlobStore};
use aceso_types::{BlobId, query::QueryBlob};

use crate::abci::query::{Queries, QueryError};

/// Bounds of uploads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Most bytes of one blob.
    pub(crate) blob_bytes: u64,
    /// Most unregistered bytes in all, uploads in flight and what is left of failed ones included.
    pub(crate) unregistered_bytes: u64,
    /// Most uploads at the same time.
    pub(crate) uploads: usize,
    /// How long unregistered bytes stay.
    pub(crate) keep: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { blob_bytes: 128 << 20, unregistered_bytes: 4 << 30, uploads: 8, keep: Duration::from_secs(3600) }
    }
}

/// Why bytes are not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// The blob is too large.
    #[error("a blob has at most {max} bytes, and this one has {got}")]
    TooLarge {
        /// Most bytes.
        max: u64,
        /// Its bytes, as announced.
        got: u64,
    },
    /// Too many bytes wait to be registered.
    #[error("{held} bytes wait to be registered and the node keeps at most {max}; register some or wait an hour")]
    Quota {
        /// Bytes that wait.
        held: u64,
        /// Most of them.
        max: u64,
    },
    /// Too many uploads.
    #[error("{0} uploads are running, which is as many as the node takes; try again in a moment")]
    Busy(usize),
}

/// Why a sweep ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SweepError {
    /// The application does not say whether a blob is registered.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The blob store fails.
    #[error(transparent)]
    Blobs(#[from] BlobError),
}

#[derive(Default)]
struct Inner {
    /// Unregistered blobs: their bytes, and since when they are known to be here.
    waiting: BTreeMap<BlobId, (u64, Instant)>,
    reserved: u64,
    uploads: usize,
    /// Bytes that refused and unfinished uploads have left in the packs since the last compaction.
    spilt: u64,
    /// Whether there was a sweep since the start: what an earlier run has left nobody knows.
    swept: bool,
}

/// The ledger.
pub(crate) struct Ledger {
    limits: Limits,
    inner: Mutex<Inner>,
}

/// Room for an upload, given back when it ends.
pub(crate) struct Room {
    ledger: Arc<Ledger>,
    bytes: u64,
}

impl Room {
    /// The upload has become a blob, which waits to be registered.
    pub(crate) fn keep(self, id: BlobId, size: u64) {
        self.ledger.lock().waiting.insert(id, (size, Instant::now()));
    }

    /// The upload has not become a blob; so many of its bytes may lie in the packs until they are compacted.
    pub(crate) fn spill(self, bytes: u64) {
        let mut inner = self.ledger.lock();
        inner.spilt = inner.spilt.saturating_add(bytes);
    }

    /// Most bytes that the upload may have.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut inner = self.ledger.lock();
        inner.reserved = inner.reserved.saturating_sub(self.bytes);
        inner.uploads = inner.uploads.saturating_sub(1);
    }
}

impl Ledger {
    /// An empty ledger.
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, inner: Mutex::default() }
    }

    /// The bounds.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Takes room for an upload of so many bytes, the most possible if that is not known.
    pub(crate) fn reserve(self: &Arc<Self>, announced: Option<u64>) -> Result<Room, Refused> {
        let max = self.limits.blob_bytes;
        let bytes = announced.unwrap_or(max);
        if bytes > max {
            return Err(Refused::TooLarge { max, got: bytes });
        }
        let mut inner = self.lock();
        let waiting: u64 = inner.waiting.values().map(|(size, _)| size).sum();
        let held = waiting.saturating_add(inner.reserved).saturating_add(inner.spilt);
        if held.saturating_add(bytes) > self.limits.unregistered_bytes {
            return Err(Refused::Quota { held, max: self.limits.unregistered_bytes });
        }
        if inner.uploads >= self.limits.uploads {
            return Err(Refused::Busy(inner.uploads));
        }
        inner.uploads += 1;
        inner.reserved += bytes;
        Ok(Room { ledger: Arc::clone(self), bytes })
    }

    /// Looks at every blob that is here: registered ones leave the ledger, unregistered ones enter it, and those that
    /// have been in it for too long are removed, with what uploads have left that came to nothing. Returns how many
    /// blobs were.
    pub(crate) fn sweep(&self, blobs: &BlobStore, queries: &Queries) -> Result<u64, SweepError> {
        /// Blobs of one step through the list.
        const STEP: usize = 256;
        let mut after = None;
        let mut removed = 0;
        loop {
            let listed = blobs.list(after.as_ref(), STEP);
            for blob in &listed {
                if queries.ask(&QueryBlob { cid: blob.id.to_string() })?.is_some() {
                    self.lock().waiting.remove(&blob.id);
                } else if self.is_overdue(blob.id, blob.stat.size) {
                    blobs.remove(&blob.id)?;
                    self.lock().waiting.remove(&blob.id);
                    tracing::info!(blob = %blob.id, "removed: nobody registered it in time");
                    removed += 1;
                }
            }
            match listed.last() {
                Some(last) if listed.len() == STEP => after = Some(last.id),
                _ => break,
            }
        }
        let (spilt, swept) = {
            let inner = self.lock();
            (inner.spilt, inner.swept)
        };
        if removed > 0 || spilt > 0 || !swept {
            blobs.compact()?;
            let mut inner = self.lock();
            inner.spilt = inner.spilt.saturating_sub(spilt);
            inner.swept = true;
        }
        Ok(removed)
    }

    fn is_overdue(&self, id: BlobId, size: u64) -> bool {
        let now = Instant::now();
        let mut inner = self.lock();
        let (_, since) = inner.waiting.entry(id).or_insert((size, now));
        now.duration_since(*since) >= self.limits.keep
    }

    // Each change is a single insertion, removal or sum.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Arc<Ledger> {
        let limits = Limits { blob_bytes: 10, unregistered_bytes: 25, uploads: 2, keep: Duration::ZERO };
        Arc::new(Ledger::new(limits))
    }

    #[test]
    fn each_bound_has_its_refusal() {
        let ledger = ledger();
        assert_eq!(ledger.reserve(Some(11)).err(), Some(Refused::TooLarge { max: 10, got: 11 }));
        let (one, two) = (ledger.reserve(Some(5)).unwrap(), ledger.reserve(None).unwrap());
        assert_eq!((one.bytes(), two.bytes()), (5, 10));
        assert_eq!(ledger.reserve(Some(5)).err(), Some(Refused::Busy(2)));
        one.keep(BlobId::of_raw(b"x"), 5);
        assert_eq!(ledger.reserve(None).map(|room| room.bytes()).ok(), Some(10));
        two.keep(BlobId::of_raw(b"y"), 10);
        assert_eq!(ledger.reserve(Some(11)).err(), Some(Refused::TooLarge { max: 10, got: 11 }));
        let last = ledger.reserve(Some(10)).unwrap();
        assert_eq!(ledger.reserve(Some(1)).err(), Some(Refused::Quota { held: 25, max: 25 }));
        drop(last);
        assert!(ledger.reserve(Some(10)).is_ok());
    }
}
