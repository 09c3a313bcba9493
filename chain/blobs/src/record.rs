//! How one block lies in a pack.
//!
//! ```text
//! 0      4        8                                 40      44
//! | ABk1 | length | sha2-256 of the block          | check | the block …
//! ```
//!
//! Length is little-endian. The check is the first four bytes of the sha2-256 of the forty before it: it tells a header
//! from other bytes, so that a walk over a pack notices where it is lost. It is no proof against malice, nor need it be:
//! a block counts only for bytes that hash to its digest.

use sha2::{Digest as _, Sha256};

/// A sha2-256 digest, by which blocks are kept whatever their codec.
pub(crate) type Digest = [u8; 32];

/// First bytes of every record; the last one is the version of the format.
pub(crate) const MAGIC: [u8; 4] = *b"ABk1";
/// Bytes before the block.
pub(crate) const HEADER: usize = 44;
/// Largest block: a leaf of the profile.
pub(crate) const BLOCK_BYTES_MAX: u32 = 1 << 20;

/// What stands before a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) len: u32,
    pub(crate) digest: Digest,
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let (body, check) = bytes.split_at_mut(40);
        body[..4].copy_from_slice(&MAGIC);
        body[4..8].copy_from_slice(&self.len.to_le_bytes());
        body[8..].copy_from_slice(&self.digest);
        check.copy_from_slice(&Sha256::digest(&*body)[..4]);
        bytes
    }

    /// None for anything but a header.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (len, rest) = rest.split_first_chunk::<4>()?;
        let (digest, _) = rest.split_first_chunk::<32>()?;
        let header = Self { len: u32::from_le_bytes(*len), digest: *digest };
        let plausible = *magic == MAGIC && header.len <= BLOCK_BYTES_MAX;
        (plausible && bytes.get(..HEADER)? == header.encode()).then_some(header)
    }
}

/// Where a block lies: pack, offset of its header, length of the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Location {
    pub(crate) pack: u32,
    pub(crate) offset: u32,
    pub(crate) len: u32,
}

impl Location {
    /// Offset after the block.
    pub(crate) fn end(&self) -> u64 {
        u64::from(self.offset) + self.record_bytes()
    }

    /// Header and block.
    pub(crate) fn record_bytes(&self) -> u64 {
        HEADER as u64 + u64::from(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_no_change() {
        let header = Header { len: 513, digest: [7; 32] };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes), Some(header));
        assert_eq!(Header::decode(&bytes[..HEADER - 1]), None);
        for at in 0..HEADER {
            let mut other = bytes;
            other[at] ^= 1;
            assert_eq!(Header::decode(&other), None, "byte {at}");
        }
        let long = Header { len: BLOCK_BYTES_MAX + 1, digest: [7; 32] };
        assert_eq!(Header::decode(&long.encode()), None);
    }
}
