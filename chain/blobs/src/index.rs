//! Which block lies where: in memory while the store is open, and beside each closed pack on the disk.
//!
//! ```text
//! 0          8               16      24
//! | ABkindx1 | pack's length | count | digest, offset, length; … | sha2-256 of all before |
//! ```
//!
//! The file is a shortcut only. One that is missing, broken or of another pack length is made again by walking the pack,
//! and a wrong entry cannot yield wrong bytes, since the record names its digest and the bytes are hashed. In memory an
//! entry is 44 bytes in a tree that is two thirds full: some 66 bytes per block, 66 KiB per GiB of large files.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    os::unix::fs::FileExt,
    path::Path,
};

use sha2::{Digest as _, Sha256};

use crate::record::{Digest, HEADER, Header, Location};

const MAGIC: [u8; 8] = *b"ABkindx1";
const HEAD: usize = 24;
const ENTRY: usize = 40;

/// Block → place.
#[derive(Default)]
pub(crate) struct Index {
    blocks: BTreeMap<Digest, Location>,
}

impl Index {
    pub(crate) fn find(&self, digest: &Digest) -> Option<Location> {
        self.blocks.get(digest).copied()
    }

    /// A later copy takes the place of an earlier one: it was written because the earlier was damaged or moved.
    pub(crate) fn insert(&mut self, digest: Digest, at: Location) {
        self.blocks.insert(digest, at);
    }

    pub(crate) fn remove(&mut self, digest: &Digest) {
        self.blocks.remove(digest);
    }

    pub(crate) fn len(&self) -> usize {
        self.blocks.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Digest, &Location)> {
        self.blocks.iter()
    }

    /// Writes the entries of one pack of `length` bytes to `path`.
    pub(crate) fn save(&self, path: &Path, pack: u32, length: u64) -> io::Result<()> {
        let of_pack = || self.blocks.iter().filter(|(_, at)| at.pack == pack);
        let fresh = path.with_extension("new");
        let mut out = Hashing { inner: BufWriter::new(File::create(&fresh)?), hash: Sha256::new() };
        out.write_all(&MAGIC)?;
        out.write_all(&length.to_le_bytes())?;
        out.write_all(&(of_pack().count() as u64).to_le_bytes())?;
        for (digest, at) in of_pack() {
            out.write_all(digest)?;
            out.write_all(&at.offset.to_le_bytes())?;
            out.write_all(&at.len.to_le_bytes())?;
        }
        let Hashing { mut inner, hash } = out;
        inner.write_all(&hash.finalize())?;
        inner.flush()?;
        fs::rename(&fresh, path)
    }

    /// Takes in the entries of the pack file `pack_path` of `length` bytes; false, and nothing taken, unless they are
    /// whole, lie inside the pack, and the last one is where they say.
    pub(crate) fn load(&mut self, path: &Path, pack_path: &Path, pack: u32, length: u64) -> io::Result<bool> {
        let file = File::open(path)?;
        let entries_bytes = file.metadata()?.len().checked_sub((HEAD + 32) as u64);
        let mut input = Hashing { inner: BufReader::new(file), hash: Sha256::new() };
        let mut head = [0; HEAD];
        input.read_exact(&mut head)?;
        let mut expected = [0; HEAD];
        let count = entries_bytes.unwrap_or(0) / ENTRY as u64;
        expected[..8].copy_from_slice(&MAGIC);
        expected[8..16].copy_from_slice(&length.to_le_bytes());
        expected[16..].copy_from_slice(&count.to_le_bytes());
        // A pack cannot hold more records than headers fit into it.
        if head != expected || entries_bytes != Some(count * ENTRY as u64) || count > length / HEADER as u64 {
            return Ok(false);
        }
        let mut entries = Vec::new();
        let mut entry = [0; ENTRY];
        for _ in 0..count {
            input.read_exact(&mut entry)?;
            let Some((digest, at)) = parse(&entry, pack) else { return Ok(false) };
            if at.end() > length {
                return Ok(false);
            }
            entries.push((digest, at));
        }
        let Hashing { mut inner, hash } = input;
        let mut sum = [0; 32];
        inner.read_exact(&mut sum)?;
        if Digest::from(hash.finalize()) != sum {
            return Ok(false);
        }
        if let Some((digest, at)) = entries.iter().max_by_key(|(_, at)| at.offset) {
            let mut header = [0; HEADER];
            File::open(pack_path)?.read_exact_at(&mut header, u64::from(at.offset))?;
            if Header::decode(&header) != Some(Header { len: at.len, digest: *digest }) {
                return Ok(false);
            }
        }
        self.blocks.extend(entries);
        Ok(true)
    }
}

fn parse(entry: &[u8; ENTRY], pack: u32) -> Option<(Digest, Location)> {
    let (digest, rest) = entry.split_first_chunk::<32>()?;
    let (offset, rest) = rest.split_first_chunk::<4>()?;
    let (len, _) = rest.split_first_chunk::<4>()?;
    Some((*digest, Location { pack, offset: u32::from_le_bytes(*offset), len: u32::from_le_bytes(*len) }))
}

/// Hashes what passes through.
struct Hashing<T> {
    inner: T,
    hash: Sha256,
}

impl<T: Write> Hashing<T> {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.inner.write_all(bytes)
    }
}

impl<T: Read> Hashing<T> {
    fn read_exact(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.inner.read_exact(bytes)?;
        self.hash.update(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_saved_index_loads_and_any_changed_byte_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, pack_path) = (dir.path().join("1.index"), dir.path().join("1.pack"));
        let first = Location { pack: 1, offset: 0, len: 5 };
        let second = Location { pack: 1, offset: 49, len: 0 };
        let mut index = Index::default();
        index.insert([1; 32], first);
        index.insert([2; 32], second);
        index.insert([3; 32], Location { pack: 2, offset: 0, len: 1 });
        index.save(&path, 1, 93).unwrap();
        let record = |digest, len| Header { len, digest }.encode();
        fs::write(&pack_path, [&record([1; 32], 5)[..], b"first", &record([2; 32], 0)].concat()).unwrap();

        let mut loaded = Index::default();
        assert!(loaded.load(&path, &pack_path, 1, 93).unwrap());
        assert_eq!(loaded.iter().collect::<Vec<_>>(), [(&[1; 32], &first), (&[2; 32], &second)]);
        assert!(!Index::default().load(&path, &pack_path, 1, 94).unwrap());

        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, bad).unwrap();
            let mut empty = Index::default();
            assert!(!empty.load(&path, &pack_path, 1, 93).unwrap(), "byte {at}");
            assert_eq!(empty.len(), 0);
        }
        for cut in 1..good.len() {
            fs::write(&path, &good[..good.len() - cut]).unwrap();
            assert!(!Index::default().load(&path, &pack_path, 1, 93).is_ok_and(|whole| whole), "cut {cut}");
        }
        fs::write(&path, good).unwrap();
        fs::write(&pack_path, [0; 93]).unwrap();
        assert!(!Index::default().load(&path, &pack_path, 1, 93).unwrap(), "another pack of that length");
    }
}
