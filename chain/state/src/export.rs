//! Snapshots that other nodes restore: where their chunks begin, what each one hashes to, and the chunks themselves.
//!
//! Nothing of the state is copied to the disk. [`Snapshot::export`] walks all trees once and notes where each chunk
//! begins; [`Snapshot::chunk`] makes one of them again from the trees, as long as the height is in the window. A chunk
//! depends on nothing but the state and the place where it begins.

use prost::Message;
use sha2::{Digest as _, Sha256};

use crate::ahead::Ahead;
use crate::branch::leaf_hash;
use crate::chunk::{ENTRIES, PIECE, RECORDS_MAX, put_edge, put_record};
use crate::disk::Table;
use crate::error::StateError;
use crate::keys;
use crate::manifest::{CHUNKS_MAX, Manifest};
use crate::snapshot::Snapshot;
use crate::tree::SENTINEL_KEY;
use crate::walk::{Leaf, Walk, edge};

/// A snapshot's manifest, and where its chunks begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    manifest: Manifest,
    starts: Vec<Start>,
}

/// Where a chunk begins.
#[derive(Clone, PartialEq, Eq, Message)]
struct Start {
    /// The byte of the component's tree.
    #[prost(uint32, tag = "1")]
    tree: u32,
    /// The first entry's key hash, or a hash below it that no entry before has.
    #[prost(bytes = "vec", tag = "2")]
    from: Vec<u8>,
    /// Bytes of the entry's value that are in earlier pieces; none for a chunk of entries.
    #[prost(uint64, optional, tag = "3")]
    offset: Option<u64>,
}

/// An export in a file.
#[derive(Clone, PartialEq, Eq, Message)]
struct Wire {
    #[prost(bytes = "vec", tag = "1")]
    manifest: Vec<u8>,
    #[prost(message, repeated, tag = "2")]
    starts: Vec<Start>,
}

impl Export {
    /// What is offered.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Whether it has the height and the roots of this snapshot.
    pub fn is_of(&self, snapshot: &Snapshot) -> Result<bool, StateError> {
        let roots = roots(snapshot)?;
        Ok(self.manifest.height == snapshot.version() && self.manifest.components == roots)
    }

    /// The bytes of a file of this node's own.
    pub fn encode(&self) -> Vec<u8> {
        Wire { manifest: self.manifest.encode(), starts: self.starts.clone() }.encode_to_vec()
    }

    /// Reads such a file; none if it is damaged. What is wrong with it in other ways shows in the chunks.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let wire = Wire::decode(bytes).ok()?;
        let manifest = Manifest::decode(&wire.manifest).ok()?;
        (manifest.digests.len() == wire.starts.len()).then_some(Self { manifest, starts: wire.starts })
    }
}

impl Snapshot {
    /// Finds where the chunks of `chunk_bytes` bytes begin, and hashes them.
    ///
    /// Reads the whole state and holds one chunk and one value of it. None if `stop`, which is asked before each chunk,
    /// says so, or if there would be more than [`CHUNKS_MAX`] chunks. Fails at heights before the first commit.
    pub fn export(&self, chunk_bytes: u32, stop: &dyn Fn() -> bool) -> Result<Option<Export>, StateError> {
        let components = roots(self)?;
        let mut packer = Packer::new(self, chunk_bytes, Some(Place { tree: 1, from: [0; 32], offset: None }));
        let (mut starts, mut digests) = (Vec::new(), Vec::new());
        while let Some(place) = packer.place {
            if stop() || digests.len() == CHUNKS_MAX {
                return Ok(None);
            }
            let Some(chunk) = packer.next()? else { break };
            digests.push(Sha256::digest(&chunk).into());
            starts.push(Start { tree: place.tree.into(), from: place.from.to_vec(), offset: place.offset });
        }
        let manifest = Manifest { height: self.version(), chunk_bytes, components, digests };
        Ok(Some(Export { manifest, starts }))
    }

    /// Makes a chunk again; none if there is no such chunk.
    ///
    /// Fails if the store cannot be read, or gives other bytes than those that were hashed.
    pub fn chunk(&self, export: &Export, index: u32) -> Result<Option<Vec<u8>>, StateError> {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let (Some(start), Some(digest)) = (export.starts.get(index), export.manifest.digests.get(index)) else {
            return Ok(None);
        };
        let place = start.place().filter(|_| export.manifest.height == self.version());
        let chunk = Packer::new(self, export.manifest.chunk_bytes, place).next()?.unwrap_or_default();
        if <[u8; 32]>::from(Sha256::digest(&chunk)) == *digest {
            return Ok(Some(chunk));
        }
        Err(StateError::corrupt(format!("chunk {index} of the snapshot of height {} has changed", self.version())))
    }
}

impl Start {
    fn place(&self) -> Option<Place> {
        let from = self.from.as_slice().try_into().ok()?;
        Some(Place { tree: u8::try_from(self.tree).ok()?, from, offset: self.offset })
    }
}

/// See [`Start`].
#[derive(Clone, Copy)]
struct Place {
    tree: u8,
    from: [u8; 32],
    offset: Option<u64>,
}

/// Makes one chunk after the other.
struct Packer<'a> {
    snapshot: &'a Snapshot,
    chunk_bytes: usize,
    /// Where the next chunk begins.
    place: Option<Place>,
    /// The value that is being cut into pieces.
    long: Vec<u8>,
}

impl<'a> Packer<'a> {
    fn new(snapshot: &'a Snapshot, chunk_bytes: u32, place: Option<Place>) -> Self {
        Self { snapshot, chunk_bytes: usize::try_from(chunk_bytes).unwrap_or(usize::MAX), place, long: Vec::new() }
    }

    /// The next chunk; none behind the last entry.
    fn next(&mut self) -> Result<Option<Vec<u8>>, StateError> {
        match self.place {
            None => Ok(None),
            Some(Place { offset: Some(offset), tree, from }) => self.piece(tree, from, offset).map(Some),
            Some(place) => self.entries(place),
        }
    }

    fn entries(&mut self, Place { tree, mut from, .. }: Place) -> Result<Option<Vec<u8>>, StateError> {
        let (mut chunk, mut records) = (vec![ENTRIES], 0);
        for (tree, name) in (1..).zip(self.snapshot.names()).skip(usize::from(tree.saturating_sub(1))) {
            let walk = Walk::new(self.snapshot.view(), tree, self.snapshot.version(), from)?;
            from = [0; 32];
            let next = std::thread::scope(|scope| {
                self.part((tree, name), Ahead::start(scope, walk)?, &mut records, &mut chunk)
            })?;
            if next.is_some() {
                self.place = next;
                return Ok(Some(chunk));
            }
        }
        self.place = None;
        Ok((chunk.len() > 1).then_some(chunk))
    }

    /// Appends entries of one component until the chunk is full, and answers where the next one begins; none if all
    /// fitted.
    fn part(
        &mut self,
        (tree, name): (u8, &str),
        mut leaves: Ahead,
        records: &mut usize,
        chunk: &mut Vec<u8>,
    ) -> Result<Option<Place>, StateError> {
        let mut last = None;
        while let Some(leaf) = leaves.next()? {
            let value = self.value(tree, name, &leaf)?;
            let is_long = value.len() > self.chunk_bytes;
            let inline = if is_long { 32 } else { value.len() };
            // Two varints and the component take less than the sixteen bytes.
            let full = chunk.len() + leaf.key.len() + inline + 16 > self.chunk_bytes;
            if *records > 0 && (full || *records == RECORDS_MAX) {
                self.close(tree, last, chunk)?;
                return Ok(Some(Place { tree, from: leaf.key_hash, offset: None }));
            }
            if last.is_none() {
                chunk.push(tree);
            }
            put_record(&leaf.key, value.len(), chunk);
            *records += 1;
            last = Some(leaf.key_hash);
            if is_long {
                chunk.extend_from_slice(&Sha256::digest(&value));
                self.close(tree, last, chunk)?;
                self.long = value;
                return Ok(Some(Place { tree, from: leaf.key_hash, offset: Some(0) }));
            }
            chunk.extend_from_slice(&value);
        }
        self.close(tree, last, chunk)?;
        Ok(None)
    }

    /// Ends a part that has entries.
    fn close(&self, tree: u8, last: Option<[u8; 32]>, chunk: &mut Vec<u8>) -> Result<(), StateError> {
        if let Some(last) = last {
            put_edge(&edge(self.snapshot.view(), tree, self.snapshot.version(), &last)?, chunk);
        }
        Ok(())
    }

    fn piece(&mut self, tree: u8, from: [u8; 32], offset: u64) -> Result<Vec<u8>, StateError> {
        if self.long.is_empty() {
            let leaf = Walk::new(self.snapshot.view(), tree, self.snapshot.version(), from)?.next()?;
            let name = self.snapshot.names().get(usize::from(tree.saturating_sub(1))).copied().unwrap_or_default();
            let leaf = leaf.ok_or_else(|| StateError::corrupt("a snapshot's long value is gone"))?;
            self.long = self.value(tree, name, &leaf)?;
        }
        let begin = usize::try_from(offset).unwrap_or(usize::MAX).min(self.long.len());
        let end = begin.saturating_add(self.chunk_bytes).min(self.long.len());
        let mut chunk = Vec::with_capacity(1 + end - begin);
        chunk.push(PIECE);
        chunk.extend_from_slice(self.long.get(begin..end).unwrap_or_default());
        self.place = if end < self.long.len() {
            Some(Place { tree, from, offset: Some(end as u64) })
        } else {
            self.long = Vec::new();
            // A hash of ones has no next one; behind it the component is over.
            let next = after(&from).map(|from| Place { tree, from, offset: None });
            next.or_else(|| Some(Place { tree: tree.checked_add(1)?, from: [0; 32], offset: None }))
        };
        Ok(chunk)
    }

    fn value(&self, tree: u8, name: &str, leaf: &Leaf) -> Result<Vec<u8>, StateError> {
        if leaf.key == SENTINEL_KEY {
            return Ok(name.as_bytes().to_vec());
        }
        let is_it = |value: &Vec<u8>| leaf_hash(&leaf.key_hash, &Sha256::digest(value).into()) == leaf.hash;
        // Few values have changed since, and hashing one costs less than a look into the history.
        let latest = self.snapshot.view().get(Table::Latest, &keys::latest(tree, &leaf.key))?.filter(is_it);
        let value = match latest {
            Some(value) => Some(value),
            None => self.snapshot.value(tree, &leaf.key)?.filter(is_it),
        };
        value.ok_or_else(|| StateError::corrupt(format!("component {name} lacks the value of an entry in its tree")))
    }
}

/// All components with their roots.
fn roots(snapshot: &Snapshot) -> Result<Vec<(String, [u8; 32])>, StateError> {
    let names = snapshot.names().iter();
    names.map(|name| Ok(((*name).to_owned(), snapshot.component_root(name)?))).collect()
}

/// The next larger hash.
fn after(hash: &[u8; 32]) -> Option<[u8; 32]> {
    let mut next = *hash;
    for byte in next.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return Some(next);
        }
    }
    None
}
