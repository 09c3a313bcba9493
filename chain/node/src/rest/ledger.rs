//! Room for bytes that nobody has registered yet: a quota, a client's share of it, and a deadline after which they go.
//! Whoever looks for those finds the others that need not be held any more as well.
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

use crate::{
    abci::query::{Queries, QueryError},
    metrics::Traffic,
    net::{
        Peer,
        places::{Full, Place, Places, share},
    },
    worker::chores::Pins,
};

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
    /// How long a sender may be slower than the least rate of an upload.
    pub(crate) grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            blob_bytes: 128 << 20,
            unregistered_bytes: 4 << 30,
            uploads: 8,
            keep: Duration::from_secs(3600),
            grace: Duration::from_secs(10),
        }
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
    /// Too many bytes of one client wait to be registered.
    #[error(
        "{held} bytes of this address wait to be registered and one has at most {max}; register some or wait an hour"
    )]
    Share {
        /// Bytes of this client that wait.
        held: u64,
        /// Most of them.
        max: u64,
    },
    /// Too many uploads.
    #[error(transparent)]
    Busy(#[from] Full),
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

/// An unregistered blob.
#[derive(Clone, Copy)]
struct Waiting {
    size: u64,
    /// Since when it is known to be here.
    since: Instant,
    /// Who sent it; nobody knows after a restart.
    sender: Option<Peer>,
}

#[derive(Default)]
struct Inner {
    waiting: BTreeMap<BlobId, Waiting>,
    /// Bytes that uploads in flight may still bring, by sender.
    reserved: BTreeMap<Peer, u64>,
    /// Bytes that refused and unfinished uploads have left in the packs since the last compaction.
    spilt: u64,
    /// Whether there was a sweep since the start: what an earlier run has left nobody knows.
    swept: bool,
}

impl Inner {
    /// Bytes that wait or may come; those of one sender, or all.
    fn held(&self, of: Option<Peer>) -> u64 {
        let waiting = self.waiting.values().filter(|blob| of.is_none() || blob.sender == of).map(|blob| blob.size);
        let reserved =
            self.reserved.iter().filter(|(peer, _)| of.is_none_or(|of| of == **peer)).map(|(_, bytes)| *bytes);
        waiting.chain(reserved).fold(0, u64::saturating_add)
    }
}

/// The ledger.
pub(crate) struct Ledger {
    limits: Limits,
    uploads: Arc<Places>,
    inner: Mutex<Inner>,
}

/// Room for an upload, given back when it ends.
pub(crate) struct Room {
    ledger: Arc<Ledger>,
    peer: Peer,
    bytes: u64,
    _place: Place,
}

impl Room {
    /// The upload has become a blob, which waits to be registered.
    pub(crate) fn keep(self, id: BlobId, size: u64) {
        let blob = Waiting { size, since: Instant::now(), sender: Some(self.peer) };
        self.ledger.lock().waiting.insert(id, blob);
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
        if let Some(reserved) = inner.reserved.get_mut(&self.peer) {
            *reserved = reserved.saturating_sub(self.bytes);
            if *reserved == 0 {
                inner.reserved.remove(&self.peer);
            }
        }
    }
}

impl Ledger {
    /// An empty ledger.
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, uploads: Arc::new(Places::new("uploads", limits.uploads)), inner: Mutex::default() }
    }

    /// The bounds.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// What uploads have brought and may still bring.
    pub(crate) fn traffic(&self) -> Traffic {
        let inner = self.lock();
        Traffic {
            uploads: self.uploads.taken() as u64,
            downloads: 0,
            unregistered: inner.waiting.len() as u64,
            unregistered_bytes: inner.held(None),
        }
    }

    /// Takes room for a client's upload of so many bytes, the most possible if that is not known.
    pub(crate) fn reserve(self: &Arc<Self>, peer: Peer, announced: Option<u64>) -> Result<Room, Refused> {
        let (blob_max, max) = (self.limits.blob_bytes, self.limits.unregistered_bytes);
        let bytes = announced.unwrap_or(blob_max);
        if bytes > blob_max {
            return Err(Refused::TooLarge { max: blob_max, got: bytes });
        }
        let mut inner = self.lock();
        let held = inner.held(None).saturating_add(inner.spilt);
        if held.saturating_add(bytes) > max {
            return Err(Refused::Quota { held, max });
        }
        let (held, max) = (inner.held(Some(peer)), share(max, blob_max));
        if held.saturating_add(bytes) > max {
            return Err(Refused::Share { held, max });
        }
        let place = self.uploads.take(peer)?;
        *inner.reserved.entry(peer).or_default() += bytes;
        drop(inner);
        Ok(Room { ledger: Arc::clone(self), peer, bytes, _place: place })
    }

    /// Looks at every blob that is here: registered ones leave the ledger, unregistered ones enter it, and those that
    /// have been in it for too long are removed but for sealed files that grants let this node's committees read, with those whose term and grace are over and with what uploads have left
    /// that came to nothing. Returns how many blobs were.
    pub(crate) fn sweep(&self, blobs: &BlobStore, queries: &Queries, pins: &Pins) -> Result<u64, SweepError> {
        /// Blobs of one step through the list.
        const STEP: usize = 256;
        let mut after = None;
        let mut removed = 0;
        loop {
            let listed = blobs.list(after.as_ref(), STEP);
            for blob in &listed {
                let registered = queries.ask(&QueryBlob { cid: blob.id.to_string() })?;
                if registered.as_ref().is_some_and(|row| row.held) || pins.knows(&blob.id) {
                    self.lock().waiting.remove(&blob.id);
                } else if let Some(row) = registered {
                    blobs.remove(&blob.id)?;
                    self.lock().waiting.remove(&blob.id);
                    tracing::info!(blob = %blob.id, "removed: its term ended at height {}", row.expires);
                    removed += 1;
                } else if self.is_overdue(blob.id, blob.stat.size) && !pins.keeps(&blob.id) {
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
        let blob = inner.waiting.entry(id).or_insert(Waiting { size, since: now, sender: None });
        now.duration_since(blob.since) >= self.limits.keep
    }

    // Each change is a single insertion, removal or sum.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn peer(n: u8) -> Peer {
        IpAddr::from(Ipv4Addr::new(10, 0, 0, n)).into()
    }

    fn ledger(unregistered_bytes: u64) -> Arc<Ledger> {
        let limits = Limits { blob_bytes: 10, unregistered_bytes, uploads: 2, ..Limits::default() };
        Arc::new(Ledger::new(limits))
    }

    #[test]
    fn each_bound_has_its_refusal() {
        let ledger = ledger(25);
        assert_eq!(ledger.reserve(peer(1), Some(11)).err(), Some(Refused::TooLarge { max: 10, got: 11 }));
        let (one, two) = (ledger.reserve(peer(1), Some(5)).unwrap(), ledger.reserve(peer(2), None).unwrap());
        assert_eq!((one.bytes(), two.bytes()), (5, 10));
        let all = Full::All { what: "uploads", max: 2 };
        assert_eq!(ledger.reserve(peer(3), Some(5)).err(), Some(Refused::Busy(all)));
        one.keep(BlobId::of_raw(b"x"), 5);
        assert_eq!(ledger.reserve(peer(3), None).map(|room| room.bytes()).ok(), Some(10));
        two.keep(BlobId::of_raw(b"y"), 10);
        assert_eq!(ledger.reserve(peer(3), Some(11)).err(), Some(Refused::TooLarge { max: 10, got: 11 }));
        let last = ledger.reserve(peer(3), Some(10)).unwrap();
        assert_eq!(ledger.reserve(peer(3), Some(1)).err(), Some(Refused::Quota { held: 25, max: 25 }));
        drop(last);
        assert!(ledger.reserve(peer(3), Some(10)).is_ok());
    }

    #[test]
    fn one_client_has_half_at_most() {
        let ledger = ledger(25);
        let first = ledger.reserve(peer(1), Some(8)).unwrap();
        let busy = Full::Share { what: "uploads", max: 1 };
        assert_eq!(ledger.reserve(peer(1), Some(1)).err(), Some(Refused::Busy(busy)));
        first.keep(BlobId::of_raw(b"x"), 8);
        assert_eq!(ledger.reserve(peer(1), Some(5)).err(), Some(Refused::Share { held: 8, max: 12 }));
        assert!(ledger.reserve(peer(1), Some(4)).is_ok());
        assert!(ledger.reserve(peer(2), Some(10)).is_ok());
    }
}
