//! Records of the chain between dag-cbor and JSON, and the bytes that are signed.

use aceso_types::{BlobId, Manifest, Receipt, guest::Origin, journal};
use serde_json::json;

use crate::Answer;

/// Most bytes of JSON that are looked at.
const JSON_MAX: usize = 1 << 20;

/// A receipt, not proven.
pub(crate) fn receipt(bytes: &[u8]) -> Result<Answer, String> {
    Answer::json(&Receipt::decode(bytes).map_err(|e| e.to_string())?)
}

/// A manifest in dag-cbor, checked.
pub(crate) fn manifest(bytes: &[u8]) -> Result<Answer, String> {
    let manifest = Manifest::decode(bytes).map_err(|e| e.to_string())?;
    Answer::json(&json!({"id": manifest.id(), "manifest": manifest}))
}

/// A manifest in JSON, checked; answers with its id and its canonical dag-cbor.
pub(crate) fn manifest_of(json: &[u8]) -> Result<Answer, String> {
    let manifest: Manifest = read(json, "manifest")?;
    manifest.check().map_err(|e| e.to_string())?;
    Answer::with(&json!({"id": manifest.id()}), manifest.encode())
}

/// A line of the journal.
pub(crate) fn journal(bytes: &[u8]) -> Result<Answer, String> {
    let entry = journal::Entry::decode(bytes).ok_or("the journal's line does not decode")?;
    Answer::json(&entry)
}

/// What an institution signs for an image.
pub(crate) fn origin(origin: &[u8], chain_id: &[u8]) -> Result<Answer, String> {
    let origin: Origin = read(origin, "origin statement")?;
    Ok(Answer::bytes(origin.sign_bytes(text(chain_id, "chain id")?).0))
}

/// What a request for a guarded image signs; `expires` is big-endian.
pub(crate) fn fetch(chain_id: &[u8], image: &[u8], expires: &[u8]) -> Result<Answer, String> {
    let image: BlobId = text(image, "content identifier")?.parse().map_err(|e| format!("{e}"))?;
    let expires: [u8; 8] = expires.try_into().map_err(|_| format!("a time has 8 bytes, not {}", expires.len()))?;
    Ok(Answer::bytes(image.fetch_bytes(text(chain_id, "chain id")?, u64::from_be_bytes(expires)).0))
}

pub(crate) fn read<T: serde::de::DeserializeOwned>(json: &[u8], what: &str) -> Result<T, String> {
    if json.len() > JSON_MAX {
        return Err(format!("the {what} has {} bytes, and at most {JSON_MAX} are read", json.len()));
    }
    serde_json::from_slice(json).map_err(|e| format!("the {what} does not decode: {e}"))
}

pub(crate) fn text<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str, String> {
    std::str::from_utf8(bytes).map_err(|_| format!("the {what} is not text"))
}

#[cfg(test)]
mod tests {
    use aceso_types::Digest;

    use super::*;

    #[test]
    fn a_manifest_comes_back() {
        let json = include_bytes!("../../../../models/pneumonia/manifest.json");
        let written: Manifest = serde_json::from_slice(json).unwrap();
        let answer = manifest_of(json).unwrap();
        assert_eq!(answer, Answer::with(&json!({"id": written.id()}), written.encode()).unwrap());
        let back = manifest(&written.encode()).unwrap();
        assert_eq!(back, Answer::json(&json!({"id": written.id(), "manifest": written})).unwrap());
    }

    #[test]
    fn a_request_signs_chain_image_and_time() {
        let image = BlobId::of_raw(b"x").to_string();
        let signed = |chain: &[u8], time: u64| fetch(chain, image.as_bytes(), &time.to_be_bytes()).unwrap();
        assert_ne!(signed(b"a", 1), signed(b"b", 1));
        assert_ne!(signed(b"a", 1), signed(b"a", 2));
        expect_test::expect!["a time has 8 bytes, not 1"].assert_eq(&fetch(b"a", image.as_bytes(), b"1").unwrap_err());
        assert!(fetch(b"a", b"bafk", &[0; 8]).is_err());
    }

    #[test]
    fn an_origin_signs_what_rust_signs() {
        let statement = Origin {
            institution: "aceso1hospital".into(),
            pixels: Default::default(),
            study: Origin::study_of("1.2.3"),
            subject: Digest::default(),
        };
        let json = serde_json::to_vec(&statement).unwrap();
        assert_eq!(origin(&json, b"chain").unwrap(), Answer::bytes(statement.sign_bytes("chain").0));
        assert!(origin(b"{}", b"chain").unwrap_err().starts_with("the origin statement does not decode"));
    }

    #[test]
    fn other_bytes_are_sentences() {
        assert!(receipt(b"x").is_err() && manifest(b"x").is_err() && journal(b"x").is_err());
        assert!(manifest_of(&vec![b' '; JSON_MAX + 1]).unwrap_err().contains("at most 1048576"));
    }
}
