//! The snapshots of this node: what their manifests say and where their chunks begin, in memory and in small files.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use aceso_state::{CHUNK_BYTES, CHUNKS_MAX, Export, MANIFEST_MAX, Snapshot, Store};

use super::lock;
use crate::error::AppError;

/// Snapshots of which chunks are made while their heights are in the window: a node that began to restore one that was
/// offered can finish it, also where blocks come fast.
const SNAPSHOTS_SERVED: usize = 8;

/// Most bytes of a snapshot's file: the manifest, and less than 64 bytes for where each chunk begins.
const FILE_MAX: u64 = (MANIFEST_MAX + 64 * CHUNKS_MAX) as u64;

/// What files of snapshots end with, when they are written and before.
const SUFFIX: &str = "snapshot";
const DRAFT: &str = "draft";

/// Snapshots that are served, oldest first; the last ones are offered.
pub(super) struct Shelf {
    dir: PathBuf,
    kept: Mutex<Vec<Arc<Export>>>,
    stopped: AtomicBool,
}

impl Shelf {
    /// What the folder holds; it need not exist.
    pub(super) fn open(dir: &Path, store: &Store) -> io::Result<Self> {
        let shelf = Self { dir: dir.into(), kept: Mutex::default(), stopped: AtomicBool::new(false) };
        shelf.load(store)?;
        Ok(shelf)
    }

    /// Ends what is being taken.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// The last ones, oldest first.
    pub(super) fn latest(&self, count: usize) -> Vec<Arc<Export>> {
        let kept = lock(&self.kept);
        kept.iter().skip(kept.len().saturating_sub(count)).cloned().collect()
    }

    /// The snapshot of a height.
    pub(super) fn at(&self, height: u64) -> Option<Arc<Export>> {
        lock(&self.kept).iter().find(|export| export.manifest().height() == height).cloned()
    }

    /// Cuts a height into chunks and offers it from then on, unless the application ends meanwhile.
    pub(super) fn take(&self, snapshot: &Snapshot) -> Result<(), AppError> {
        let height = snapshot.version();
        let export = match snapshot.export(CHUNK_BYTES, &|| self.stopped.load(Ordering::Relaxed))? {
            Some(export) => export,
            None if self.stopped.load(Ordering::Relaxed) => return Ok(()),
            None => return Err(AppError::SnapshotSize { height, max: CHUNKS_MAX }),
        };
        // Without its file the snapshot is offered until the node ends.
        if let Err(error) = self.write(&export) {
            tracing::warn!(height, %error, path = %self.dir.display(), "a snapshot's file cannot be written");
        }
        tracing::info!(height, chunks = export.manifest().chunks(), "snapshot taken");
        self.put(export);
        Ok(())
    }

    fn put(&self, export: Export) {
        let mut kept = lock(&self.kept);
        kept.retain(|other| other.manifest().height() != export.manifest().height());
        kept.push(Arc::new(export));
        kept.sort_by_key(|export| export.manifest().height());
        while kept.len() > SNAPSHOTS_SERVED {
            let gone = kept.remove(0);
            // What cannot be removed now is at the next start.
            let _ = fs::remove_file(self.file(gone.manifest().height()));
        }
    }

    fn file(&self, height: u64) -> PathBuf {
        self.dir.join(format!("{height:020}.{SUFFIX}"))
    }

    fn write(&self, export: &Export) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        let path = self.file(export.manifest().height());
        let draft = path.with_extension(DRAFT);
        let mut file = File::create(&draft)?;
        file.write_all(&export.encode())?;
        file.sync_all()?;
        fs::rename(&draft, &path)
    }

    /// Puts what the folder holds on the shelf, and removes what belongs to no height that can be read.
    fn load(&self, store: &Store) -> io::Result<()> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            let suffix = path.extension().and_then(|suffix| suffix.to_str());
            match suffix {
                Some(SUFFIX) => {}
                Some(DRAFT) => {
                    fs::remove_file(&path)?;
                    continue;
                }
                _ => continue,
            }
            let mut bytes = Vec::new();
            File::open(&path)?.take(FILE_MAX).read_to_end(&mut bytes)?;
            let whole = Export::decode(&bytes).filter(|export| {
                let snapshot = store.snapshot_at(export.manifest().height());
                snapshot.and_then(|snapshot| export.is_of(&snapshot)).unwrap_or(false)
            });
            match whole {
                Some(export) => self.put(export),
                None => fs::remove_file(&path)?,
            }
        }
        Ok(())
    }
}
