//! Bytes as a byte string of dag-cbor, where serde would write a list of numbers; in JSON lower-case hexadecimal.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Deserializer, Serializer, de};

/// Writes a byte string.
pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        serializer.serialize_str(&hex::encode(bytes))
    } else {
        serializer.serialize_bytes(bytes)
    }
}

/// Reads a byte string.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    struct Visitor;

    impl de::Visitor<'_> for Visitor {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.write_str("a byte string")
        }

        fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.into())
        }
    }
    if !deserializer.is_human_readable() {
        return deserializer.deserialize_bytes(Visitor);
    }
    let text = String::deserialize(deserializer)?;
    let bytes = hex::decode(&text).map_err(de::Error::custom)?;
    // One spelling each, as everywhere.
    if hex::encode(&bytes) == text { Ok(bytes) } else { Err(de::Error::custom("hexadecimal in lower case is wanted")) }
}
