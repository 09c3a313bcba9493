//! Opening: leaf by leaf in any order, the record in pieces, or the whole of it.

use aceso_verify::grant::ContentPoint;
use flate2::{Decompress, FlushDecompress, Status};
use zeroize::{Zeroize, Zeroizing};

use crate::{Header, Inner, LEAF, SealError, TAG, key::Chunks};

/// Bytes of the record that [`open`] asks for at once.
const PIECE: usize = 64 << 10;
/// What DEFLATE makes of a byte at most, rounded up.
const INFLATION: u64 = 1040;

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

/// Opens a file from its beginning, with one leaf in memory: hand it a leaf, read until nothing comes, hand it the next,
/// and [`Unsealer::finish`]. Each leaf is authentic, but that none was cut off is certain only then.
pub struct Unsealer {
    opener: Opener,
    next: u32,
    plain: Zeroizing<Vec<u8>>,
    at: usize,
    inner: Option<Inner>,
    inflate: Decompress,
    ended: bool,
    given: u64,
    most: u64,
}

impl Unsealer {
    /// Begins like [`Opener::new`]; a record of more than `most` bytes is refused once its length is known.
    ///
    /// # Errors
    /// Those of [`Opener::new`].
    pub fn new(content: &ContentPoint, first: &[u8], size: u64, most: u64) -> Result<Self, SealError> {
        let opener = Opener::new(content, first, size)?;
        let (plain, inflate) = (Zeroizing::default(), Decompress::new(false));
        Ok(Self { opener, next: 0, plain, at: 0, inner: None, inflate, ended: false, given: 0, most })
    }

    /// The public header.
    pub fn header(&self) -> &Header {
        &self.opener.header
    }

    /// What stands before the record, once the first leaf was opened.
    pub fn inner(&self) -> Option<&Inner> {
        self.inner.as_ref()
    }

    /// Opens the next leaf.
    ///
    /// # Errors
    /// Those of [`Opener::leaf`]; [`SealError::Unread`]; [`SealError::Inner`] and [`SealError::Record`] of the first.
    pub fn leaf(&mut self, leaf: &[u8]) -> Result<(), SealError> {
        if self.at < self.plain.len() {
            return Err(SealError::Unread(self.next - 1));
        }
        self.plain = Zeroizing::new(self.opener.leaf(self.next, leaf)?);
        self.at = 0;
        if self.next == 0 {
            // A first leaf that is full has room for the longest map, so none goes on in the second.
            let (inner, before) = Inner::decode(&self.plain)?;
            if inner.length > self.most {
                return Err(SealError::Record { got: inner.length, most: self.most });
            }
            (self.inner, self.at) = (Some(inner), before);
        }
        self.next += 1;
        Ok(())
    }

    /// Reads more of the record; 0 where the next leaf is wanted, or nothing follows.
    ///
    /// # Errors
    /// [`SealError::Inner`]: the record is longer than it says, or does not decompress.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize, SealError> {
        let Some(inner) = &self.inner else { return Ok(0) };
        let (length, deflated) = (inner.length, inner.deflated);
        let got = if deflated { self.inflated(out)? } else { self.copied(out) };
        self.given += got as u64;
        if self.given > length {
            out.zeroize();
            return Err(SealError::Inner("the record has another length"));
        }
        Ok(got)
    }

    /// Ends: all leaves were there, and the record is as long as it says.
    ///
    /// # Errors
    /// [`SealError::Leaf`] with the one that is missing; [`SealError::Unread`]; [`SealError::Inner`].
    pub fn finish(self) -> Result<(Header, Inner), SealError> {
        let Some(inner) = self.inner.filter(|_| self.next == self.opener.leaves) else {
            return Err(SealError::Leaf(self.next));
        };
        if self.at < self.plain.len() {
            return Err(SealError::Unread(self.next - 1));
        }
        if self.given != inner.length || self.ended != inner.deflated {
            return Err(SealError::Inner("the record has another length"));
        }
        Ok((self.opener.header, inner))
    }

    fn copied(&mut self, out: &mut [u8]) -> usize {
        let rest = &self.plain[self.at..];
        let taken = rest.len().min(out.len());
        out[..taken].copy_from_slice(&rest[..taken]);
        self.at += taken;
        taken
    }

    fn inflated(&mut self, out: &mut [u8]) -> Result<usize, SealError> {
        while !out.is_empty() {
            let rest = &self.plain[self.at..];
            if self.ended {
                return if rest.is_empty() { Ok(0) } else { Err(SealError::Inner("something follows the record")) };
            }
            // Without more input there may still be output.
            let (taken, made) = (self.inflate.total_in(), self.inflate.total_out());
            let malformed = SealError::Inner("the record does not decompress");
            let status = self.inflate.decompress(rest, out, FlushDecompress::None).map_err(|_| malformed.clone())?;
            let [taken, made] = [self.inflate.total_in() - taken, self.inflate.total_out() - made]
                .map(|count| usize::try_from(count).unwrap_or(usize::MAX));
            self.at = self.at.saturating_add(taken).min(self.plain.len());
            self.ended = status == Status::StreamEnd;
            if made > 0 {
                return Ok(made);
            }
            if taken == 0 && !self.ended {
                return if self.at == self.plain.len() { Ok(0) } else { Err(malformed) };
            }
        }
        Ok(0)
    }
}

/// Opens a whole file of at most `most` bytes of record: what stands inside, and the record. Nothing is handed out of a
/// file that was cut or changed.
///
/// # Errors
/// [`SealError`], by what is wrong.
pub fn open(content: &ContentPoint, file: &[u8], most: u64) -> Result<(Header, Inner, Vec<u8>), SealError> {
    let size = file.len() as u64;
    let mut unsealer = Unsealer::new(content, file, size, most)?;
    let mut record = Zeroizing::new(Vec::new());
    for leaf in file.chunks(LEAF) {
        unsealer.leaf(leaf)?;
        if let Some(inner) = unsealer.inner().filter(|_| record.is_empty()) {
            // What its maker claims is believed as far as the file can hold it.
            let room = inner.length.min(if inner.deflated { size.saturating_mul(INFLATION) } else { size });
            record.reserve_exact(usize::try_from(room).unwrap_or_default());
        }
        loop {
            let at = record.len();
            record.resize(at + PIECE, 0);
            let got = unsealer.read(&mut record[at..])?;
            record.truncate(at + got);
            if got == 0 {
                break;
            }
        }
    }
    let (header, inner) = unsealer.finish()?;
    Ok((header, inner, core::mem::take(&mut record)))
}
