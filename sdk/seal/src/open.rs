//! Opening: leaf by leaf in any order, or the whole record.

use std::io::{self, Read};

use aceso_verify::grant::ContentPoint;
use flate2::read::DeflateDecoder;
use zeroize::Zeroize;

use crate::{Header, Inner, LEAF, SealError, TAG, key::Chunks};

/// Opens leaves of one file, in any order.
pub struct Opener {
    chunks: Chunks,
    header: Header,
    before: usize,
    size: u64,
    leaves: u32,
}

impl Opener {
    /// An opener of a file of `size` bytes that begins with `first`, its first leaf or as much of it as the header takes.
    ///
    /// # Errors
    /// [`SealError::Key`] where K is another one; others, if it is no sealed file.
    pub fn new(content: &ContentPoint, first: &[u8], size: u64) -> Result<Self, SealError> {
        let (header, before) = Header::decode(first)?;
        let leaves = u32::try_from(size.div_ceil(LEAF as u64)).map_err(|_| SealError::Large { most: u32::MAX })?;
        let chunks = Chunks::new(content, &header, &first[..before])?;
        Ok(Self { chunks, header, before, size, leaves })
    }

    /// The public header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How many leaves there are.
    pub fn leaves(&self) -> u32 {
        self.leaves
    }

    /// Opens a leaf: what was sealed in it.
    ///
    /// # Errors
    /// [`SealError::Range`]; [`SealError::Leaf`] if it is not the one that was sealed at this place of a file of this
    /// size.
    pub fn leaf(&self, number: u32, leaf: &[u8]) -> Result<Vec<u8>, SealError> {
        if number >= self.leaves {
            return Err(SealError::Range { wanted: number, leaves: self.leaves });
        }
        let last = number + 1 == self.leaves;
        let whole = self.size - u64::from(number) * LEAF as u64;
        let before = if number == 0 { self.before } else { 0 };
        let wrong = SealError::Leaf(number);
        if leaf.len() as u64 != whole.min(LEAF as u64) {
            return Err(wrong);
        }
        let (chunk, tag) = leaf.get(before..).and_then(|rest| rest.split_last_chunk::<TAG>()).ok_or(wrong)?;
        let mut plain = chunk.to_vec();
        self.chunks.open(number, last, &mut plain, tag)?;
        Ok(plain)
    }
}

/// Opens a whole file of at most `most` bytes of record: what stands inside, and the record. Nothing is handed out of a
/// file that was cut or changed.
///
/// # Errors
/// [`SealError`], by what is wrong.
pub fn open(content: &ContentPoint, file: &[u8], most: u64) -> Result<(Header, Inner, Vec<u8>), SealError> {
    let opener = Opener::new(content, file, file.len() as u64)?;
    let mut sealed = Vec::with_capacity(file.len());
    for (number, leaf) in (0..opener.leaves).zip(file.chunks(LEAF)) {
        let mut plain = opener.leaf(number, leaf)?;
        sealed.extend_from_slice(&plain);
        plain.zeroize();
    }
    let opened = record(&sealed, most);
    sealed.zeroize();
    opened.map(|(inner, record)| (opener.header, inner, record))
}

fn record(sealed: &[u8], most: u64) -> Result<(Inner, Vec<u8>), SealError> {
    let (inner, before) = Inner::decode(sealed)?;
    if inner.length > most {
        return Err(SealError::Record { got: inner.length, most });
    }
    let rest = &sealed[before..];
    let mut record = Vec::new();
    if inner.deflated {
        // One byte more than it should have is enough to see that it has more.
        let mut inflated = DeflateDecoder::new(rest).take(inner.length.saturating_add(1));
        let read: io::Result<usize> = inflated.read_to_end(&mut record);
        read.map_err(|_| SealError::Inner("the record does not decompress"))?;
    } else {
        record.extend_from_slice(rest);
    }
    if record.len() as u64 != inner.length {
        record.zeroize();
        return Err(SealError::Inner("the record has another length"));
    }
    Ok((inner, record))
}
