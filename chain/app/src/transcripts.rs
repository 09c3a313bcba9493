//! The transcripts of this node: a file for each block that has read, for others who execute it when the images are gone.
//!
//! They are no part of the state, whose digests say whether a file is whole. A file that a crash has torn is found by
//! that and counts as missing: other nodes have theirs. Transcripts go with the blocks that they belong to, so here is
//! also said which blocks this node keeps ([`Transcripts::retain`]).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{components::reads::script::Written, error::AppError};

/// What the files end with, when they are written and before.
const SUFFIX: &str = "transcript";
const DRAFT: &str = "draft";
/// Files that a commit removes at most; the rest wait for the next one.
const REMOVED_MAX: usize = 64;

/// See the module.
pub(crate) struct Transcripts {
    dir: PathBuf,
    /// Blocks that are kept, at least; 0 for all.
    keep_blocks: u64,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// By height, the first height at which images of the block need not be held any more; `u64::MAX` for none read.
    ends: BTreeMap<u64, u64>,
    /// The same the other way round, of those whose end has not come yet.
    open: BTreeSet<(u64, u64)>,
    /// The height after the latest block with an image that need not be held any more.
    first: u64,
}

impl Known {
    fn add(&mut self, height: u64, ends: u64) -> Option<u64> {
        self.open.insert((ends, height));
        let before = self.ends.insert(height, ends).filter(|before| *before != ends)?;
        self.open.remove(&(before, height));
        Some(before)
    }

    /// The first height from which on every block's images are held at `now`.
    fn first(&mut self, now: u64) -> u64 {
        while let Some((ends, height)) = self.open.first().copied().filter(|(ends, _)| *ends <= now) {
            self.open.remove(&(ends, height));
            self.first = self.first.max(height.saturating_add(1));
        }
        self.first
    }
}

impl Transcripts {
    /// Those in a folder, which need not exist.
    pub(crate) fn open(dir: &Path, keep_blocks: u64) -> Result<Self, AppError> {
        let transcripts = Self { dir: dir.into(), keep_blocks, known: Mutex::default() };
        transcripts.load().map_err(|source| transcripts.failed(source))?;
        Ok(transcripts)
    }

    fn load(&self) -> io::Result<()> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        let mut known = self.known();
        for entry in entries {
            let path = entry?.path();
            match path.extension().and_then(|suffix| suffix.to_str()) {
                Some(DRAFT) => fs::remove_file(&path)?,
                Some(SUFFIX) => {
                    let name = path.file_stem().and_then(|name| name.to_str()).and_then(|name| name.split_once('-'));
                    if let Some((Ok(height), Ok(ends))) = name.map(|(height, ends)| (height.parse(), ends.parse())) {
                        known.add(height, ends);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes the transcript of a block that is about to be committed.
    pub(crate) fn write(&self, height: u64, written: &Written) -> Result<(), AppError> {
        let ends = written.ends.map_or(u64::MAX, |ends| ends.0);
        let path = self.file(height, ends);
        let draft = path.with_extension(DRAFT);
        let wrote = fs::create_dir_all(&self.dir)
            .and_then(|()| fs::write(&draft, &written.bytes))
            .and_then(|()| fs::rename(&draft, &path));
        wrote.map_err(|source| self.failed(source))?;
        if let Some(before) = self.known().add(height, ends) {
            // Of an execution that was undone. It would be found by its digest.
            let _ = fs::remove_file(self.file(height, before));
        }
        Ok(())
    }

    /// The bytes of a block's transcript; none if there is no file.
    pub(crate) fn read(&self, height: u64) -> Result<Option<Vec<u8>>, AppError> {
        let Some(ends) = self.known().ends.get(&height).copied() else { return Ok(None) };
        match fs::read(self.file(height, ends)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.failed(source)),
        }
    }

    /// The first block that the engine has to keep when `height` is committed; 0 for all.
    ///
    /// The latest `keep_blocks` are kept, of them only those from which on every image is still held: an older one cannot
    /// be executed from bytes. `needed` is the oldest block that others may ask for though it is older.
    pub(crate) fn retain(&self, height: u64, needed: u64) -> u64 {
        if self.keep_blocks == 0 {
            return 0;
        }
        let first = self.known().first(height);
        height.saturating_sub(self.keep_blocks).max(first).min(needed)
    }

    /// Removes transcripts of blocks before this one, a bounded number.
    pub(crate) fn prune(&self, first: u64) {
        let mut known = self.known();
        let old: Vec<(u64, u64)> =
            known.ends.range(..first).take(REMOVED_MAX).map(|(height, ends)| (*height, *ends)).collect();
        for (height, ends) in old {
            known.ends.remove(&height);
            known.open.remove(&(ends, height));
            if let Err(error) = fs::remove_file(self.file(height, ends)) {
                tracing::warn!(height, %error, "a transcript stays until the next start");
            }
        }
    }

    fn file(&self, height: u64, ends: u64) -> PathBuf {
        self.dir.join(format!("{height:020}-{ends:020}.{SUFFIX}"))
    }

    fn failed(&self, source: io::Error) -> AppError {
        AppError::Transcripts { path: self.dir.clone(), source }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use aceso_types::{Digest, Height};

    use super::*;

    fn written(bytes: &[u8], ends: Option<u64>) -> Written {
        Written { bytes: bytes.into(), digest: Digest::default(), ends: ends.map(Height) }
    }

    fn filled(dir: &Path, keep_blocks: u64) -> Transcripts {
        let transcripts = Transcripts::open(dir, keep_blocks).unwrap();
        for (height, ends) in [(5, Some(40)), (7, None), (9, Some(30)), (12, Some(90))] {
            transcripts.write(height, &written(&height.to_be_bytes(), ends)).unwrap();
        }
        transcripts
    }

    #[test]
    fn come_back_after_a_start_and_torn_drafts_do_not() {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path(), 0);
        fs::write(dir.path().join("x.draft"), b"torn").unwrap();
        fs::write(dir.path().join("note.txt"), b"not ours").unwrap();
        fs::write(dir.path().join("a-b.transcript"), b"not ours").unwrap();
        let again = Transcripts::open(dir.path(), 0).unwrap();
        assert_eq!(again.read(9).unwrap(), Some(9_u64.to_be_bytes().to_vec()));
        assert_eq!((again.read(8).unwrap(), dir.path().join("x.draft").exists()), (None, false));
        again.write(9, &written(b"other", Some(31))).unwrap();
        assert_eq!(again.read(9).unwrap(), Some(b"other".to_vec()));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4 + 2);
        fs::remove_file(again.file(12, 90)).unwrap();
        assert_eq!(again.read(12).unwrap(), None);
    }

    #[test]
    fn blocks_are_kept_while_they_can_be_executed_from_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let all = filled(dir.path(), 0);
        assert_eq!(all.retain(1_000, u64::MAX), 0);
        let some = Transcripts::open(dir.path(), 20).unwrap();
        // (height, needed) → first block that is kept
        for (height, needed, first) in [
            (12, u64::MAX, 0),
            (25, u64::MAX, 5),
            // The images of block 9 are gone: whoever begins before it cannot go on from bytes.
            (30, u64::MAX, 10),
            (31, u64::MAX, 11),
            (80, u64::MAX, 60),
            (80, 17, 17),
            (90, u64::MAX, 70),
            (91, u64::MAX, 71),
        ] {
            assert_eq!(some.retain(height, needed), first, "{height} {needed}");
        }
        let short = Transcripts::open(dir.path(), 85).unwrap();
        assert_eq!([29, 30, 40, 89, 90].map(|height| short.retain(height, u64::MAX)), [0, 10, 10, 10, 13]);
    }

    #[test]
    fn transcripts_go_with_their_blocks() {
        let dir = tempfile::tempdir().unwrap();
        let transcripts = filled(dir.path(), 20);
        transcripts.prune(9);
        let left = [5, 7, 9, 12].map(|height| transcripts.read(height).unwrap().is_some());
        assert_eq!((left, fs::read_dir(dir.path()).unwrap().count()), ([false, false, true, true], 2));
        for height in 100..200 {
            transcripts.write(height, &written(b"x", None)).unwrap();
        }
        transcripts.prune(1_000);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 102 - REMOVED_MAX);
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, b"x").unwrap();
        assert!(matches!(Transcripts::open(&file, 0), Err(AppError::Transcripts { .. })));
        let lost = Transcripts::open(&file.join("in"), 0);
        let error = match lost {
            Err(error) => error,
            Ok(lost) => lost.write(1, &written(b"x", None)).unwrap_err(),
        };
        assert!(error.to_string().contains("transcripts in"), "{error}");
    }
}
