//! The pack files: their names, reading a block, and walking one when its index is gone.
//!
//! A pack is records ([`crate::record`]) one after the other and nothing else. It is opened per read, so that no number
//! of packs uses up file handles. Writing is in [`crate::writer`].

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use crate::{
    error::{self, BlobError},
    record::{Digest, HEADER, Header, Location, MAGIC},
};

/// Bytes read at once while walking.
const WINDOW: usize = 64 << 10;
/// Blocks hashed while looking for the way back after damage, in multiples of the pack's length: a damaged block full of
/// forged headers may not make opening take for ever.
const REHASH_MAX: u64 = 2;

/// The directory of the packs.
pub(crate) struct Packs {
    dir: PathBuf,
}

/// What lies at a location.
pub(crate) enum Found {
    /// Bytes with the right hash.
    Block(Vec<u8>),
    /// The pack is no longer there; compaction may have moved the block.
    Gone,
    /// Other bytes than the digest names.
    Damaged,
}

/// What a walk over a pack met.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Walk {
    /// Offset after the last record: where the next one belongs.
    pub(crate) end: u64,
    /// Bytes before `end` that are no record.
    pub(crate) damaged: u64,
}

impl Packs {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn path(&self, pack: u32) -> PathBuf {
        self.dir.join(format!("{pack:010}.pack"))
    }

    pub(crate) fn index_path(&self, pack: u32) -> PathBuf {
        self.dir.join(format!("{pack:010}.index"))
    }

    /// The packs by number. Other files are not looked at.
    pub(crate) fn list(&self) -> Result<BTreeSet<u32>, BlobError> {
        let files = self.files()?;
        Ok(files.into_iter().filter(|(number, path)| *path == self.path(*number)).map(|(number, _)| number).collect())
    }

    /// Removes indexes without a pack and indexes half written. Only while nobody writes.
    pub(crate) fn tidy(&self, packs: &BTreeSet<u32>) -> Result<(), BlobError> {
        for (number, path) in self.files()? {
            let index = self.index_path(number);
            if path == index.with_extension("new") || (path == index && !packs.contains(&number)) {
                fs::remove_file(&path).map_err(error::io(&path, "remove"))?;
            }
        }
        Ok(())
    }

    /// Files whose name starts with a number.
    fn files(&self) -> Result<Vec<(u32, PathBuf)>, BlobError> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(error::io(&self.dir, "list"))? {
            let path = entry.map_err(error::io(&self.dir, "list"))?.path();
            let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
            files.extend(number.map(|number| (number, path)));
        }
        Ok(files)
    }

    pub(crate) fn len(&self, pack: u32) -> Result<u64, BlobError> {
        let path = self.path(pack);
        fs::metadata(&path).map(|meta| meta.len()).map_err(error::io(&path, "look at"))
    }

    /// The block at `at`, hashed.
    pub(crate) fn read(&self, digest: &Digest, at: Location) -> Result<Found, BlobError> {
        self.fetch(digest, at, |bytes| Digest::from(Sha256::digest(bytes)) == *digest)
    }

    /// Whether the block at `at` has just these bytes. Comparing costs less than hashing.
    pub(crate) fn holds(&self, digest: &Digest, at: Location, bytes: &[u8]) -> Result<Found, BlobError> {
        self.fetch(digest, at, |kept| kept == bytes)
    }

    fn fetch(&self, digest: &Digest, at: Location, right: impl Fn(&[u8]) -> bool) -> Result<Found, BlobError> {
        let path = self.path(at.pack);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Found::Gone),
            Err(e) => return Err(error::io(&path, "open")(e)),
        };
        let mut header = [0; HEADER];
        let mut block = vec![0; at.len as usize];
        let offset = u64::from(at.offset);
        let read = file
            .read_exact_at(&mut header, offset)
            .and_then(|()| file.read_exact_at(&mut block, offset + HEADER as u64));
        match read {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(Found::Damaged),
            Err(e) => return Err(error::io(&path, "read")(e)),
        }
        let named = Header::decode(&header) == Some(Header { len: at.len, digest: *digest });
        Ok(if named && right(&block) { Found::Block(block) } else { Found::Damaged })
    }
}

/// Walks a pack of `length` bytes from header to header and reports every block.
///
/// Blocks are not hashed: a wrong one shows when it is read. Where no header stands, the next one whose block does hash
/// to its digest is looked for, and from there on every block is hashed, since a header found in the middle of a block
/// may have been put there by whoever made the block.
pub(crate) fn walk(
    path: &Path,
    pack: u32,
    length: u64,
    mut found: impl FnMut(Digest, Location),
) -> Result<Walk, BlobError> {
    let file = File::open(path).map_err(error::io(path, "open"))?;
    let mut window = Window { path, file, length, start: 0, bytes: Vec::new() };
    let mut walk = Walk { end: 0, damaged: 0 };
    let mut budget = None;
    let mut at = 0;
    while at < length {
        let record = window.header(at)?.and_then(|header| {
            let offset = u32::try_from(at).ok()?;
            let location = Location { pack, offset, len: header.len };
            (location.end() <= length).then_some((header, location))
        });
        let sound = match (record, &mut budget) {
            (Some((header, _)), Some(budget)) => window.hashes(at, header, budget)?,
            (record, _) => record.is_some(),
        };
        if let (true, Some((header, location))) = (sound, record) {
            walk.damaged += at - walk.end;
            walk.end = location.end();
            at = walk.end;
            found(header.digest, location);
        } else {
            budget.get_or_insert(length.saturating_mul(REHASH_MAX));
            at = match budget {
                Some(1..) => window.magic(at + 1)?,
                _ => length,
            };
        }
    }
    Ok(walk)
}

/// A part of a pack in memory.
struct Window<'a> {
    path: &'a Path,
    file: File,
    length: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// Up to `WINDOW` bytes at `at`, at least `want` of them unless the pack ends before.
    fn at(&mut self, at: u64, want: usize) -> Result<&[u8], BlobError> {
        let skip = at.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok());
        let left = usize::try_from(self.length.saturating_sub(at)).unwrap_or(usize::MAX);
        let cached = skip.filter(|skip| self.bytes.len().saturating_sub(*skip) >= want.min(left));
        if cached.is_none() {
            self.bytes.resize(left.min(WINDOW.max(want)), 0);
            self.start = at;
            self.file.read_exact_at(&mut self.bytes, at).map_err(error::io(self.path, "read"))?;
        }
        Ok(self.bytes.get(cached.unwrap_or(0)..).unwrap_or_default())
    }

    fn header(&mut self, at: u64) -> Result<Option<Header>, BlobError> {
        self.at(at, HEADER).map(Header::decode)
    }

    fn hashes(&mut self, at: u64, header: Header, budget: &mut u64) -> Result<bool, BlobError> {
        *budget = budget.saturating_sub(u64::from(header.len) + 1);
        let bytes = self.at(at + HEADER as u64, header.len as usize)?;
        Ok(bytes.get(..header.len as usize).is_some_and(|block| Digest::from(Sha256::digest(block)) == header.digest))
    }

    /// The next place from `at` on where a header may start, or the end.
    fn magic(&mut self, mut at: u64) -> Result<u64, BlobError> {
        while at < self.length {
            let bytes = self.at(at, MAGIC.len())?;
            match bytes.windows(MAGIC.len()).position(|four| four == MAGIC) {
                Some(skip) => return Ok(at + skip as u64),
                None => at += (bytes.len() + 1).saturating_sub(MAGIC.len()).max(1) as u64,
            }
        }
        Ok(self.length)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn record(block: &[u8]) -> Vec<u8> {
        let header = Header { len: u32::try_from(block.len()).unwrap(), digest: Sha256::digest(block).into() };
        [&header.encode()[..], block].concat()
    }

    fn walked(bytes: &[u8]) -> (Walk, Vec<u32>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        let mut offsets = Vec::new();
        let walk = walk(file.path(), 1, bytes.len() as u64, |_, at| offsets.push(at.offset)).unwrap();
        (walk, offsets)
    }

    #[test]
    fn a_walk_stops_before_a_torn_record() {
        let (first, second) = (record(b"first"), record(&[5; 70_000]));
        let whole = [first.clone(), second].concat();
        assert_eq!(walked(&whole), (Walk { end: whole.len() as u64, damaged: 0 }, vec![0, 49]));
        for cut in [1, 69_999, 70_000, 70_043] {
            assert_eq!(walked(&whole[..whole.len() - cut]), (Walk { end: 49, damaged: 0 }, vec![0]), "cut {cut}");
        }
        let garbage = [first, vec![0xa5; 200_000]].concat();
        assert_eq!(walked(&garbage), (Walk { end: 49, damaged: 0 }, vec![0]));
    }

    #[test]
    fn a_walk_finds_its_way_behind_a_broken_header() {
        let middle = record(&[1; 100_000]);
        let mut pack = [record(b"first"), middle.clone(), record(b"last")].concat();
        pack[50] ^= 1;
        let last = 49 + middle.len();
        let walk = Walk { end: pack.len() as u64, damaged: middle.len() as u64 };
        assert_eq!(walked(&pack), (walk, vec![0, u32::try_from(last).unwrap()]));
    }

    #[test]
    fn headers_forged_inside_a_block_count_only_for_their_own_bytes() {
        let forged = Header { len: 4, digest: [9; 32] }.encode();
        let block = [&forged[..], b"evil", &record(b"fine")].concat();
        let mut pack = [record(&block), record(b"last")].concat();
        pack[0] ^= 1;
        let (walk, offsets) = walked(&pack);
        let fine = u32::try_from(HEADER * 2 + 4).unwrap();
        assert_eq!(offsets, [fine, u32::try_from(HEADER).unwrap() + u32::try_from(block.len()).unwrap()]);
        assert_eq!((walk.end, walk.damaged), (pack.len() as u64, u64::from(fine)));
    }

    #[test]
    fn a_block_full_of_forged_headers_ends_the_search() {
        let forged = Header { len: 60_000, digest: [9; 32] }.encode();
        let pack = [vec![0; 44], forged.repeat(20_000)].concat();
        assert_eq!(walked(&pack), (Walk { end: 0, damaged: 0 }, vec![]));
    }
}
