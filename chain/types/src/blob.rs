//! Content identifiers of blobs: CIDv1, sha2-256, raw leaves or dag-pb roots.
//!
//! Source: the CID specification v1 and the UnixFS profile `unixfs-v1-2025`. A CID with another version, codec or
//! hash is refused by name rather than looked for in vain.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, str::FromStr};

use cid::{Cid, multihash::Multihash};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// Multicodec of raw bytes.
pub const RAW: u64 = 0x55;
/// Multicodec of a dag-pb node, here always a UnixFS file.
pub const DAG_PB: u64 = 0x70;
/// Multihash code of sha2-256.
pub const SHA2_256: u64 = 0x12;
/// Longest text that is looked at; a CIDv1 with sha2-256 in base32 has 59 characters.
const TEXT_MAX: usize = 128;

/// Why a CID is not one of a blob here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlobIdError {
    /// Not a CID at all.
    #[error("{0:?} is not a content identifier")]
    Malformed(String),
    /// CIDv0, or a version nobody has defined.
    #[error("content identifier {0} has version 0, and blobs are named by version 1")]
    Version(String),
    /// Neither raw nor dag-pb.
    #[error("content identifier {text} has codec {codec:#x}, and blobs are raw (0x55) or dag-pb (0x70)")]
    Codec {
        /// The identifier as given.
        text: String,
        /// Its codec.
        codec: u64,
    },
    /// Not sha2-256 with 32 bytes.
    #[error("content identifier {text} has hash {hash:#x}, and blobs are named by sha2-256 (0x12)")]
    Hash {
        /// The identifier as given.
        text: String,
        /// Its hash function.
        hash: u64,
    },
}

/// The CIDv1 of a blob.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(Cid);

impl BlobId {
    /// The identifier of a block of raw bytes.
    pub fn of_raw(bytes: &[u8]) -> Self {
        Self::wrap(RAW, Sha256::digest(bytes).into())
    }

    /// The 32 bytes that a request for this blob signs, where it is a guarded image (ECDSA over their SHA-256). It is
    /// good on one chain until `expires`, in Unix seconds.
    pub fn fetch_bytes(&self, chain_id: &str, expires: u64) -> crate::Digest {
        let parts: [&[u8]; 3] = [chain_id.as_bytes(), &self.to_string().into_bytes(), &expires.to_be_bytes()];
        crate::Digest::sha3("aceso/fetch/v1", &parts)
    }

    /// The identifier of an encoded dag-pb node.
    pub fn of_dag_pb(node: &[u8]) -> Self {
        Self::wrap(DAG_PB, Sha256::digest(node).into())
    }

    /// The identifier with this codec ([`RAW`] or [`DAG_PB`]) and sha2-256 digest.
    pub fn from_parts(codec: u64, sha256: [u8; 32]) -> Result<Self, BlobIdError> {
        Self::try_from(Self::wrap(codec, sha256).0)
    }

    /// [`RAW`] or [`DAG_PB`].
    pub fn codec(&self) -> u64 {
        self.0.codec()
    }

    /// The sha2-256 digest of the block it names.
    pub fn sha256(&self) -> [u8; 32] {
        let mut digest = [0; 32];
        digest.copy_from_slice(self.0.hash().digest());
        digest
    }

    /// The identifier of the IPLD library.
    pub fn as_cid(&self) -> &Cid {
        &self.0
    }

    /// The binary form of the CID, 36 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    fn wrap(codec: u64, sha256: [u8; 32]) -> Self {
        // Thirty-two bytes always fit into a multihash of sixty-four.
        let hash = Multihash::wrap(SHA2_256, &sha256).unwrap_or_default();
        Self(Cid::new_v1(codec, hash))
    }
}

impl TryFrom<Cid> for BlobId {
    type Error = BlobIdError;

    fn try_from(cid: Cid) -> Result<Self, BlobIdError> {
        let text = || format!("{cid}");
        if cid.version() != cid::Version::V1 {
            return Err(BlobIdError::Version(text()));
        }
        if cid.codec() != RAW && cid.codec() != DAG_PB {
            return Err(BlobIdError::Codec { text: text(), codec: cid.codec() });
        }
        if cid.hash().code() != SHA2_256 || cid.hash().digest().len() != 32 {
            return Err(BlobIdError::Hash { text: text(), hash: cid.hash().code() });
        }
        Ok(Self(cid))
    }
}

impl TryFrom<&[u8]> for BlobId {
    type Error = BlobIdError;

    fn try_from(bytes: &[u8]) -> Result<Self, BlobIdError> {
        let shown = &bytes[..bytes.len().min(TEXT_MAX / 2)];
        Cid::try_from(bytes).map_err(|_| BlobIdError::Malformed(hex::encode(shown))).and_then(Self::try_from)
    }
}

impl FromStr for BlobId {
    type Err = BlobIdError;

    fn from_str(text: &str) -> Result<Self, BlobIdError> {
        let malformed = || BlobIdError::Malformed(text.chars().take(TEXT_MAX).collect());
        if text.len() > TEXT_MAX {
            return Err(malformed());
        }
        Cid::from_str(text).map_err(|_| malformed()).and_then(Self::try_from)
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Text in JSON, an IPLD link (tag 42) in dag-cbor.
impl Serialize for BlobId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(&self.0) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for BlobId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
        } else {
            Cid::deserialize(deserializer).and_then(|cid| Self::try_from(cid).map_err(D::Error::custom))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_signs_does_not_change() {
        let id = BlobId::of_raw(b"hello world");
        let signed = id.fetch_bytes("chain-1", 1_000_000);
        expect_test::expect!["36270ea161f6139cf507db0a258b072642de05e5ffd3a31c16c139ddbd045760"]
            .assert_eq(&signed.to_string());
        assert_ne!(signed, id.fetch_bytes("chain-1", 1_000_001));
        assert_ne!(signed, id.fetch_bytes("chain-2", 1_000_000));
        assert_ne!(signed, BlobId::of_raw(b"hello").fetch_bytes("chain-1", 1_000_000));
    }

    #[test]
    fn a_known_identifier() {
        let id = BlobId::of_raw(b"hello world");
        assert_eq!(id.to_string(), "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(BlobId::try_from(&id.to_bytes()[..]), Ok(id));
        assert_eq!(BlobId::from_parts(RAW, id.sha256()), Ok(id));
        let cbor = serde_ipld_dagcbor::to_vec(&id).unwrap();
        assert_eq!(&cbor[..2], [0xd8, 42]);
        assert_eq!(serde_ipld_dagcbor::from_slice::<BlobId>(&cbor).unwrap(), id);
    }

    #[test]
    fn others_are_refused_by_name() {
        let v0 = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";
        assert!(matches!(v0.parse::<BlobId>(), Err(BlobIdError::Version(_))));
        assert!(matches!(BlobId::from_parts(0x71, [0; 32]), Err(BlobIdError::Codec { codec: 0x71, .. })));
        let sha512 = Cid::new_v1(RAW, Multihash::wrap(0x13, &[0; 64]).unwrap());
        assert!(matches!(BlobId::try_from(sha512), Err(BlobIdError::Hash { hash: 0x13, .. })));
        let short = Cid::new_v1(RAW, Multihash::wrap(SHA2_256, &[0; 20]).unwrap());
        assert!(matches!(BlobId::try_from(short), Err(BlobIdError::Hash { .. })));
        for text in ["", "b", "bafk", &"b".repeat(1000)] {
            assert!(matches!(text.parse::<BlobId>(), Err(BlobIdError::Malformed(_))), "{text}");
        }
    }
}
