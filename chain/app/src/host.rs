//! The machines that the rules have at hand: contract engine, blob store, models, remembered signatures.
//!
//! What is cached here changes time, never an answer and never gas.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use aceso_blobs::BlobStore;
use aceso_inference::Model;
use aceso_types::{BlobId, ModelId};
use aceso_vm::{Vm, with_stack};

use crate::{error::AppError, tx::authenticate::GoodSignatures};

/// Most queries inside each other (wasmd `MaxQueryStackSize`).
pub(crate) const QUERIES_MAX: u32 = 10;
/// Most contracts that call each other by messages in one transaction (wasmd `MaxCallDepth`).
pub(crate) const CALLS_MAX: u32 = 100;

/// Brings what the state calls available and this machine does not have.
pub trait Fetch: Send + Sync {
    /// Asks whoever may hold a blob once, and returns when it is in the store or with the reason why nobody sent it.
    fn fetch(&self, id: &BlobId, size: u64) -> Result<(), String>;

    /// The same for a blob without which block `height` cannot be executed. It is asked for again and again, in turn
    /// with what others say of the block's reads: such a [`Testimony`](crate::Testimony), encoded, goes to `judge`.
    /// Returns when the blob is in the store or a testimony was accepted, or with the reason why neither came in time.
    fn fetch_for(
        &self,
        id: &BlobId,
        size: u64,
        height: u64,
        judge: &mut dyn FnMut(&[u8]) -> Verdict,
    ) -> Result<(), String>;
}

/// What becomes of a testimony.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is true. Nothing else is needed for the block.
    Accepted,
    /// It is not true, or nothing at all.
    Lie(String),
    /// Nobody can say yet, or not here.
    Unjudged(String),
    /// This machine fails, and nothing that others send will change that.
    Failed,
}

/// See the module.
pub(crate) struct Host {
    pub(crate) vm: Vm,
    pub(crate) blobs: Arc<BlobStore>,
    pub(crate) fetch: Option<Arc<dyn Fetch>>,
    pub(crate) models: ModelCache,
    pub(crate) good_signatures: GoodSignatures,
}

/// Runs work on a stack that holds as many contracts inside each other as the rules allow.
pub(crate) fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, AppError> {
    with_stack(QUERIES_MAX, work).map_err(AppError::Thread)
}

/// Models that are ready to run, the least recently used forgotten first.
pub(crate) struct ModelCache {
    bytes_max: u64,
    loaded: Mutex<Loaded>,
}

#[derive(Default)]
struct Loaded {
    models: BTreeMap<ModelId, (Arc<Model>, u64)>,
    bytes: u64,
    uses: u64,
}

impl ModelCache {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self { bytes_max, loaded: Mutex::default() }
    }

    /// Models in memory, and bytes of them.
    pub(crate) fn size(&self) -> (usize, u64) {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        (loaded.models.len(), loaded.bytes)
    }

    pub(crate) fn get(&self, id: &ModelId) -> Option<Arc<Model>> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.uses += 1;
        let now = loaded.uses;
        let (model, used) = loaded.models.get_mut(id)?;
        *used = now;
        Some(model.clone())
    }

    pub(crate) fn put(&self, id: ModelId, model: Arc<Model>) {
        let weight = |model: &Model| model.facts().weight_bytes.saturating_add(model.facts().peak_bytes);
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.uses += 1;
        let now = loaded.uses;
        loaded.bytes = loaded.bytes.saturating_add(weight(&model));
        if let Some((old, _)) = loaded.models.insert(id, (model, now)) {
            loaded.bytes = loaded.bytes.saturating_sub(weight(&old));
        }
        while loaded.bytes > self.bytes_max && loaded.models.len() > 1 {
            let Some(oldest) = loaded.models.iter().min_by_key(|(_, (_, used))| *used).map(|(id, _)| *id) else {
                break;
            };
            if let Some((old, _)) = loaded.models.remove(&oldest) {
                loaded.bytes = loaded.bytes.saturating_sub(weight(&old));
            }
        }
    }
}
