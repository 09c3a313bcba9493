//! A patient's key store, as the record that is sealed: each change answers with the record that follows.

use aceso_seal::KeyStore;
use aceso_verify::grant::ContentPoint;
use serde_json::json;

use crate::{Answer, Refusal, grants::sized, records::text};

type Result = std::result::Result<Answer, Refusal>;

pub(crate) fn new(master: &[u8]) -> Result {
    record(&KeyStore::new(*sized(master, "a master secret")?))
}

pub(crate) fn list(record: &[u8]) -> Result {
    let store = KeyStore::decode(record)?;
    let images: Vec<&str> = store.images().collect();
    Ok(Answer::json(&json!({"version": store.version().to_string(), "images": images}))?)
}

pub(crate) fn add(record: &[u8], image: &[u8], nonce: &[u8]) -> Result {
    let mut store = KeyStore::decode(record)?;
    store.add(text(image, "image's name")?, *sized(nonce, "a nonce")?)?;
    self::record(&store)
}

pub(crate) fn erase(record: &[u8], image: &[u8]) -> Result {
    let mut store = KeyStore::decode(record)?;
    store.erase(text(image, "image's name")?)?;
    self::record(&store)
}

pub(crate) fn rename(record: &[u8], from: &[u8], to: &[u8]) -> Result {
    let mut store = KeyStore::decode(record)?;
    store.rename(text(from, "image's name")?, text(to, "image's name")?)?;
    self::record(&store)
}

pub(crate) fn key(record: &[u8], image: &[u8]) -> Result {
    let key = KeyStore::decode(record)?.key(text(image, "image's name")?)?;
    Ok(Answer::bytes(key.to_bytes()))
}

pub(crate) fn account(record: &[u8], image: &[u8]) -> Result {
    let secret = KeyStore::decode(record)?.account(text(image, "image's name")?)?;
    Ok(Answer::bytes(&secret[..]))
}

pub(crate) fn account_of(record: &[u8], nonce: &[u8]) -> Result {
    let secret = KeyStore::decode(record)?.account_of(sized(nonce, "a nonce")?);
    Ok(Answer::bytes(&secret[..]))
}

pub(crate) fn seal(record: &[u8], point: &[u8], owner: &[u8], salt: &[u8]) -> Result {
    let (store, content) = (KeyStore::decode(record)?, ContentPoint::from_bytes(point)?);
    Ok(Answer::bytes(store.seal(&content, text(owner, "owner")?, *sized(salt, "a salt")?)?))
}

pub(crate) fn open(file: &[u8], point: &[u8], least: &[u8]) -> Result {
    let least = u64::from_be_bytes(*sized(least, "a version")?);
    record(&KeyStore::open(&ContentPoint::from_bytes(point)?, file, least)?)
}

fn record(store: &KeyStore) -> Result {
    Ok(Answer::bytes(&store.encode()?[..]))
}
