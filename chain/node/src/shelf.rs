//! Models in the form in which they run, in files, so that the first read after a start takes hardly longer than the second.
//!
//! ```text
//! data/models/ID.packed    the model as aceso_inference packs it │ seal, 32 bytes
//! ```
//!
//! What is run from here is not understood again, so a file that is not as this machine wrote it would compute something
//! else than other validators do. Each is sealed: BLAKE3 over all of it, keyed with a key that only this machine has
//! (`config/packing.key`). A file whose seal does not hold, or which another build or other kernels have written, is never
//! run; it goes, and is made anew from the state. Any file may be deleted at any time.
//!
//! A file is read whole into memory at a cache line, and kernels read weights where they lie there. It is not mapped: that
//! takes unsafe code, whoever changed the file afterwards would change weights that run, and the seal has to see every byte
//! before the first run in any case.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use aceso_inference::{Kernels, Model, Packed, PackedError, unpack};
use aceso_types::ModelId;

use crate::{
    home::{Home, HomeError, config::Config, make_directory},
    metrics::meters::Packing,
};

/// Bytes of a seal.
const SEAL: usize = blake3::OUT_LEN;
/// Most bytes of a file that is read: more than the largest model takes with every kernel.
const FILE_MAX: u64 = 2 << 30;
const ENDING: &str = "packed";

/// Why a file is not run.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("it is not as this machine wrote it")]
    Seal,
    #[error(transparent)]
    Form(#[from] PackedError),
    #[error("{0}")]
    Disk(#[from] io::Error),
}

impl Refused {
    /// One word, for who counts them.
    fn reason(&self) -> &'static str {
        match self {
            Self::Seal => "seal",
            Self::Form(PackedError::Build { .. } | PackedError::Kernels { .. }) => "build",
            Self::Form(_) => "form",
            Self::Disk(_) => "disk",
        }
    }
}

/// See the module.
pub(crate) struct Shelf {
    folder: PathBuf,
    key: [u8; 32],
    /// None for a process beside the node, which takes and neither puts nor deletes.
    bytes_max: Option<u64>,
    meters: Packing,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// Bytes of each file, and whether somebody has asked for it since the start.
    files: BTreeMap<ModelId, (u64, bool)>,
    /// What found no room.
    declined: BTreeSet<ModelId>,
    /// The disk takes nothing.
    closed: bool,
}

impl Shelf {
    /// The shelf of a node; none where its configuration wants none, or the disk gives none: it goes on without.
    pub(crate) fn open(home: &Home, config: &Config, meters: Packing) -> Option<Self> {
        let made = (config.packed_model_bytes > 0).then(|| Self::made(home, config.packed_model_bytes, meters))?;
        made.inspect_err(|e| tracing::warn!("models are packed anew with each start: {e}")).ok()
    }

    /// The shelf of the node in this home, for a process beside it.
    pub(crate) fn beside(home: &Home) -> Option<Self> {
        let key = home.packing_key_file().exists().then(|| home.packing_key())?.ok()?;
        let (folder, meters) = (home.models_dir(), Packing::default());
        Some(Self { folder, key, bytes_max: None, meters, held: Mutex::default() })
    }

    fn made(home: &Home, bytes_max: u64, meters: Packing) -> Result<Self, HomeError> {
        let (folder, key) = (home.models_dir(), home.packing_key()?);
        make_directory(&folder)?;
        let failed = |source| HomeError::Io { action: "read", path: folder.clone(), source };
        let mut held = Held::default();
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            match id_of(&path) {
                Some(id) => {
                    held.files.insert(id, (path.metadata().map_or(0, |metadata| metadata.len()), false));
                }
                // What a write has left that did not come to its end.
                None => remove(&path),
            }
        }
        Ok(Self { folder, key, bytes_max: Some(bytes_max), meters, held: Mutex::new(held) })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, id: &ModelId) -> PathBuf {
        self.folder.join(format!("{id}.{ENDING}"))
    }

    fn seal(&self, packed: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.key, packed)
    }

    fn read(&self, mut file: File, id: &ModelId, kernels: Kernels) -> Result<Model, Refused> {
        let len = file.metadata()?.len();
        let len = usize::try_from(len).ok().filter(|_| len <= FILE_MAX).ok_or(Refused::Seal)?;
        let mut packed = Packed::zeros(len);
        file.read_exact(packed.bytes_mut())?;
        let (body, seal) = packed.bytes().split_last_chunk::<SEAL>().ok_or(Refused::Seal)?;
        // Compared in a time that tells nothing.
        if self.seal(body) != blake3::Hash::from_bytes(*seal) {
            return Err(Refused::Seal);
        }
        let whole = body.len();
        Ok(unpack(packed.first(whole), id, kernels)?)
    }

    fn write(&self, id: &ModelId, packed: &[u8]) -> io::Result<()> {
        let draft = self.folder.join(format!("{id}.draft"));
        let written = (|| {
            let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
            file.write_all(packed)?;
            file.write_all(self.seal(packed).as_bytes())?;
            file.sync_all()?;
            fs::rename(&draft, self.path(id))
        })();
        if written.is_err() {
            remove(&draft);
        }
        written
    }

    fn remove(&self, id: &ModelId) {
        self.held().files.remove(id);
        remove(&self.path(id));
    }

    /// Whether there is room for a file, if need be instead of those that nobody has asked for since the start.
    fn make_room(&self, bytes: u64, bytes_max: u64) -> bool {
        let files = self.held().files.clone();
        let kept: u64 = files.values().filter(|(_, asked)| *asked).map(|(bytes, _)| bytes).sum();
        if kept.saturating_add(bytes) > bytes_max {
            return false;
        }
        let mut all: u64 = files.values().map(|(bytes, _)| bytes).sum();
        for (id, (of_file, _)) in files.iter().filter(|(_, (_, asked))| !*asked) {
            if all.saturating_add(bytes) <= bytes_max {
                break;
            }
            self.remove(id);
            all = all.saturating_sub(*of_file);
        }
        true
    }
}

impl aceso_app::Shelf for Shelf {
    fn get(&self, id: &ModelId, kernels: Kernels) -> Option<Model> {
        let read = match File::open(self.path(id)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return None,
            file => file.map_err(Refused::Disk).and_then(|file| self.read(file, id, kernels)),
        };
        match read {
            Ok(model) => {
                self.meters.taken.inc();
                if let Some((_, asked)) = self.held().files.get_mut(id) {
                    *asked = true;
                }
                Some(model)
            }
            Err(refused) => {
                self.meters.refused.count(refused.reason(), 1);
                match &refused {
                    Refused::Form(PackedError::Build { .. } | PackedError::Kernels { .. }) => {
                        tracing::info!("model {id} is packed anew: {refused}");
                    }
                    refused => tracing::warn!("model {id} is packed anew: {}: {refused}", self.path(id).display()),
                }
                if self.bytes_max.is_some() {
                    self.remove(id);
                }
                None
            }
        }
    }

    fn wants(&self, id: &ModelId) -> bool {
        let held = self.held();
        self.bytes_max.is_some() && !held.closed && !held.files.contains_key(id) && !held.declined.contains(id)
    }

    fn put(&self, id: &ModelId, packed: &[u8]) {
        let Some(bytes_max) = self.bytes_max else { return };
        let bytes = (packed.len() + SEAL) as u64;
        if !self.make_room(bytes, bytes_max) {
            tracing::info!("model {id} is not kept packed: packed_model_bytes = {bytes_max} are taken");
            self.held().declined.insert(*id);
            return;
        }
        match self.write(id, packed) {
            Ok(()) => {
                self.meters.made.inc();
                self.held().files.insert(*id, (bytes, true));
            }
            Err(e) => {
                tracing::warn!("models are not kept packed until the next start: {}: {e}", self.folder.display());
                self.meters.refused.count("disk", 1);
                self.held().closed = true;
            }
        }
    }

    fn retain(&self, is_one: &mut dyn FnMut(&ModelId) -> bool) {
        let all: Vec<ModelId> = self.held().files.keys().copied().collect();
        for id in all.iter().filter(|id| self.bytes_max.is_some() && !is_one(id)) {
            self.remove(id);
        }
    }
}

/// The model whose file this is.
fn id_of(path: &Path) -> Option<ModelId> {
    path.extension().filter(|ending| *ending == ENDING)?;
    path.file_stem()?.to_str()?.parse().ok()
}

/// What cannot be removed is not run either, and makes no difference.
fn remove(path: &Path) {
    if let Err(e) = fs::remove_file(path) {
        tracing::debug!("{}: {e}", path.display());
    }
}

#[cfg(test)]
mod tests;
