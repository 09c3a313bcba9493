//! Grants: points, keys, registrations, wraps, openings, possessions.

use aceso_types::Digest;
use aceso_verify::grant::{
    Ciphertext, ContentPoint, Entropy, Granted, Opened, Opening, Possession, PublicKey, Registered, Registration,
    SecretKey, Wrap,
};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use crate::{Answer, Refusal};

type Result = std::result::Result<Answer, Refusal>;

/// What a registration is about; digests in hex.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    chain_id: String,
    cid: String,
    owner: String,
    commitment: Digest,
}

/// What a wrap is about; digests and nonce in hex, numbers of 64 bits as text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AboutWrap {
    chain_id: String,
    version: u32,
    source: Digest,
    cid: String,
    owner: String,
    #[serde(deserialize_with = "decimal")]
    grant: u64,
    #[serde(deserialize_with = "nonce")]
    nonce: [u8; 16],
    #[serde(deserialize_with = "decimal")]
    epoch: u64,
    committee: Digest,
    terms: Digest,
}

/// What an opening is about; the job's number as text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AboutOpening {
    chain_id: String,
    #[serde(deserialize_with = "decimal")]
    job: u64,
}

pub(crate) fn point(entropy: &[u8]) -> Result {
    let entropy = sized::<64>(entropy, "randomness")?;
    Ok(Answer::bytes(&ContentPoint::generate(entropy).to_bytes()[..]))
}

pub(crate) fn point_key(point: &[u8], purpose: &[u8]) -> Result {
    Ok(Answer::bytes(ContentPoint::from_bytes(point)?.key(purpose)))
}

pub(crate) fn point_commitment(point: &[u8]) -> Result {
    Ok(Answer::bytes(ContentPoint::from_bytes(point)?.commitment().0))
}

pub(crate) fn derive(master: &[u8], purpose: &[u8], context: &[u8]) -> Result {
    let secret = SecretKey::derive(sized(master, "a master secret")?, purpose, context)?;
    Ok(Answer::bytes(secret.to_bytes()))
}

pub(crate) fn public(secret: &[u8]) -> Result {
    Ok(Answer::bytes(self::secret(secret)?.public().to_bytes()))
}

pub(crate) fn register(about: &[u8], secret: &[u8], point: &[u8], entropy: &[u8]) -> Result {
    let about: About = read(about)?;
    let (key, content) = (self::secret(secret)?, ContentPoint::from_bytes(point)?);
    let registration = Registration::new(&about.borrow(), &key, &content, self::entropy(entropy)?);
    Ok(Answer::bytes(registration.to_bytes()))
}

pub(crate) fn check_registration(about: &[u8], registration: &[u8]) -> Result {
    let about: About = read(about)?;
    Registration::from_bytes(registration)?.check(&about.borrow())?;
    held()
}

pub(crate) fn wrap(about: &[u8], secret: &[u8], from: &[u8], members: &[u8], entropy: &[u8]) -> Result {
    let about: AboutWrap = read(about)?;
    let (key, from, members) = (self::secret(secret)?, Ciphertext::from_bytes(from)?, keys(members)?);
    let wrap = Wrap::new(&about.borrow(), &key, &from, &members, self::entropy(entropy)?)?;
    Ok(Answer::bytes(wrap.to_bytes()))
}

pub(crate) fn check_wrap(about: &[u8], key: &[u8], from: &[u8], members: &[u8], wrap: &[u8]) -> Result {
    let about: AboutWrap = read(about)?;
    let (key, from, members) = (PublicKey::from_bytes(key)?, Ciphertext::from_bytes(from)?, keys(members)?);
    Wrap::from_bytes(wrap)?.check(&about.borrow(), &key, &from, &members)?;
    held()
}

pub(crate) fn wrap_of(wrap: &[u8], place: &[u8]) -> Result {
    let (wrap, place) = (Wrap::from_bytes(wrap)?, self::place(place)?);
    let of = usize::try_from(place).ok().and_then(|place| wrap.of(place));
    let of = of.ok_or_else(|| format!("the wrap is for {} members, and there is no place {place}", wrap.members()))?;
    Ok(Answer::bytes(of.to_bytes()))
}

pub(crate) fn open(secret: &[u8], ciphertext: &[u8]) -> Result {
    let opened = Ciphertext::from_bytes(ciphertext)?.open(&self::secret(secret)?);
    Ok(Answer::bytes(&opened.to_bytes()[..]))
}

pub(crate) fn opening(about: &[u8], secret: &[u8], ciphertext: &[u8], entropy: &[u8]) -> Result {
    let (about, from): (AboutOpening, _) = (read(about)?, Ciphertext::from_bytes(ciphertext)?);
    let (content, proof) = Opening::new(&about.borrow(), &self::secret(secret)?, &from, self::entropy(entropy)?);
    Ok(Answer::bytes([&content.to_bytes()[..], &proof.to_bytes()].concat()))
}

pub(crate) fn check_opening(about: &[u8], key: &[u8], ciphertext: &[u8], shown: &[u8]) -> Result {
    let (about, from): (AboutOpening, _) = (read(about)?, Ciphertext::from_bytes(ciphertext)?);
    let (content, proof) = shown.split_at_checked(48).unwrap_or((shown, &[]));
    let content = ContentPoint::from_bytes(content)?;
    Opening::from_bytes(proof)?.check(&about.borrow(), &PublicKey::from_bytes(key)?, &from, &content)?;
    held()
}

pub(crate) fn possession(secret: &[u8], context: &[u8], entropy: &[u8]) -> Result {
    let proof = self::secret(secret)?.possession(context, self::entropy(entropy)?);
    Ok(Answer::bytes(proof.to_bytes()))
}

pub(crate) fn check_possession(key: &[u8], context: &[u8], proof: &[u8]) -> Result {
    PublicKey::from_bytes(key)?.check_possession(context, &Possession::from_bytes(proof)?)?;
    held()
}

impl About {
    fn borrow(&self) -> Registered<'_> {
        let Self { chain_id, cid, owner, commitment } = self;
        Registered { chain_id, cid, owner, commitment }
    }
}

impl AboutOpening {
    fn borrow(&self) -> Opened<'_> {
        Opened { chain_id: &self.chain_id, job: self.job }
    }
}

impl AboutWrap {
    fn borrow(&self) -> Granted<'_> {
        let Self { chain_id, version, source, cid, owner, grant, nonce, epoch, committee, terms } = self;
        let (version, grant, epoch) = (*version, *grant, *epoch);
        Granted { chain_id, version, source, cid, owner, grant, nonce, epoch, committee, terms }
    }
}

/// The answer of what only checks.
pub(crate) fn held() -> Result {
    Ok(Answer::json(&Value::Null)?)
}

/// Reads what something is about.
pub(crate) fn read<T: de::DeserializeOwned>(json: &[u8]) -> std::result::Result<T, Refusal> {
    serde_json::from_slice(json).map_err(|e| format!("what it is about does not decode: {e}").into())
}

pub(crate) fn secret(bytes: &[u8]) -> std::result::Result<SecretKey, Refusal> {
    Ok(SecretKey::from_bytes(sized(bytes, "a secret key")?)?)
}

pub(crate) fn entropy(bytes: &[u8]) -> std::result::Result<&Entropy, Refusal> {
    sized(bytes, "randomness")
}

/// Keys one after another.
pub(crate) fn keys(bytes: &[u8]) -> std::result::Result<Vec<PublicKey>, Refusal> {
    Ok(bytes.chunks(48).map(PublicKey::from_bytes).collect::<std::result::Result<_, _>>()?)
}

/// Bytes of one length only.
pub(crate) fn sized<'a, const N: usize>(bytes: &'a [u8], what: &str) -> std::result::Result<&'a [u8; N], Refusal> {
    bytes.try_into().map_err(|_| format!("{what} has {N} bytes, and {} came", bytes.len()).into())
}

/// A place among several.
pub(crate) fn place(bytes: &[u8]) -> std::result::Result<u32, Refusal> {
    sized(bytes, "a place").map(|bytes| u32::from_be_bytes(*bytes))
}

/// A number of 64 bits as text: JavaScript's own numbers end at 53.
pub(crate) fn decimal<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<u64, D::Error> {
    String::deserialize(from)?.parse().map_err(de::Error::custom)
}

fn nonce<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<[u8; 16], D::Error> {
    let mut nonce = [0; 16];
    hex::decode_to_slice(String::deserialize(from)?, &mut nonce).map_err(de::Error::custom)?;
    Ok(nonce)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_something_is_about_is_read_strictly() {
        let about = |nonce: &str, grant: &str| {
            let zeros = "00".repeat(32);
            json!({
                "chain_id": "c", "version": 1, "source": zeros, "cid": "b", "owner": "o", "grant": grant,
                "nonce": nonce, "epoch": "4", "committee": zeros, "terms": zeros,
            })
        };
        let parse = |value: Value| read::<AboutWrap>(value.to_string().as_bytes());
        let read = parse(about("000102030405060708090a0b0c0d0eFf", "18446744073709551615")).unwrap();
        assert_eq!((read.nonce[14..].to_vec(), read.grant), (vec![14, 255], u64::MAX));
        for (nonce, grant) in [("00", "1"), ("g0", "1"), (&"0".repeat(31), "1"), (&"0".repeat(32), "-1")] {
            assert!(parse(about(nonce, grant)).is_err(), "{nonce} {grant}");
        }
        let mut more = about(&"0".repeat(32), "1");
        more["more"] = json!(1);
        assert!(parse(more).is_err());
    }

    #[test]
    fn lengths_are_named() {
        let refused = |result: Result| format!("{:?}", result.unwrap_err());
        assert!(refused(point(&[0; 63])).contains("randomness has 64 bytes, and 63 came"));
        assert!(refused(public(&[1; 31])).contains("a secret key has 32 bytes, and 31 came"));
        assert!(refused(wrap_of(&[], &[])).contains("members"));
        assert!(keys(&[0; 47]).is_err() && keys(&[]).unwrap().is_empty());
    }
}
