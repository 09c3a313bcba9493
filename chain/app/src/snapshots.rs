//! State sync: the snapshots that this node offers to others, and the one that it takes over from them.
//!
//! Every so many heights a thread of its own cuts the committed state into chunks, beside the blocks that go on. What
//! stays of it on the disk is a small file per snapshot; the chunks are made again when somebody asks for them. A
//! snapshot of others is believed only as far as the trusted app hash proves it ([`aceso_state::Restore`]); which peer
//! to ban for a lie and whether the next snapshot may be tried is said in ABCI's words.

mod shelf;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use aceso_state::{Blame, Export, Manifest, Restore, RestoreError, Store};
use tendermint::{
    abci::{response::ApplySnapshotChunkResult, types},
    v0_38::abci::{request, response},
};

use self::shelf::Shelf;
use crate::error::AppError;

/// The form of manifests and chunks. Nodes with another one cannot restore from each other.
pub const SNAPSHOT_FORMAT: u32 = 1;

/// Snapshots that are offered at a time. Their heights are always in the window.
pub const SNAPSHOTS_OFFERED: usize = 2;

/// See the module.
pub(crate) struct Snapshots {
    shelf: Arc<Shelf>,
    /// Heights between two snapshots; 0 for none.
    interval: u64,
    worker: Mutex<Worker>,
    restore: Mutex<Option<Restore>>,
}

#[derive(Default)]
struct Worker {
    /// The height that was begun last.
    height: u64,
    thread: Option<JoinHandle<()>>,
}

impl Snapshots {
    /// Reads what is on the shelf in `dir`, and makes a snapshot that is due.
    pub(crate) fn open(dir: &Path, interval: u64, keep_heights: u64, store: &Store) -> Result<Self, AppError> {
        let offered = SNAPSHOTS_OFFERED as u64;
        let (heights, fits) = (interval.saturating_mul(offered), keep_heights / offered);
        if heights > keep_heights {
            return Err(AppError::SnapshotWindow { interval, heights, keep: keep_heights, fits });
        }
        let shelf = Shelf::open(dir, store).map_err(|source| AppError::Snapshots { path: dir.into(), source })?;
        let (worker, restore) = (Mutex::default(), Mutex::default());
        let snapshots = Self { shelf: Arc::new(shelf), interval, worker, restore };
        snapshots.take_due(store);
        Ok(snapshots)
    }

    /// Makes a snapshot of the latest height that should have one, in the background, one at a time.
    pub(crate) fn take_due(&self, store: &Store) {
        let (latest, _) = store.latest();
        let height = latest.checked_rem(self.interval).map_or(0, |over| latest - over);
        let mut worker = lock(&self.worker);
        let busy = worker.thread.as_ref().is_some_and(|thread| !thread.is_finished());
        if height == 0 || busy || worker.height == height || self.shelf.at(height).is_some() {
            return;
        }
        worker.height = height;
        // The height may lie before the window: the node was restored, or keeps fewer heights than it did.
        let Ok(snapshot) = store.snapshot_at(height) else { return };
        let shelf = Arc::clone(&self.shelf);
        let take = move || {
            if let Err(error) = shelf.take(&snapshot) {
                tracing::error!(height, %error, "no snapshot");
            }
        };
        let spawned = std::thread::Builder::new().name("snapshot".into()).spawn(take);
        match spawned {
            Ok(thread) => worker.thread = Some(thread),
            Err(error) => tracing::warn!(height, %error, "no snapshot: no thread to make it"),
        }
    }

    /// Makes a snapshot of the latest height before it returns.
    pub(crate) fn take_now(&self, store: &Store) -> Result<(), AppError> {
        self.shelf.take(&store.snapshot())
    }

    /// Those that can be had here, oldest first.
    pub(crate) fn offered(&self, store: &Store) -> impl Iterator<Item = Arc<Export>> {
        let oldest = store.oldest();
        let latest = self.shelf.latest(SNAPSHOTS_OFFERED).into_iter();
        latest.filter(move |export| export.manifest().height() >= oldest)
    }

    /// `ListSnapshots`: the latest ones, oldest first.
    pub(crate) fn list(&self, store: &Store) -> response::ListSnapshots {
        let snapshots = self.offered(store).map(|export| {
            let manifest = export.manifest();
            let metadata = manifest.encode();
            types::Snapshot {
                height: manifest.height().try_into().unwrap_or_default(),
                format: SNAPSHOT_FORMAT,
                chunks: manifest.chunks(),
                hash: Manifest::hash(&metadata).to_vec().into(),
                metadata: metadata.into(),
            }
        });
        response::ListSnapshots { snapshots: snapshots.collect() }
    }

    /// The height of the oldest snapshot on offer, or of the one that comes first; none if there will be none.
    pub(crate) fn oldest_offered(&self, store: &Store) -> Option<u64> {
        let (latest, oldest) = (store.latest().0, store.oldest());
        let offered = self.shelf.latest(SNAPSHOTS_OFFERED).into_iter().map(|export| export.manifest().height());
        let due = latest.checked_rem(self.interval).map(|over| latest - over);
        offered.filter(|height| *height >= oldest).chain(due).min()
    }

    /// `LoadSnapshotChunk`: the chunk, or nothing if it cannot be had here any more.
    pub(crate) fn chunk(&self, store: &Store, request: &request::LoadSnapshotChunk) -> response::LoadSnapshotChunk {
        let height = request.height.value();
        let index = request.chunk;
        let known = request.format == SNAPSHOT_FORMAT && height >= store.oldest();
        let export = self.shelf.at(height).filter(|_| known);
        let chunk = export.and_then(|export| {
            let made = store.snapshot_at(height).and_then(|snapshot| snapshot.chunk(&export, index));
            made.unwrap_or_else(|error| {
                tracing::error!(height, index, %error, "a chunk that was offered cannot be made");
                None
            })
        });
        response::LoadSnapshotChunk { chunk: chunk.unwrap_or_default().into() }
    }

    /// `OfferSnapshot`: whether to restore it. What was restored halfway before is removed.
    pub(crate) fn offer(
        &self,
        store: &Store,
        request: &request::OfferSnapshot,
    ) -> Result<response::OfferSnapshot, AppError> {
        let offered = &request.snapshot;
        let height = offered.height.value();
        let mut restore = lock(&self.restore);
        *restore = None;
        if offered.format != SNAPSHOT_FORMAT {
            return Ok(response::OfferSnapshot::RejectFormat);
        }
        let begun = match Manifest::decode(&offered.metadata) {
            Ok(manifest) if !describes(&manifest, offered) => {
                tracing::warn!(height, "snapshot rejected: the offer is not the one in its manifest");
                return Ok(response::OfferSnapshot::RejectSender);
            }
            // A hash of another length is none that a state of ours can have: the zeros match nothing.
            Ok(manifest) => store.restore(manifest, request.app_hash.as_bytes().try_into().unwrap_or_default()),
            Err(error) => Err(error.into()),
        };
        match begun {
            Ok(begun) => {
                tracing::info!(height, chunks = offered.chunks, "restoring a snapshot");
                *restore = Some(begun);
                Ok(response::OfferSnapshot::Accept)
            }
            Err(RestoreError::State(error)) => Err(error.into()),
            Err(error) => {
                tracing::warn!(height, %error, "snapshot rejected");
                Ok(match error.blame() {
                    Blame::Snapshot | Blame::Sender => response::OfferSnapshot::RejectSender,
                    Blame::Caller | Blame::Machine => response::OfferSnapshot::Abort,
                })
            }
        }
    }

    /// `ApplySnapshotChunk`: what became of it, and whether the state is another one now.
    pub(crate) fn apply(
        &self,
        store: &Store,
        request: &request::ApplySnapshotChunk,
    ) -> Result<(response::ApplySnapshotChunk, bool), AppError> {
        let mut restore = lock(&self.restore);
        let Some(begun) = restore.as_mut() else {
            tracing::error!(index = request.index, "a chunk came, and no snapshot is being restored");
            return Ok((outcome(ApplySnapshotChunkResult::Abort), false));
        };
        let height = begun.manifest().height();
        let done = match begun.apply(request.index, &request.chunk) {
            Ok(()) if !begun.is_complete() => return Ok((outcome(ApplySnapshotChunkResult::Accept), false)),
            Ok(()) => match restore.take() {
                Some(complete) => store.finish_restore(complete),
                None => Ok(()),
            },
            Err(error) => Err(error),
        };
        let sender = || vec![request.sender.clone()];
        match done {
            Ok(()) => {
                tracing::info!(height, "snapshot restored");
                Ok((outcome(ApplySnapshotChunkResult::Accept), true))
            }
            Err(RestoreError::State(error)) => {
                *restore = None;
                Err(error.into())
            }
            Err(error) => {
                tracing::warn!(height, sender = request.sender, %error, "chunk refused");
                let mut answer = match error.blame() {
                    Blame::Sender => {
                        let answer = outcome(ApplySnapshotChunkResult::Retry);
                        response::ApplySnapshotChunk { refetch_chunks: vec![request.index], ..answer }
                    }
                    Blame::Snapshot => outcome(ApplySnapshotChunkResult::RejectSnapshot),
                    Blame::Caller | Blame::Machine => outcome(ApplySnapshotChunkResult::Abort),
                };
                if error.blame() != Blame::Sender {
                    *restore = None;
                }
                if matches!(error.blame(), Blame::Sender | Blame::Snapshot) {
                    answer.reject_senders = sender();
                }
                Ok((answer, false))
            }
        }
    }

    /// Forgets a snapshot that was restored halfway.
    pub(crate) fn abandon(&self) {
        *lock(&self.restore) = None;
    }
}

impl Drop for Snapshots {
    /// The thread reads the store, which must be closed when the application is.
    fn drop(&mut self) {
        self.shelf.stop();
        if let Some(thread) = lock(&self.worker).thread.take() {
            // Its panic was told when it happened.
            let _ = thread.join();
        }
    }
}

/// Whether an offer says what its manifest says.
fn describes(manifest: &Manifest, offered: &types::Snapshot) -> bool {
    manifest.height() == offered.height.value()
        && manifest.chunks() == offered.chunks
        && Manifest::hash(&offered.metadata)[..] == offered.hash[..]
}

fn outcome(result: ApplySnapshotChunkResult) -> response::ApplySnapshotChunk {
    response::ApplySnapshotChunk { result, ..response::ApplySnapshotChunk::default() }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
