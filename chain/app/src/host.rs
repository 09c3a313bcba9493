//! The machines that the rules have at hand: contract engine, blob store, models, remembered signatures.
//!
//! What is cached here changes time, never an answer and never gas.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Arc, Mutex, PoisonError},
};

use aceso_blobs::BlobStore;
use aceso_inference::{Kernels, Model, ModelRefused, admit_known, admit_packed, admit_with};
use aceso_types::{
    BlobId, Digest, Manifest, ModelId, PixelDigest,
    sealed::{Outcome, Statement},
};
use aceso_vm::{Vm, with_stack};

use crate::{
    error::AppError,
    tx::{authenticate::Signatures, decoded::Decoded},
};

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

/// Where models lie in the form in which they run, for the next start.
///
/// What it gives is run as it is, by consensus, so it gives only what was put there by this machine, and nothing where it
/// cannot tell. Losing all of it costs time.
pub trait Shelf: Send + Sync {
    /// The model, ready to run with these kernels, if it lies here unchanged.
    fn get(&self, id: &ModelId, kernels: Kernels) -> Option<Model>;

    /// Whether [`Shelf::put`] would keep a model that does not lie here yet.
    fn wants(&self, id: &ModelId) -> bool;

    /// Keeps a model that was packed ([`admit_packed`]).
    fn put(&self, id: &ModelId, packed: &[u8]);

    /// Lets go of what is no such model.
    fn retain(&self, is_one: &mut dyn FnMut(&ModelId) -> bool);
}

/// How sealed records are opened once somebody has shown their key, and what a committee should have made of them.
///
/// Pure functions of their arguments, and consensus: every node has to be given the same, that by which members compute
/// what they sign. Which implementation that is, whoever puts the node together knows; the state machine looks at none.
pub trait Reopen: Send + Sync {
    /// The outcome of a job, given the point that its members' wraps hold and the sealed file.
    fn outcome(&self, shown: &Shown<'_>) -> Outcome;
}

/// A job whose record's key was shown: all that its outcome depends on.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The job as its members have signed it.
    pub statement: &'a Statement,
    /// The model's manifest.
    pub manifest: &'a Manifest,
    /// The model, as admitted with that manifest.
    pub model: &'a Model,
    /// What the registration commits to.
    pub commitment: &'a Digest,
    /// The modality that stands in the registration; empty where it does not.
    pub modality: &'a str,
    /// The body part, likewise.
    pub body_part: &'a str,
    /// What decoding its dearest frame may take, as registered.
    pub effort: u64,
    /// The pixels that an institution vouches for.
    pub vouched: Option<PixelDigest>,
    /// The content point that the record's ciphertexts hold, 48 bytes, whatever its registration commits to.
    pub point: &'a [u8],
    /// The sealed file, whole.
    pub file: &'a [u8],
}

/// See the module.
pub(crate) struct Host {
    pub(crate) vm: Vm,
    pub(crate) blobs: Arc<BlobStore>,
    pub(crate) fetch: Option<Arc<dyn Fetch>>,
    pub(crate) reopen: &'static dyn Reopen,
    pub(crate) models: ModelCache,
    pub(crate) signatures: Signatures,
    /// Transactions that wait for a block.
    pub(crate) decoded: Decoded,
    /// How many threads may verify signatures ahead of a block or of checks.
    pub(crate) threads: usize,
    /// Held by a question while it decodes an image: one at a time, so that strangers who ask take the memory of one.
    pub(crate) looking: Mutex<()>,
}

/// Runs work on a stack that holds as many contracts inside each other as the rules allow.
pub(crate) fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, AppError> {
    // That may be another thread; what is traced there still belongs to the block or the question.
    let span = tracing::Span::current();
    with_stack(QUERIES_MAX, || span.in_scope(work)).map_err(AppError::Thread)
}

/// Models that are ready to run, the least recently used forgotten first.
pub(crate) struct ModelCache {
    bytes_max: u64,
    kernels: Kernels,
    shelf: Option<Arc<dyn Shelf>>,
    loaded: Mutex<Loaded>,
}

#[derive(Default)]
struct Loaded {
    models: BTreeMap<ModelId, (Arc<Model>, u64)>,
    bytes: u64,
    uses: u64,
    hits: u64,
    misses: u64,
}

/// What the cache of models holds, and how often it was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ModelStats {
    pub(crate) models: u64,
    pub(crate) bytes: u64,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
}

impl ModelCache {
    pub(crate) fn new(bytes_max: u64, kernels: Kernels, shelf: Option<Arc<dyn Shelf>>) -> Self {
        Self { bytes_max, kernels, shelf, loaded: Mutex::default() }
    }

    pub(crate) fn shelf(&self) -> Option<&dyn Shelf> {
        self.shelf.as_deref()
    }

    /// A model from the shelf.
    pub(crate) fn packed(&self, id: &ModelId) -> Option<Model> {
        self.shelf()?.get(id, self.kernels)
    }

    pub(crate) fn kernels(&self) -> Kernels {
        self.kernels
    }

    /// Admits a model for this machine's kernels; [`ModelCache::put`] keeps it.
    pub(crate) fn admit(&self, onnx: &[u8], manifest: &Manifest) -> Result<Model, ModelRefused> {
        admit_with(onnx, manifest, self.kernels)
    }

    /// The same of bytes from the state, which were checked when they were put there; the store checks what it reads.
    pub(crate) fn admit_known(&self, onnx: &[u8], manifest: &Manifest) -> Result<Model, ModelRefused> {
        admit_known(onnx, manifest, self.kernels)
    }

    /// The same, and puts it onto the shelf where that wants it. Takes longer, and writes: not in a block.
    pub(crate) fn admit_for_shelf(&self, onnx: &[u8], manifest: &Manifest) -> Result<Model, ModelRefused> {
        let id = manifest.id();
        let Some(shelf) = self.shelf().filter(|shelf| shelf.wants(&id)) else {
            return self.admit_known(onnx, manifest);
        };
        let (model, packed) = admit_packed(onnx, manifest, self.kernels)?;
        shelf.put(&id, &packed);
        Ok(model)
    }

    pub(crate) fn stats(&self) -> ModelStats {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let Loaded { hits, misses, bytes, .. } = *loaded;
        ModelStats { models: loaded.models.len() as u64, bytes, hits, misses }
    }

    pub(crate) fn get(&self, id: &ModelId) -> Option<Arc<Model>> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.uses += 1;
        let now = loaded.uses;
        let found = loaded.models.get_mut(id).map(|(model, used)| {
            *used = now;
            model.clone()
        });
        let count = if found.is_some() { &mut loaded.hits } else { &mut loaded.misses };
        *count += 1;
        found
    }

    /// Whether a model is ready. Counts as no use.
    pub(crate) fn has(&self, id: &ModelId) -> bool {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).models.contains_key(id)
    }

    /// Whether a model of a file of so many bytes may find room beside the others; what it really takes is known once it
    /// is made ready.
    pub(crate) fn may_hold(&self, onnx_bytes: u64) -> bool {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.bytes.saturating_add(onnx_bytes) <= self.bytes_max
    }

    /// Keeps a model as the least recently used of all, where there is room beside the others.
    pub(crate) fn put_beside(&self, id: ModelId, model: Arc<Model>) -> bool {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = loaded.bytes.saturating_add(model.facts().resident());
        if bytes > self.bytes_max {
            return false;
        }
        if let Entry::Vacant(place) = loaded.models.entry(id) {
            place.insert((model, 0));
            loaded.bytes = bytes;
        }
        true
    }

    pub(crate) fn put(&self, id: ModelId, model: Arc<Model>) {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.uses += 1;
        let now = loaded.uses;
        loaded.bytes = loaded.bytes.saturating_add(model.facts().resident());
        if let Some((old, _)) = loaded.models.insert(id, (model, now)) {
            loaded.bytes = loaded.bytes.saturating_sub(old.facts().resident());
        }
        while loaded.bytes > self.bytes_max && loaded.models.len() > 1 {
            let Some(oldest) = loaded.models.iter().min_by_key(|(_, (_, used))| *used).map(|(id, _)| *id) else {
                break;
            };
            if let Some((old, _)) = loaded.models.remove(&oldest) {
                loaded.bytes = loaded.bytes.saturating_sub(old.facts().resident());
            }
        }
    }
}
