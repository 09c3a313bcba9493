//! Sealing: bytes in, leaves out, with one leaf in memory.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
};

use aceso_types::Digest;
use aceso_verify::grant::ContentPoint;
use zeroize::Zeroizing;

use crate::{
    Header, Inner, LEAF, SealError, TAG,
    deflate::{self, PIECE},
    key::{Chunks, commitment},
    store::MEDIA,
};

/// Media types whose records are small already.
const COMPRESSED: [&str; 7] =
    ["image/jpeg", "image/png", "image/jp2", "application/pdf", "application/gzip", "application/zip", MEDIA];

/// Seals what is written into it, and writes leaves. Call [`Sealer::finish`]: what was not finished does not open.
pub struct Sealer<W> {
    chunks: Chunks,
    out: W,
    /// The leaf in progress: what stands before the chunk, then plain bytes.
    leaf: Zeroizing<Vec<u8>>,
    /// Bytes of the header, in the first leaf only.
    before: usize,
    number: u32,
}

impl<W: Write> Sealer<W> {
    /// Begins a file of `owner`'s: the header is written with the first leaf. `salt` has to be random.
    ///
    /// # Errors
    /// [`SealError::Long`].
    pub fn new(content: &ContentPoint, owner: &str, salt: [u8; 32], out: W) -> Result<Self, SealError> {
        let header = Header { owner: owner.into(), salt: Digest(salt), commitment: commitment(content, &salt) };
        let encoded = header.encode()?;
        let chunks = Chunks::new(content, &header, &encoded)?;
        let before = encoded.len();
        let mut leaf = Zeroizing::new(encoded);
        leaf.reserve_exact(LEAF - before);
        Ok(Self { chunks, out, leaf, before, number: 0 })
    }

    /// Writes the last leaf, and hands back what was written to.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.put(true)?;
        self.out.flush()?;
        Ok(self.out)
    }

    /// Seals the leaf in progress and begins the next.
    fn put(&mut self, last: bool) -> io::Result<()> {
        let tag = self.chunks.seal(self.number, last, &mut self.leaf[self.before..]).map_err(io::Error::other)?;
        self.leaf.extend(tag);
        self.out.write_all(&self.leaf)?;
        self.leaf.clear();
        self.before = 0;
        let next = self.number.checked_add(1).ok_or_else(|| io::Error::other(SealError::Large { most: u32::MAX }))?;
        self.number = next;
        Ok(())
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full leaf waits until there is more: the last one is sealed otherwise.
        if self.leaf.len() == LEAF - TAG && !bytes.is_empty() {
            self.put(false)?;
        }
        let taken = bytes.len().min(LEAF - TAG - self.leaf.len());
        self.leaf.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Seals one record that is written into it: what identifies it first, then the record, compressed where that helps.
pub struct RecordSealer<W: Write> {
    sealer: Sealer<W>,
    /// The piece in progress, if pieces are compressed.
    piece: Option<Zeroizing<Vec<u8>>>,
    /// Bytes of the record that are still to come.
    left: u64,
}

impl<W: Write> RecordSealer<W> {
    /// Begins the file of a record of `length` bytes: its media type, and what its owner wants to find it by.
    ///
    /// # Errors
    /// [`SealError`] within an [`io::Error`]; those of the writer.
    pub fn new(
        content: &ContentPoint,
        owner: &str,
        salt: [u8; 32],
        about: (&str, BTreeMap<String, String>),
        length: u64,
        out: W,
    ) -> io::Result<Self> {
        let (media, tags) = about;
        let deflated = !COMPRESSED.contains(&media);
        let inner = Inner { media: media.into(), length, deflated, tags };
        let mut sealer = Sealer::new(content, owner, salt, out).map_err(io::Error::other)?;
        sealer.write_all(&inner.encode().map_err(io::Error::other)?)?;
        if deflated && length == 0 {
            sealer.write_all(&deflate::piece(&[], true)?)?;
        }
        Ok(Self { sealer, piece: deflated.then(Zeroizing::default), left: length })
    }

    /// What is written to: whole leaves.
    pub fn out(&mut self) -> &mut W {
        &mut self.sealer.out
    }

    /// Writes the last leaf, and hands back what was written to.
    ///
    /// # Errors
    /// Those of the writer; a record that ended early.
    pub fn finish(self) -> io::Result<W> {
        if self.left > 0 {
            let missing = format!("the record ended {} bytes before its length", self.left);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, missing));
        }
        self.sealer.finish()
    }

    /// Reads all of a record that is compressed, several pieces at a time.
    fn read_from(&mut self, mut record: impl Read) -> io::Result<()> {
        let Self { sealer, left, .. } = self;
        deflate::side_by_side(&mut record, *left, |made, of| {
            *left = left.saturating_sub(of);
            sealer.write_all(made)
        })?;
        if *left == 0 && record.read(&mut [0])? > 0 {
            return Err(longer());
        }
        Ok(())
    }
}

impl<W: Write> Write for RecordSealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.left {
            return Err(longer());
        }
        if bytes.is_empty() {
            return Ok(0);
        }
        let Some(piece) = &mut self.piece else {
            let taken = self.sealer.write(bytes)?;
            self.left -= taken as u64;
            return Ok(taken);
        };
        if piece.is_empty() {
            // Once, so that no copy of it is left behind.
            piece.reserve_exact(PIECE);
        }
        let taken = bytes.len().min(PIECE - piece.len());
        piece.extend_from_slice(&bytes[..taken]);
        self.left -= taken as u64;
        if piece.len() == PIECE || self.left == 0 {
            self.sealer.write_all(&deflate::piece(piece, self.left == 0)?)?;
            piece.clear();
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn longer() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "more bytes came than the record's length")
}

/// Seals a whole record of `length` bytes with what identifies it. A long one is compressed by several threads, to the same
/// bytes as by one.
///
/// # Errors
/// Those of reader and writer; [`SealError`] within an [`io::Error`]; a record of another length.
pub fn seal<W: Write>(
    content: &ContentPoint,
    owner: &str,
    salt: [u8; 32],
    about: (&str, BTreeMap<String, String>),
    mut record: impl Read,
    length: u64,
    out: W,
) -> io::Result<W> {
    let mut sealer = RecordSealer::new(content, owner, salt, about, length, out)?;
    if sealer.piece.is_some() && length > PIECE as u64 {
        sealer.read_from(record)?;
    } else {
        io::copy(&mut record, &mut sealer)?;
    }
    sealer.finish()
}
