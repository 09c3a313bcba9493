//! Who may fetch which blob from this node.
//!
//! A registered blob that is no image, or an image without a guard, is public, and so is a sealed file that this node keeps
//! for its committees: nobody can read it. A guarded image needs a signed request:
//! the account that registered it, or one that the guard lets see it. Unregistered bytes are nobody's yet and are not
//! handed out but to nodes as below, since what becomes a guarded image must not have been public for a minute.
//!
//! A signed request carries three headers: `X-Aceso-Public-Key` (secp256k1, 33 bytes, base64), `X-Aceso-Expires` (Unix
//! seconds, at most an hour ahead) and `X-Aceso-Signature` (64 bytes `r ‖ s`, base64): ECDSA over the SHA-256 of
//! [`BlobId::fetch_bytes`]. It is good for one blob on one chain and says nothing about who sends it, so it goes over the wire
//! only where the wire is trusted. Nodes that execute blocks need the bytes as well: a validator signs with its
//! attestation key instead (`X-Aceso-Attester`, 48 bytes in base64, with `X-Aceso-Signature` of 96 bytes), and so does
//! a node that the operator has named (`blob_readers`). The guard is asked `{"may_view":{"image":…,"account":…}}` and answers
//! `{"may_view":true}` or false; a guard without that query lets nobody but the owner see.

use aceso_app::attest::check_request;
use aceso_types::{
    BlobId,
    query::{QueryBlob, QueryImage, QueryRecord, QueryResults},
};
use axum::http::{HeaderMap, StatusCode};
use base64::{Engine, engine::general_purpose::STANDARD};
use cosmos_sdk_proto::cosmwasm::wasm::v1::{QuerySmartContractStateRequest, QuerySmartContractStateResponse};
use k256::ecdsa::{Signature, VerifyingKey, signature::Verifier};
use serde::Deserialize;
use serde_json::json;
use tendermint::Time;

use crate::{
    abci::query::{Queries, QueryError},
    address::account,
    worker::chores::Pins,
};

/// A guard's answer.
#[derive(Deserialize)]
struct MayView {
    may_view: bool,
}

const SMART_QUERY: &str = "/cosmwasm.wasm.v1.Query/SmartContractState";
/// Headers of a signed request.
pub(crate) const KEY: &str = "x-aceso-public-key";
pub(crate) const ATTESTER: &str = "x-aceso-attester";
pub(crate) const EXPIRES: &str = "x-aceso-expires";
pub(crate) const SIGNATURE: &str = "x-aceso-signature";
/// The farthest ahead that a signed request may expire, in seconds.
const AHEAD_MAX: i64 = 3600;

/// Why a blob is not handed out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Denied {
    /// Nobody has registered it.
    #[error("blob {0} is not registered on this chain")]
    Unregistered(String),
    /// Its term is over, and the time for which nodes hold it on.
    #[error("the term of blob {0} is over since height {1}")]
    Expired(String, u64),
    /// It is a guarded image and nobody has signed.
    #[error(
        "image {image} is guarded by {guard}; sign the request (X-Aceso-Public-Key, X-Aceso-Expires, X-Aceso-Signature)"
    )]
    Guarded {
        /// The image.
        image: String,
        /// Its guard.
        guard: String,
    },
    /// A header is missing or does not decode.
    #[error("{header} {reason}")]
    Header {
        /// Which.
        header: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The signature is not the key's over this request.
    #[error("the signature does not fit the public key, this chain, this image and X-Aceso-Expires")]
    Signature,
    /// Signed by a node that is neither a validator nor known to the operator.
    #[error("{0} is no validator's attestation key and not among the blob_readers of this node")]
    Stranger(String),
    /// The guard says no.
    #[error("guard {guard} does not let {account} see image {image}")]
    Refused {
        /// The image.
        image: String,
        /// Its guard.
        guard: String,
        /// Who asked.
        account: String,
    },
    /// The application did not say.
    #[error(transparent)]
    Query(#[from] QueryError),
}

impl Denied {
    /// The HTTP status and the gRPC code.
    pub(crate) fn status(&self) -> (StatusCode, u32) {
        match self {
            Self::Unregistered(_) | Self::Expired(..) => (StatusCode::NOT_FOUND, 5),
            Self::Guarded { .. } | Self::Stranger(_) | Self::Refused { .. } => (StatusCode::FORBIDDEN, 7),
            Self::Header { .. } => (StatusCode::BAD_REQUEST, 3),
            Self::Signature => (StatusCode::UNAUTHORIZED, 16),
            Self::Query(_) => (StatusCode::INTERNAL_SERVER_ERROR, 13),
        }
    }
}

/// Whether a file is a sealed result whose term lasts, of a record that has not ended.
fn is_result(queries: &Queries, cid: &str) -> Result<bool, QueryError> {
    let question = QueryResults { operator: String::new(), cid: cid.into(), page: None };
    let row = queries.ask(&question)?.and_then(|rows| rows.rows.into_iter().next());
    let Some(row) = row else { return Ok(false) };
    let question = QueryRecord { record: row.record, ..QueryRecord::default() };
    Ok(queries.ask(&question)?.is_some_and(|record| record.retired == 0))
}

/// Whether a blob may be fetched with these headers.
pub(crate) fn check(
    queries: &Queries,
    chain_id: &str,
    prefix: &str,
    readers: &[[u8; 48]],
    pins: &Pins,
    id: BlobId,
    headers: &HeaderMap,
) -> Result<(), Denied> {
    if pins.knows(&id) {
        return Ok(());
    }
    let cid = id.to_string();
    let now = Time::now().unix_timestamp();
    let by_node = || {
        let key = attester(chain_id, id, headers, now)?;
        let known = readers.contains(&key) || queries.is_attester(&key);
        if known { Ok(()) } else { Err(Denied::Stranger(STANDARD.encode(key))) }
    };
    let blob = match queries.ask(&QueryBlob { cid: cid.clone() })? {
        Some(blob) => blob,
        // What only who holds a key can open anybody may have, who knows from an outcome what it is called.
        None if is_result(queries, &cid)? => return Ok(()),
        // A sealed file is registered by its record, which is not found by the file alone.
        None if headers.contains_key(ATTESTER) => return by_node(),
        None => return Err(Denied::Unregistered(cid)),
    };
    if !blob.held {
        return Err(Denied::Expired(cid, blob.expires));
    }
    let Some(image) = queries.ask(&QueryImage { cid: cid.clone() })?.filter(|image| !image.guard.is_empty()) else {
        return Ok(());
    };
    if headers.contains_key(ATTESTER) {
        return by_node();
    }
    let signer = signer(chain_id, prefix, id, &image.guard, headers, now)?;
    if signer == image.owner || may_view(queries, &image.guard, &cid, &signer) {
        Ok(())
    } else {
        Err(Denied::Refused { image: cid, guard: image.guard, account: signer })
    }
}

/// The account that signed the request.
fn signer(
    chain_id: &str,
    prefix: &str,
    id: BlobId,
    guard: &str,
    headers: &HeaderMap,
    now: i64,
) -> Result<String, Denied> {
    if !headers.contains_key(SIGNATURE) {
        return Err(Denied::Guarded { image: id.to_string(), guard: guard.into() });
    }
    let expires = expires(headers, now)?;
    let key = bytes(headers, KEY)?;
    let verifying = VerifyingKey::from_sec1_bytes(&key)
        .ok()
        .filter(|_| key.len() == 33)
        .ok_or(wrong(KEY, "is not a compressed secp256k1 key of 33 bytes"))?;
    let signature =
        Signature::from_slice(&bytes(headers, SIGNATURE)?).map_err(|_| wrong(SIGNATURE, "is not 64 bytes r ‖ s"))?;
    let signature = signature.normalize_s().unwrap_or(signature);
    let signed = id.fetch_bytes(chain_id, expires);
    verifying.verify(&signed.0, &signature).map_err(|_| Denied::Signature)?;
    account(&key, prefix).ok_or(wrong(KEY, "has no address on this chain"))
}

/// The attestation key that signed the request.
fn attester(chain_id: &str, id: BlobId, headers: &HeaderMap, now: i64) -> Result<[u8; 48], Denied> {
    let expires = expires(headers, now)?;
    let key = bytes(headers, ATTESTER)?;
    let key: [u8; 48] = key.try_into().map_err(|_| wrong(ATTESTER, "is not a BLS12-381 key of 48 bytes"))?;
    let request = id.fetch_bytes(chain_id, expires);
    check_request(&key, &request, &bytes(headers, SIGNATURE)?).map_err(|_| Denied::Signature)?;
    Ok(key)
}

fn wrong(header: &'static str, reason: &'static str) -> Denied {
    Denied::Header { header, reason }
}

fn text<'a>(headers: &'a HeaderMap, header: &'static str) -> Result<&'a str, Denied> {
    headers.get(header).and_then(|value| value.to_str().ok()).ok_or(wrong(header, "is missing"))
}

fn bytes(headers: &HeaderMap, header: &'static str) -> Result<Vec<u8>, Denied> {
    STANDARD.decode(text(headers, header)?).map_err(|_| wrong(header, "is not base64"))
}

fn expires(headers: &HeaderMap, now: i64) -> Result<u64, Denied> {
    let expires: u64 =
        text(headers, EXPIRES)?.parse().map_err(|_| wrong(EXPIRES, "is not a number of Unix seconds"))?;
    match i64::try_from(expires) {
        Ok(at) if at < now => Err(wrong(EXPIRES, "is over; sign anew")),
        Ok(at) if at <= now + AHEAD_MAX => Ok(expires),
        _ => Err(wrong(EXPIRES, "is more than an hour ahead")),
    }
}

/// Whether the guard lets an account see an image. A guard that does not answer lets nobody.
fn may_view(queries: &Queries, guard: &str, image: &str, account: &str) -> bool {
    let question = QuerySmartContractStateRequest {
        address: guard.into(),
        query_data: json!({"may_view": {"image": image, "account": account}}).to_string().into_bytes(),
    };
    match queries.ask_path::<QuerySmartContractStateResponse>(SMART_QUERY, &question) {
        Ok(answer) => answer
            .and_then(|answer| serde_json::from_slice::<MayView>(&answer.data).ok())
            .is_some_and(|answer| answer.may_view),
        Err(e) => {
            tracing::debug!(guard, "may_view is not answered: {e}");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use k256::ecdsa::{SigningKey, signature::Signer};

    use super::*;

    const NOW: i64 = 1_000_000;

    fn headers(key: &SigningKey, chain: &str, id: BlobId, expires: u64) -> HeaderMap {
        let signature: Signature = key.sign(&id.fetch_bytes(chain, expires).0);
        let mut headers = HeaderMap::new();
        let mut put = |name, value: String| headers.insert(name, HeaderValue::from_str(&value).unwrap());
        put("x-aceso-public-key", STANDARD.encode(key.verifying_key().to_encoded_point(true).as_bytes()));
        put("x-aceso-expires", expires.to_string());
        put("x-aceso-signature", STANDARD.encode(signature.to_bytes()));
        headers
    }

    fn check(headers: &HeaderMap, id: BlobId) -> Result<String, Denied> {
        signer("chain-1", "aceso", id, "aceso1guard", headers, NOW)
    }

    #[test]
    fn only_this_request_is_signed() {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let (id, other) = (BlobId::of_raw(b"x"), BlobId::of_raw(b"y"));
        let good = headers(&key, "chain-1", id, 1_000_060);
        assert!(check(&good, id).unwrap().starts_with("aceso1"));
        assert!(matches!(check(&good, other), Err(Denied::Signature)));
        assert!(matches!(check(&headers(&key, "chain-2", id, 1_000_060), id), Err(Denied::Signature)));
        let mut later = good.clone();
        later.insert("x-aceso-expires", HeaderValue::from_static("1000061"));
        assert!(matches!(check(&later, id), Err(Denied::Signature)));
        let mut foreign = good.clone();
        let stranger = SigningKey::from_slice(&[8; 32]).unwrap();
        let point = STANDARD.encode(stranger.verifying_key().to_encoded_point(true).as_bytes());
        foreign.insert("x-aceso-public-key", HeaderValue::from_str(&point).unwrap());
        assert!(matches!(check(&foreign, id), Err(Denied::Signature)));
    }

    #[test]
    fn nodes_sign_with_their_attestation_keys() {
        let key = aceso_app::attest::AttestKey::generate(&[7; 32]).unwrap();
        let (id, other) = (BlobId::of_raw(b"x"), BlobId::of_raw(b"y"));
        let mut headers = HeaderMap::new();
        let mut put = |name, value: String| headers.insert(name, HeaderValue::from_str(&value).unwrap());
        put(ATTESTER, STANDARD.encode(key.public()));
        put(EXPIRES, "1000060".into());
        put(SIGNATURE, STANDARD.encode(key.sign_request(&id.fetch_bytes("chain-1", 1_000_060))));
        assert_eq!(attester("chain-1", id, &headers, NOW).unwrap(), key.public());
        assert!(matches!(attester("chain-1", other, &headers, NOW), Err(Denied::Signature)));
        assert!(matches!(attester("chain-2", id, &headers, NOW), Err(Denied::Signature)));
        assert!(matches!(attester("chain-1", id, &headers, NOW + 61), Err(Denied::Header { .. })));
        headers.insert(ATTESTER, HeaderValue::from_static("AAAA"));
        assert!(matches!(attester("chain-1", id, &headers, NOW), Err(Denied::Header { header: ATTESTER, .. })));
    }

    #[test]
    fn each_wrong_header_is_named() {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let id = BlobId::of_raw(b"x");
        assert!(matches!(check(&HeaderMap::new(), id), Err(Denied::Guarded { .. })));
        for expires in [999_999, 1_003_601, u64::MAX] {
            let denied = check(&headers(&key, "chain-1", id, expires), id).unwrap_err();
            assert!(denied.to_string().starts_with("x-aceso-expires"), "{denied}");
        }
        for (name, value) in [
            ("x-aceso-public-key", "AAAA"),
            ("x-aceso-public-key", "?"),
            ("x-aceso-signature", "AAAA"),
            ("x-aceso-signature", "?"),
            ("x-aceso-expires", "soon"),
        ] {
            let mut wrong = headers(&key, "chain-1", id, 1_000_060);
            wrong.insert(name, HeaderValue::from_static(value));
            assert!(check(&wrong, id).unwrap_err().to_string().starts_with(name), "{name}: {value}");
        }
    }
}
