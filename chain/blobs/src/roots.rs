//! The table of roots: which blobs were put and not removed. A blob is acknowledged by its row here, and by nothing else.
//!
//! The file is a log of rows of 64 bytes, each within one disk sector:
//!
//! ```text
//! 0      4       8                  40     48       56      64
//! | ABr+ | codec | sha2-256 digest | size | blocks | check |      ABr- for a removal
//! ```
//!
//! Numbers are little-endian; the check is the first eight bytes of the sha2-256 of what stands before it. The blocks are
//! on the disk before the row is written, so a row that survives a crash has its blocks. Compaction writes the log anew.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{BufReader, BufWriter, Read, Write},
    ops::Bound,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use aceso_types::blob::{BlobId, DAG_PB, RAW};
use sha2::{Digest as _, Sha256};

use crate::{
    error::{self, BlobError},
    import::Put,
    record::Digest,
};

const ROW: usize = 64;
const PUT: [u8; 4] = *b"ABr+";
const REMOVED: [u8; 4] = *b"ABr-";

/// What is known of a blob without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its bytes.
    pub size: u64,
    /// Blocks of its tree, leaves and nodes; equal ones are counted each time.
    pub blocks: u64,
}

/// A row of [`crate::BlobStore::list`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The blob's name.
    pub id: BlobId,
    /// Its size.
    pub stat: Stat,
}

/// Digest, then whether the root is a node: 33 bytes where a [`BlobId`] takes a hundred.
type Key = (Digest, bool);

fn key(id: &BlobId) -> Key {
    (id.sha256(), id.codec() == DAG_PB)
}

fn id((digest, node): &Key) -> Option<BlobId> {
    BlobId::from_parts(if *node { DAG_PB } else { RAW }, *digest).ok()
}

/// The table and its log.
pub(crate) struct Roots {
    path: PathBuf,
    file: File,
    len: u64,
    halted: bool,
    live: BTreeMap<Key, Stat>,
}

/// What opening the log met.
pub(crate) struct Opened {
    pub(crate) roots: Roots,
    /// Bytes cut off the end.
    pub(crate) torn: u64,
    /// Rows before the end that are broken and were passed over.
    pub(crate) damaged: u64,
}

impl Roots {
    pub(crate) fn open(dir: &Path) -> Result<Opened, BlobError> {
        let path = dir.join("roots");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(error::io(&path, "open"))?;
        let length = file.metadata().map_err(error::io(&path, "look at"))?.len();
        let mut live = BTreeMap::new();
        let (mut len, mut damaged, mut bad) = (0, 0, 0);
        let mut rows = BufReader::new(&file);
        let mut row = [0; ROW];
        for at in 1..=length / ROW as u64 {
            rows.read_exact(&mut row).map_err(error::io(&path, "read"))?;
            match parse(&row) {
                Some((PUT, key, stat)) => drop(live.insert(key, stat)),
                Some((_, key, _)) => drop(live.remove(&key)),
                // A row of zeros was never written; the one after it was, in another sector.
                None => {
                    bad += u64::from(row != [0; ROW]);
                    continue;
                }
            }
            len = at * ROW as u64;
            damaged += std::mem::take(&mut bad);
        }
        let torn = length - len;
        if torn > 0 {
            file.set_len(len).map_err(error::io(&path, "shorten"))?;
        }
        Ok(Opened { roots: Self { path, file, len, halted: false, live }, torn, damaged })
    }

    pub(crate) fn get(&self, id: &BlobId) -> Option<Stat> {
        self.live.get(&key(id)).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.live.len()
    }

    pub(crate) fn after(&self, id_before: Option<&BlobId>) -> impl Iterator<Item = Listed> {
        let start = id_before.map_or(Bound::Unbounded, |before| Bound::Excluded(key(before)));
        let rows = self.live.range((start, Bound::Unbounded));
        rows.filter_map(|(key, stat)| Some(Listed { id: id(key)?, stat: *stat }))
    }

    /// On the disk when it returns.
    pub(crate) fn put(&mut self, put: &Put) -> Result<(), BlobError> {
        let (key, stat) = (key(&put.id), Stat { size: put.size, blocks: put.blocks });
        if self.live.get(&key) != Some(&stat) {
            self.append(PUT, &key, &stat)?;
            self.live.insert(key, stat);
        }
        Ok(())
    }

    /// On the disk when it returns; false if there is no such root.
    pub(crate) fn remove(&mut self, id: &BlobId) -> Result<bool, BlobError> {
        let key = key(id);
        let Some(stat) = self.live.get(&key).copied() else { return Ok(false) };
        self.append(REMOVED, &key, &stat)?;
        self.live.remove(&key);
        Ok(true)
    }

    fn append(&mut self, kind: [u8; 4], key: &Key, stat: &Stat) -> Result<(), BlobError> {
        if self.halted {
            return Err(BlobError::Halted { path: self.path.clone() });
        }
        self.file.write_all_at(&row(kind, key, stat), self.len).map_err(error::io(&self.path, "write"))?;
        if let Err(e) = self.file.sync_data() {
            self.halted = true;
            return Err(error::io(&self.path, "sync")(e));
        }
        self.len += ROW as u64;
        Ok(())
    }

    /// Replaces the log by one that holds the live rows only.
    pub(crate) fn rewrite(&mut self, dir: &Path) -> Result<(), BlobError> {
        let length = self.live.len() as u64 * ROW as u64;
        if self.len == length {
            return Ok(());
        }
        if self.halted {
            return Err(BlobError::Halted { path: self.path.clone() });
        }
        let fresh = dir.join("roots.new");
        let write = || {
            let mut out = BufWriter::new(File::create(&fresh)?);
            for (key, stat) in &self.live {
                out.write_all(&row(PUT, key, stat))?;
            }
            let file = out.into_inner()?;
            file.sync_all()?;
            Ok(file)
        };
        let file = write().map_err(error::io(&fresh, "write"))?;
        // Which of the two logs the directory names after a failure here is not known.
        fs::rename(&fresh, &self.path)
            .and_then(|()| File::open(dir)?.sync_all())
            .inspect_err(|_| self.halted = true)
            .map_err(error::io(&self.path, "replace"))?;
        self.file = file;
        self.len = length;
        Ok(())
    }
}

fn row(kind: [u8; 4], (digest, node): &Key, stat: &Stat) -> [u8; ROW] {
    let mut row = [0; ROW];
    let (body, check) = row.split_at_mut(56);
    body[..4].copy_from_slice(&kind);
    body[4..8].copy_from_slice(&(u32::from(*node)).to_le_bytes());
    body[8..40].copy_from_slice(digest);
    body[40..48].copy_from_slice(&stat.size.to_le_bytes());
    body[48..].copy_from_slice(&stat.blocks.to_le_bytes());
    check.copy_from_slice(&Sha256::digest(&*body)[..8]);
    row
}

fn parse(bytes: &[u8; ROW]) -> Option<([u8; 4], Key, Stat)> {
    let (kind, rest) = bytes.split_first_chunk::<4>()?;
    let (node, rest) = rest.split_first_chunk::<4>()?;
    let (digest, rest) = rest.split_first_chunk::<32>()?;
    let (size, rest) = rest.split_first_chunk::<8>()?;
    let (blocks, _) = rest.split_first_chunk::<8>()?;
    let key = (*digest, *node == 1u32.to_le_bytes());
    let stat = Stat { size: u64::from_le_bytes(*size), blocks: u64::from_le_bytes(*blocks) };
    // Spelling the row again checks everything at once.
    ((*kind == PUT || *kind == REMOVED) && row(*kind, &key, &stat) == *bytes).then_some((*kind, key, stat))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn put(n: u8) -> Put {
        Put { id: BlobId::of_raw(&[n]), size: u64::from(n), blocks: 1 }
    }

    fn ids(opened: &Opened) -> Vec<BlobId> {
        let mut ids: Vec<_> = opened.roots.after(None).map(|listed| listed.id).collect();
        ids.sort();
        ids
    }

    #[test]
    fn a_row_survives_no_change() {
        let bytes = row(PUT, &([3; 32], true), &Stat { size: 7, blocks: 9 });
        assert_eq!(parse(&bytes), Some((PUT, ([3; 32], true), Stat { size: 7, blocks: 9 })));
        for at in 0..ROW {
            let mut other = bytes;
            other[at] ^= 1;
            assert_eq!(parse(&other), None, "byte {at}");
        }
    }

    #[test]
    fn torn_rows_are_cut_and_broken_ones_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("roots");
        let mut roots = Roots::open(dir.path()).unwrap().roots;
        for n in 1..=4 {
            roots.put(&put(n)).unwrap();
        }
        assert!(roots.remove(&put(4).id).unwrap());
        assert!(!roots.remove(&put(4).id).unwrap());
        drop(roots);
        let good = fs::read(&path).unwrap();

        fs::write(&path, [&good[..], &good[..63]].concat()).unwrap();
        let opened = Roots::open(dir.path()).unwrap();
        assert_eq!((opened.torn, opened.damaged, opened.roots.len()), (63, 0, 3));
        assert_eq!(fs::metadata(&path).unwrap().len(), good.len() as u64);

        let mut broken = good.clone();
        broken[10] ^= 1;
        fs::write(&path, [&broken[..], &[0; 64], &good[..64]].concat()).unwrap();
        let opened = Roots::open(dir.path()).unwrap();
        assert_eq!((opened.torn, opened.damaged, opened.roots.len()), (0, 1, 3));
    }

    #[test]
    fn a_rewritten_log_has_the_live_rows_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let mut roots = Roots::open(dir.path()).unwrap().roots;
        for n in 1..=3 {
            roots.put(&put(n)).unwrap();
        }
        roots.remove(&put(2).id).unwrap();
        roots.rewrite(dir.path()).unwrap();
        roots.put(&put(5)).unwrap();
        drop(roots);
        let opened = Roots::open(dir.path()).unwrap();
        let mut expected = [put(1).id, put(3).id, put(5).id];
        expected.sort();
        assert_eq!(ids(&opened), expected);
        assert_eq!(fs::metadata(dir.path().join("roots")).unwrap().len(), 3 * ROW as u64);
    }
}
