//! Names of things: heights, positions, digests.
//!
//! Every digest is 32 bytes and is written as 64 lower-case hexadecimal digits.

use alloc::string::String;
use core::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha3::{Digest as _, Sha3_256};

/// A block's height; 1 is the first block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Height(pub u64);

/// A transaction's position in its block, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TxIndex(pub u32);

/// A read's number on its chain; 1 is the first read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReadId(pub u64);

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ReadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text or a byte string is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// The text is not 64 lower-case hexadecimal digits.
    #[error("{0:?} is not a digest of 64 lower-case hexadecimal digits")]
    Text(String),
    /// The byte string has another length than 32.
    #[error("a digest has 32 bytes, not {0}")]
    Length(usize),
}

/// Thirty-two bytes that name something by its content.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// SHA3-256 over `domain ‖ 0x00 ‖ each part prefixed by its length as big-endian u64`.
    ///
    /// The domain keeps a digest of one kind from standing in for another, the lengths keep two lists of parts apart.
    pub fn sha3(domain: &str, parts: &[&[u8]]) -> Self {
        let mut hasher = Sha3_256::new();
        hasher.update(domain.as_bytes());
        hasher.update([0]);
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }
}

impl TryFrom<&[u8]> for Digest {
    type Error = DigestError;

    fn try_from(bytes: &[u8]) -> Result<Self, DigestError> {
        bytes.try_into().map(Self).map_err(|_| DigestError::Length(bytes.len()))
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let refused = || DigestError::Text(text.chars().take(80).collect());
        if text.len() != 64 || text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(refused());
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| refused())?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text in human-readable encodings (JSON), a byte string in binary ones (dag-cbor).
impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_bytes(&self.0) }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
        } else {
            deserializer.deserialize_bytes(ByteString)
        }
    }
}

/// Accepts a byte string of 32 bytes.
struct ByteString;

impl de::Visitor<'_> for ByteString {
    type Value = Digest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a byte string of 32 bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Digest, E> {
        Digest::try_from(bytes).map_err(E::custom)
    }
}

macro_rules! named_digest {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Digest);

        impl $name {
            /// The 32 bytes.
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = DigestError;

            fn from_str(text: &str) -> Result<Self, DigestError> {
                text.parse().map(Self)
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = DigestError;

            fn try_from(bytes: &[u8]) -> Result<Self, DigestError> {
                bytes.try_into().map(Self)
            }
        }
    };
}

named_digest! {
    /// A registered model: the digest of its manifest, which names the ONNX bytes, the pipeline and the meaning of
    /// the output. Two models with equal weights but another window are two models.
    ModelId
}

named_digest! {
    /// An image's identity for payment: SHA3-256 over its decoded, canonical pixels. Another wrapping of the same
    /// pixels has the same digest.
    PixelDigest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_come_back() {
        let digest = Digest::sha3("aceso/test", &[b"a", b"bc"]);
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(Digest::try_from(&digest.0[..]), Ok(digest));
        assert_eq!(serde_json::from_str::<Digest>(&serde_json::to_string(&digest).unwrap()).unwrap(), digest);
        let cbor = serde_ipld_dagcbor::to_vec(&digest).unwrap();
        assert_eq!((cbor.len(), serde_ipld_dagcbor::from_slice(&cbor).ok()), (34, Some(digest)));
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(Digest::sha3("d", &[b"ab", b"c"]), Digest::sha3("d", &[b"a", b"bc"]));
        assert_ne!(Digest::sha3("d", &[b"ab"]), Digest::sha3("e", &[b"ab"]));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "00", &"0".repeat(63), &"0".repeat(65), &"A".repeat(64), &"g".repeat(64)] {
            assert!(matches!(text.parse::<Digest>(), Err(DigestError::Text(_))), "{text}");
        }
        assert_eq!(Digest::try_from(&[0; 31][..]), Err(DigestError::Length(31)));
    }
}
