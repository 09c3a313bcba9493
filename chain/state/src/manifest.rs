//! What a snapshot says of itself before a byte of it is loaded.
//!
//! The roots are checked against the app hash, the digests then say of each chunk whether its sender altered it. The
//! manifest is a pure function of the state at a height and of the size of chunks: every node offers the same one.

use std::collections::BTreeMap;

use prost::Message as _;
use sha2::{Digest as _, Sha256};

use crate::update::Write;

/// Bytes of a chunk's contents; CometBFT carries chunks of up to 16 MB.
pub const CHUNK_BYTES: u32 = 8 << 20;

/// Bytes of a chunk with what surrounds its contents: one key that still fitted, the branches right of each part.
pub const CHUNK_MAX: usize = CHUNK_BYTES as usize + (2 << 20);

/// Most chunks of a snapshot. Their digests have 2 MiB, half of what CometBFT carries beside a snapshot's hash.
pub const CHUNKS_MAX: usize = 1 << 16;

/// Most bytes of a manifest.
pub const MANIFEST_MAX: usize = 32 * CHUNKS_MAX + (64 << 10);

/// Smallest size of chunks that a manifest may name.
const CHUNK_BYTES_MIN: u32 = 64;

/// A snapshot's height, roots and chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub(crate) height: u64,
    pub(crate) chunk_bytes: u32,
    /// Component names and their roots, in the order of the store.
    pub(crate) components: Vec<(String, [u8; 32])>,
    /// SHA-256 of every chunk.
    pub(crate) digests: Vec<[u8; 32]>,
}

/// Why bytes are no manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Longer than [`MANIFEST_MAX`].
    #[error("a manifest of {len} bytes, at most {max} are read")]
    Length {
        /// Its bytes.
        len: usize,
        /// The most that is read.
        max: usize,
    },
    /// Not the message that it should be.
    #[error("a manifest of {len} bytes does not decode")]
    Malformed {
        /// Its bytes.
        len: usize,
    },
    /// A member has a value that it cannot have.
    #[error("a manifest whose {field} cannot be {value}")]
    Field {
        /// The member.
        field: &'static str,
        /// Its value.
        value: u64,
    },
}

/// The manifest on the wire. No member repeats a message, so that nothing larger than the bytes themselves is made
/// of them.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Wire {
    #[prost(uint64, tag = "1")]
    height: u64,
    #[prost(uint32, tag = "2")]
    chunk_bytes: u32,
    /// Names, separated by line feeds.
    #[prost(string, tag = "3")]
    components: String,
    /// 32 bytes each.
    #[prost(bytes = "vec", tag = "4")]
    roots: Vec<u8>,
    /// 32 bytes each.
    #[prost(bytes = "vec", tag = "5")]
    digests: Vec<u8>,
}

impl Manifest {
    /// The height whose state it is.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// How many chunks there are.
    pub fn chunks(&self) -> u32 {
        u32::try_from(self.digests.len()).unwrap_or(u32::MAX)
    }

    /// The bytes that go with an offer.
    pub fn encode(&self) -> Vec<u8> {
        let names: Vec<&str> = self.components.iter().map(|(name, _)| name.as_str()).collect();
        Wire {
            height: self.height,
            chunk_bytes: self.chunk_bytes,
            components: names.join("\n"),
            roots: self.components.iter().flat_map(|(_, root)| *root).collect(),
            digests: self.digests.concat(),
        }
        .encode_to_vec()
    }

    /// What a snapshot is called: SHA-256 of the manifest's bytes.
    pub fn hash(bytes: &[u8]) -> [u8; 32] {
        Sha256::digest(bytes).into()
    }

    /// Reads a manifest that anybody may have written.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        let len = bytes.len();
        if len > MANIFEST_MAX {
            return Err(ManifestError::Length { len, max: MANIFEST_MAX });
        }
        let malformed = ManifestError::Malformed { len };
        let wire = Wire::decode(bytes).map_err(|_| malformed.clone())?;
        let field = |field, value| Err(ManifestError::Field { field, value });
        if wire.height == 0 || i64::try_from(wire.height).is_err() {
            return field("height", wire.height);
        }
        if !(CHUNK_BYTES_MIN..=CHUNK_BYTES).contains(&wire.chunk_bytes) {
            return field("size of chunks", wire.chunk_bytes.into());
        }
        let (Some(roots), Some(digests)) = (hashes(&wire.roots), hashes(&wire.digests)) else { return Err(malformed) };
        if digests.is_empty() || digests.len() > CHUNKS_MAX {
            return field("number of chunks", digests.len() as u64);
        }
        let names = wire.components.split('\n');
        if names.clone().count() != roots.len() {
            return field("number of roots", roots.len() as u64);
        }
        let components = names.map(str::to_owned).zip(roots).collect();
        Ok(Self { height: wire.height, chunk_bytes: wire.chunk_bytes, components, digests })
    }

    /// What the app tree holds under these roots.
    pub(crate) fn roots(&self) -> BTreeMap<&[u8], Write<'_>> {
        let write = |root| Write { value: Some(root), there: false };
        self.components.iter().map(|(name, root)| (name.as_bytes(), write(root.as_slice()))).collect()
    }
}

/// Bytes as hashes; none if they do not come out even.
pub(crate) fn hashes(bytes: &[u8]) -> Option<Vec<[u8; 32]>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    rest.is_empty().then(|| hashes.to_vec())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            height: 7,
            chunk_bytes: CHUNK_BYTES,
            components: vec![("bank".into(), [1; 32]), ("wasm".into(), [2; 32])],
            digests: vec![[3; 32], [4; 32], [5; 32]],
        }
    }

    /// The bytes are what nodes agree upon: another form is another format.
    #[test]
    fn bytes_do_not_change() {
        let bytes = manifest().encode();
        assert_eq!(Manifest::decode(&bytes).unwrap(), manifest());
        expect_test::expect!["cbb307b212068db29c6dd76a566d9cd8683fc5c5239d9ad61e2fd53990790d6e"]
            .assert_eq(&hex::encode(Manifest::hash(&bytes)));
    }

    #[test]
    fn each_bad_member_is_named() {
        let refused = |change: fn(&mut Manifest)| {
            let mut bad = manifest();
            change(&mut bad);
            Manifest::decode(&bad.encode()).unwrap_err().to_string()
        };
        assert_eq!(refused(|bad| bad.height = 0), "a manifest whose height cannot be 0");
        assert_eq!(refused(|bad| bad.height = 1 << 63), "a manifest whose height cannot be 9223372036854775808");
        assert_eq!(refused(|bad| bad.chunk_bytes = 63), "a manifest whose size of chunks cannot be 63");
        assert_eq!(refused(|bad| bad.chunk_bytes += 1), "a manifest whose size of chunks cannot be 8388609");
        assert_eq!(refused(|bad| bad.digests.clear()), "a manifest whose number of chunks cannot be 0");
        assert_eq!(
            refused(|bad| bad.digests = vec![[0; 32]; CHUNKS_MAX + 1]),
            "a manifest whose number of chunks cannot be 65537"
        );
        assert_eq!(
            refused(|bad| bad.components.first_mut().unwrap().0 = "a\nb".into()),
            "a manifest whose number of roots cannot be 2"
        );
        let mut bytes = manifest().encode();
        bytes.pop();
        assert_eq!(Manifest::decode(&bytes), Err(ManifestError::Malformed { len: bytes.len() }));
        assert!(matches!(Manifest::decode(&vec![0; MANIFEST_MAX + 1]), Err(ManifestError::Length { .. })));
    }
}
