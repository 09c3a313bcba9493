//! Bytes to store, and a way to look at the files of a store.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use aceso_blobs::{BlobStore, Options};

/// `size` bytes that differ from those of every other seed, and no leaf of them twice: splitmix64.
pub(crate) struct Stream {
    seed: u64,
    at: u64,
    size: u64,
}

impl Stream {
    pub(crate) fn new(seed: u64, size: u64) -> Self {
        Self { seed: seed.wrapping_mul(0x2545_f491_4f6c_dd1d), at: 0, size }
    }
}

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < out.len() && self.at < self.size {
            let mut word = self.seed.wrapping_add((self.at / 8 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let word = (word ^ (word >> 31)).to_le_bytes();
            let left = usize::try_from(self.size - self.at).unwrap_or(usize::MAX);
            let part = &word[usize::try_from(self.at % 8).unwrap()..];
            let n = part.len().min(left).min(out.len() - done);
            out[done..done + n].copy_from_slice(&part[..n]);
            self.at += n as u64;
            done += n;
        }
        Ok(done)
    }
}

/// The bytes of a stream at once.
pub(crate) fn bytes(seed: u64, size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size);
    Stream::new(seed, size as u64).read_to_end(&mut bytes).unwrap();
    bytes
}

/// A store whose packs are closed after one and a half mebibytes, so that a few blobs make several.
pub(crate) fn open(dir: &Path) -> BlobStore {
    let mut options = Options::default();
    options.pack_bytes = 3 << 19;
    BlobStore::open(dir, options).unwrap()
}

/// The packs by number.
pub(crate) fn packs(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir.join("packs")).unwrap().map(|entry| entry.unwrap().path());
    let mut packs: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "pack")).collect();
    packs.sort();
    packs
}
