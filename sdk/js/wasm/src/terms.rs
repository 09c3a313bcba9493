//! What messages about sealed records say in digests and dag-cbor: terms, names, contexts, jobs.

use aceso_types::{
    Digest,
    sealed::{Outcome, Statement, Terms, reader_context, recipients_digest, record_name, source_digest},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Answer,
    grants::{decimal, sized},
    records::read,
};

type Result = std::result::Result<Answer, String>;

/// A reader's key in an epoch; numbers as text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reader {
    chain_id: String,
    account: String,
    #[serde(deserialize_with = "decimal")]
    epoch: u64,
    #[serde(deserialize_with = "decimal")]
    expires: u64,
}

/// For whom something is wrapped; the epoch as text, the key in hex.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipient {
    account: String,
    #[serde(deserialize_with = "decimal")]
    epoch: u64,
    key: String,
}

/// Terms in JSON and the second at which the grant ends (u64, big-endian) → their digest, and the terms in dag-cbor.
pub(crate) fn of(json: &[u8], expires: &[u8]) -> Result {
    let terms: Terms = read(json, "terms")?;
    let bytes = terms.encode();
    Terms::decode(&bytes).map_err(|e| e.to_string())?;
    let expires = sized(expires, "a time").map_err(|_| "a time has 8 bytes".to_owned())?;
    Answer::with(&json!({"digest": terms.digest(u64::from_be_bytes(*expires))}), bytes)
}

/// Terms in dag-cbor → JSON.
pub(crate) fn shown(terms: &[u8]) -> Result {
    Answer::json(&Terms::decode(terms).map_err(|e| e.to_string())?)
}

/// A job's outcome in dag-cbor → JSON.
pub(crate) fn outcome(outcome: &[u8]) -> Result {
    Answer::json(&Outcome::decode(outcome).map_err(|e| e.to_string())?)
}

/// A job as its members sign it, in dag-cbor → JSON.
pub(crate) fn statement(statement: &[u8]) -> Result {
    Answer::json(&Statement::decode(statement).map_err(|e| e.to_string())?)
}

/// CIDs as a list in JSON → the record's name.
pub(crate) fn name(cids: &[u8]) -> Result {
    let cids: Vec<String> = read(cids, "list of CIDs")?;
    Answer::json(&record_name(&cids))
}

/// What is wrapped from → its digest.
pub(crate) fn source(bytes: &[u8]) -> Result {
    Ok(Answer::bytes(source_digest(bytes).0))
}

/// Recipients as a list in JSON → the committee's digest.
pub(crate) fn recipients(json: &[u8]) -> Result {
    let all: Vec<Recipient> = read(json, "list of recipients")?;
    let keys: Vec<Vec<u8>> = all
        .iter()
        .map(|one| hex::decode(&one.key).map_err(|e| format!("the key of {} is not hex: {e}", one.account)))
        .collect::<std::result::Result<_, _>>()?;
    let rows = all.iter().zip(&keys).map(|(one, key)| (one.account.as_str(), one.epoch, key.as_slice()));
    Ok(Answer::bytes(recipients_digest(rows).0))
}

/// Whose key it is → what its proof of possession is about.
pub(crate) fn reader(json: &[u8]) -> Result {
    let Reader { chain_id, account, epoch, expires } = read(json, "reader")?;
    let Digest(context) = reader_context(&chain_id, &account, epoch, expires);
    Ok(Answer::bytes(context))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> serde_json::Value {
        json!({
            "version": 1, "salt": "09".repeat(32), "actors": ["aceso1doctor"], "anybody": false, "via": [],
            "purposes": ["TREAT"], "models": [], "not_before": 0, "uses": 3, "open": true, "sealed": false,
            "findings": [], "bits": 0, "rewrap": false, "emergency": false,
        })
    }

    #[test]
    fn terms_come_back() {
        let written: Terms = serde_json::from_value(terms()).unwrap();
        let answer = of(terms().to_string().as_bytes(), &9_u64.to_be_bytes()).unwrap();
        assert_eq!(answer, Answer::with(&json!({"digest": written.digest(9)}), written.encode()).unwrap());
        assert_eq!(shown(&written.encode()).unwrap(), Answer::json(&written).unwrap());
        let mut nothing = terms();
        nothing["uses"] = json!(0);
        let refused = of(nothing.to_string().as_bytes(), &[0; 8]).unwrap_err();
        expect_test::expect!["purposes: who may ask needs a purpose and a use"].assert_eq(&refused);
        assert!(of(terms().to_string().as_bytes(), &[0; 7]).is_err() && shown(b"x").is_err());
        assert!(outcome(b"x").is_err() && statement(b"x").is_err());
    }

    #[test]
    fn names_and_contexts_are_the_chain_s() {
        assert_eq!(name(br#"["bafy"]"#).unwrap(), Answer::json(&"bafy").unwrap());
        let several = ["a".to_owned(), "b".to_owned()];
        assert_eq!(name(br#"["a","b"]"#).unwrap(), Answer::json(&record_name(&several)).unwrap());
        assert_eq!(source(b"x").unwrap(), Answer::bytes(source_digest(b"x").0));
        let key = hex::encode([7; 48]);
        let list = json!([{"account": "a", "epoch": "18446744073709551615", "key": key}]).to_string();
        let digest = recipients_digest([("a", u64::MAX, &[7; 48][..])]);
        assert_eq!(recipients(list.as_bytes()).unwrap(), Answer::bytes(digest.0));
        let who = br#"{"chain_id":"c","account":"a","epoch":"1","expires":"2"}"#;
        assert_eq!(reader(who).unwrap(), Answer::bytes(reader_context("c", "a", 1, 2).0));
        assert!(recipients(br#"[{"account":"a","epoch":"1","key":"zz"}]"#).is_err() && reader(b"{}").is_err());
    }
}
