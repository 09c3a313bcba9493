//! What stands before the record: outside for everybody, inside for who opens it.

use std::collections::BTreeMap;

use aceso_types::Digest;
use serde::{Deserialize, Serialize};

use crate::SealError;

/// How a sealed file begins.
const MAGIC: &[u8; 7] = b"aceso\0s";
const VERSION: u8 = 1;
/// Magic, version, length.
const FRAME: usize = 7 + 1 + 2;
/// Most bytes of a header's map.
const HEADER_MAX: usize = 1024;
/// Most bytes of the map inside.
const INNER_MAX: usize = 64 << 10;

/// The public header. Nothing in it tells what was sealed, or of whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The address that registers it: another one's registration of the same bytes does not hold.
    pub owner: String,
    /// 32 random bytes: the file's key follows from the study's by them.
    pub salt: Digest,
    /// Of the file's key.
    pub commitment: Digest,
}

/// What stands inside, before the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inner {
    /// What the record is: a media type, such as `application/dicom` or `application/fhir+json`.
    pub media: String,
    /// Bytes of the record.
    pub length: u64,
    /// Whether it is compressed (RFC 1951).
    pub deflated: bool,
    /// What its owner wants to find it by.
    pub tags: BTreeMap<String, String>,
}

impl Header {
    /// The bytes that a sealed file begins with: magic, version, length, dag-cbor.
    ///
    /// # Errors
    /// [`SealError::Long`].
    pub fn encode(&self) -> Result<Vec<u8>, SealError> {
        let map = encode(self, "the header", HEADER_MAX)?;
        let length = u16::try_from(map.len()).unwrap_or(u16::MAX).to_be_bytes();
        Ok([&MAGIC[..], &[VERSION], &length, &map].concat())
    }

    /// Reads the header that a file begins with, and how many bytes it has.
    ///
    /// # Errors
    /// [`SealError::Header`], [`SealError::Version`], [`SealError::Long`].
    pub fn decode(file: &[u8]) -> Result<(Self, usize), SealError> {
        let (frame, rest) = file.split_at_checked(FRAME).ok_or(SealError::Header("it is too short"))?;
        let [magic @ .., version, high, low] = frame else { return Err(SealError::Header("it is too short")) };
        if magic != MAGIC {
            return Err(SealError::Header("it does not begin as one"));
        }
        if *version != VERSION {
            return Err(SealError::Version(*version));
        }
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if length > HEADER_MAX {
            return Err(SealError::Long { what: "the header", got: length, most: HEADER_MAX });
        }
        let map = rest.get(..length).ok_or(SealError::Header("it ends within its header"))?;
        let header: Self =
            serde_ipld_dagcbor::from_slice(map).map_err(|_| SealError::Header("its header is malformed"))?;
        // One spelling: a header that could be written otherwise would be another file with the same meaning.
        if header.encode()? != file[..FRAME + length] {
            return Err(SealError::Header("its header has another spelling"));
        }
        Ok((header, FRAME + length))
    }
}

impl Inner {
    /// Length and dag-cbor.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, SealError> {
        let map = encode(self, "what stands inside", INNER_MAX)?;
        let length = u32::try_from(map.len()).unwrap_or(u32::MAX).to_be_bytes();
        Ok([&length[..], &map].concat())
    }

    /// Reads it from the beginning of the opened bytes; answers how many it took.
    pub(crate) fn decode(bytes: &[u8]) -> Result<(Self, usize), SealError> {
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or(SealError::Inner("there is nothing in it"))?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > INNER_MAX {
            return Err(SealError::Long { what: "what stands inside", got: length, most: INNER_MAX });
        }
        let map = rest.get(..length).ok_or(SealError::Inner("it ends early"))?;
        let inner = serde_ipld_dagcbor::from_slice(map).map_err(|_| SealError::Inner("its map is malformed"))?;
        Ok((inner, 4 + length))
    }
}

fn encode(value: &impl Serialize, what: &'static str, most: usize) -> Result<Vec<u8>, SealError> {
    let map = serde_ipld_dagcbor::to_vec(value).map_err(|_| SealError::Inner("it does not encode"))?;
    if map.len() > most { Err(SealError::Long { what, got: map.len(), most }) } else { Ok(map) }
}
