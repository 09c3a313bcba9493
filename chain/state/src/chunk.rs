//! A chunk of a snapshot, byte by byte.
//!
//! ```text
//! chunk   00 · part+                                                entries, from one or more components
//!         01 · bytes                                                the next piece of a value longer than a chunk
//! part    component · record+ · 00 · depth · right                  all of one tree's entries that are in the chunk
//! record  length of key · key · length of value · value             or, if longer than a chunk, the value's hash
//! right   hash (32)*                                                branches right of the part's last entry
//! ```
//! Lengths are varints; a component is the byte of its tree. Entries come in the order of their keys' hashes, and
//! `right` has one hash for each zero among the first `depth` bits of the last one, the lowest branch first. A record
//! with a hash ends its chunk, and pieces follow until the value is complete. A chunk has at most [`RECORDS_MAX`]
//! records: what small ones become in memory is larger than they are.

use prost::encoding::{decode_varint, encode_varint};

use crate::branch::bit;
use crate::walk::Edge;

/// First byte of a chunk of entries.
pub(crate) const ENTRIES: u8 = 0;
/// First byte of a piece of a value.
pub(crate) const PIECE: u8 = 1;

/// Most records of a chunk. The rows that a small one becomes take some 250 bytes until they are written.
pub(crate) const RECORDS_MAX: usize = 1 << 16;

/// Appends what a record begins with.
pub(crate) fn put_record(key: &[u8], value_len: usize, chunk: &mut Vec<u8>) {
    encode_varint(key.len() as u64, chunk);
    chunk.extend_from_slice(key);
    encode_varint(value_len as u64, chunk);
}

/// Ends a part.
pub(crate) fn put_edge(edge: &Edge, chunk: &mut Vec<u8>) {
    chunk.extend_from_slice(&[0, edge.depth]);
    edge.right.iter().for_each(|hash| chunk.extend_from_slice(hash));
}

/// Takes a chunk apart from the front. Nothing is copied but hashes.
pub(crate) struct Scan<'a> {
    rest: &'a [u8],
    len: usize,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(chunk: &'a [u8]) -> Self {
        Self { rest: chunk, len: chunk.len() }
    }

    /// Bytes taken so far.
    pub(crate) fn at(&self) -> usize {
        self.len - self.rest.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// All that is left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        decode_varint(&mut self.rest).ok()
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(bytes)
    }

    pub(crate) fn hash(&mut self) -> Option<[u8; 32]> {
        self.bytes(32)?.try_into().ok()
    }

    /// What ends a part whose last entry has this key hash.
    pub(crate) fn edge(&mut self, key_hash: &[u8; 32]) -> Option<Edge> {
        let depth = self.byte()?;
        let zeros = (0..depth).filter(|at| !bit(key_hash, *at));
        let right = zeros.map(|_| self.hash()).collect::<Option<_>>()?;
        Some(Edge { depth, right })
    }
}
