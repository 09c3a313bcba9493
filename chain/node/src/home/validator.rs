//! The node's keys: ed25519 for blocks and one for its connections, in the files that CometBFT reads, and BLS12-381 for
//! attestations.

use std::path::{Path, PathBuf};

use aceso_app::attest::AttestKey;
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_consensus::SigningKey;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tendermint::{PublicKey, account};

use super::{Home, HomeError, read, write_new};
use crate::abci::vote::AttestKeys;

const FILE_MAX: u64 = 64 << 10;
const ED25519_SECRET: &str = "tendermint/PrivKeyEd25519";
const BLS_SECRET: &str = "aceso/PrivKeyBls12381";

#[derive(Serialize, Deserialize)]
struct Typed {
    r#type: String,
    value: String,
}

#[derive(Deserialize)]
struct KeyFile {
    priv_key: Typed,
}

impl Home {
    /// The validator's key; makes one where there is none.
    pub(crate) fn validator(&self) -> Result<SigningKey, HomeError> {
        let path = self.validator_file();
        if !path.exists() {
            let key = SigningKey::from(random()?);
            let public = PublicKey::from_ed25519_consensus(key.verification_key());
            let mut secret = key.as_bytes().to_vec();
            secret.extend(public.to_bytes());
            let json = json!({
                "address": hex::encode_upper(account::Id::from(public).as_bytes()),
                "pub_key": {"type": "tendermint/PubKeyEd25519", "value": STANDARD.encode(public.to_bytes())},
                "priv_key": {"type": ED25519_SECRET, "value": STANDARD.encode(&secret)},
            });
            write_new(&path, format!("{json:#}\n").as_bytes(), true)?;
            // CometBFT wants to know what was signed last, also when that is nothing.
            let nothing = json!({"height": "0", "round": 0, "step": 0});
            write_new(&self.sign_state_file(), format!("{nothing:#}\n").as_bytes(), true)?;
            return Ok(key);
        }
        self.signing_key(path)
    }

    /// The attestation key; makes one where there is none.
    pub(crate) fn attester(&self) -> Result<AttestKey, HomeError> {
        self.attester_in(self.attest_file())
    }

    /// The attestation key that takes over from the one in use; makes one where there is none.
    pub(crate) fn next_attester(&self) -> Result<AttestKey, HomeError> {
        self.attester_in(self.next_attest_file())
    }

    /// Lets the key that has taken over be the one in use.
    pub(crate) fn promote_attester(&self) -> Result<(), HomeError> {
        let (path, next) = (self.attest_file(), self.next_attest_file());
        std::fs::rename(&next, &path).map_err(|source| HomeError::Io { action: "write", path, source })
    }

    /// Both of them, read again whenever none counts.
    pub(crate) fn attest_keys(&self) -> Result<AttestKeys, HomeError> {
        self.attester()?;
        Ok(AttestKeys::new(self.attest_key_reader()))
    }

    /// What reads both of them, the one in use first.
    pub(crate) fn attest_key_reader(&self) -> impl Fn() -> Vec<AttestKey> + Send + Sync + 'static {
        let home = Self::at(self.path());
        move || {
            let next = home.next_attest_file().exists().then(|| home.next_attester());
            let keys = [Some(home.attester()), next].into_iter().flatten();
            keys.filter_map(|key| key.inspect_err(|e| tracing::error!("an attestation key is not used: {e}")).ok())
                .collect()
        }
    }

    fn attester_in(&self, path: PathBuf) -> Result<AttestKey, HomeError> {
        let malformed = |reason: String| HomeError::Malformed { path: path.clone(), reason };
        if !path.exists() {
            let key = AttestKey::generate(&random()?).map_err(|e| malformed(e.to_string()))?;
            let json = json!({
                "pub_key": {"type": "aceso/PubKeyBls12381", "value": STANDARD.encode(key.public())},
                "priv_key": {"type": BLS_SECRET, "value": STANDARD.encode(key.to_bytes())},
            });
            write_new(&path, format!("{json:#}\n").as_bytes(), true)?;
            return Ok(key);
        }
        let secret = secret(&path, BLS_SECRET)?;
        let bytes = secret.try_into().map_err(|_| malformed("the key has not 32 bytes".into()))?;
        AttestKey::from_bytes(&bytes).map_err(|e| malformed(e.to_string()))
    }

    /// The key of the seals on packed models; makes one where there is none. It never leaves this machine, and another one
    /// costs no more than packing them again.
    pub(crate) fn packing_key(&self) -> Result<[u8; 32], HomeError> {
        let path = self.packing_key_file();
        if !path.exists() {
            let key: [u8; 32] = random()?;
            write_new(&path, format!("{}\n", hex::encode(key)).as_bytes(), true)?;
            return Ok(key);
        }
        let text = String::from_utf8(read(&path, FILE_MAX)?).unwrap_or_default();
        let mut key = [0; 32];
        let malformed = |_| HomeError::Malformed { path, reason: "it is no key of 64 hexadecimal digits".into() };
        hex::decode_to_slice(text.trim_end(), &mut key).map_err(malformed)?;
        Ok(key)
    }

    /// The key by which other CometBFT nodes know this one, as they write it; makes one where there is none.
    pub(crate) fn node_id(&self) -> Result<String, HomeError> {
        let path = self.node_key_file();
        let id = |key: &SigningKey| {
            let public = PublicKey::from_ed25519_consensus(key.verification_key());
            hex::encode(account::Id::from(public).as_bytes())
        };
        if !path.exists() {
            let key = SigningKey::from(random()?);
            let secret = [&key.as_bytes()[..], &key.verification_key().to_bytes()].concat();
            let json = json!({"priv_key": {"type": ED25519_SECRET, "value": STANDARD.encode(&secret)}});
            write_new(&path, format!("{json}\n").as_bytes(), true)?;
            return Ok(id(&key));
        }
        Ok(id(&self.signing_key(path)?))
    }

    fn signing_key(&self, path: PathBuf) -> Result<SigningKey, HomeError> {
        let secret = secret(&path, ED25519_SECRET)?;
        let seed = secret.first_chunk::<32>().filter(|_| secret.len() == 64);
        match seed {
            Some(seed) => Ok(SigningKey::from(*seed)),
            None => Err(HomeError::Malformed { path, reason: format!("the key has {} bytes, not 64", secret.len()) }),
        }
    }
}

/// The secret bytes of a key file of this kind.
pub(super) fn secret(path: &Path, kind: &str) -> Result<Vec<u8>, HomeError> {
    let malformed = |reason: String| HomeError::Malformed { path: path.into(), reason };
    let file: KeyFile = serde_json::from_slice(&read(path, FILE_MAX)?).map_err(|e| malformed(e.to_string()))?;
    if file.priv_key.r#type != kind {
        return Err(malformed(format!("the key is of type {:?}, not {kind:?}", file.priv_key.r#type)));
    }
    STANDARD.decode(&file.priv_key.value).map_err(|_| malformed("the key is not base64".into()))
}

pub(super) fn random() -> Result<[u8; 32], HomeError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(HomeError::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let _lock = home.lock().unwrap();
        assert_eq!(home.validator().unwrap().as_bytes(), home.validator().unwrap().as_bytes());
        assert_eq!(home.attester().unwrap().public(), home.attester().unwrap().public());
        assert_eq!(home.node_id().unwrap(), home.node_id().unwrap());
        let next = home.next_attester().unwrap().public();
        assert_eq!(home.next_attester().unwrap().public(), next);
        home.promote_attester().unwrap();
        assert_eq!(home.attester().unwrap().public(), next);
        assert!(home.promote_attester().is_err());
        // tendermint-rs reads the same file as CometBFT does.
        let json = std::fs::read_to_string(home.validator_file()).unwrap();
        let file: serde_json::Value = serde_json::from_str(&json).unwrap();
        let public: PublicKey = serde_json::from_value(file["pub_key"].clone()).unwrap();
        assert_eq!(public.to_bytes(), home.validator().unwrap().verification_key().to_bytes());
        std::fs::write(home.validator_file(), json.replace("PrivKeyEd25519", "PrivKeySecp256k1")).unwrap();
        assert!(matches!(home.validator(), Err(HomeError::Malformed { .. })));
        std::fs::write(home.attest_file(), "{").unwrap();
        assert!(matches!(home.attester(), Err(HomeError::Malformed { .. })));
    }
}
