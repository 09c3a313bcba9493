//! Words of an account in a file that a passphrase opens.
//!
//! The file is JSON, so that it can be read in twenty years: which public key it is of, how the passphrase becomes a key
//! (Argon2id, RFC 9106, with its second recommended set of parameters), and the words under AES-256-GCM, the public key
//! beside them as additional data. A wrong passphrase and a changed file cannot be told apart.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use bip32::Mnemonic;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::HomeError;
use crate::address::{MnemonicError, parse_mnemonic, public_key};

/// Memory that one guess takes, in KiB.
const MEMORY: u32 = 64 << 10;
/// Passes over it.
const PASSES: u32 = 3;
/// Lanes of it.
const LANES: u32 = 4;
/// Most that a file may ask of this machine: a file is a stranger's until it is opened.
const MEMORY_MAX: u32 = 1 << 20;
const PASSES_MAX: u32 = 32;
/// The shortest passphrase that is taken, in bytes.
pub(crate) const PASSPHRASE_MIN: usize = 8;

/// Why words are not kept or not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockedError {
    /// Nobody should rely on it.
    #[error("a passphrase has {PASSPHRASE_MIN} bytes at least, this one {0}")]
    Short(usize),
    /// The passphrase is another, or the file was changed.
    #[error("this passphrase does not open the key, or its file was changed")]
    Passphrase,
    /// The file is none of these.
    #[error("this is no encrypted key: {0}")]
    Malformed(String),
    /// What is inside is no mnemonic.
    #[error(transparent)]
    Words(#[from] MnemonicError),
}

/// The file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Locked {
    /// 1.
    version: u32,
    /// The compressed secp256k1 public key of the words' first account.
    #[serde(with = "hexadecimal")]
    public_key: [u8; 33],
    kdf: Kdf,
    /// `aes-256-gcm`
    cipher: String,
    #[serde(with = "hexadecimal")]
    nonce: [u8; 12],
    #[serde(with = "hexadecimal")]
    ciphertext: Vec<u8>,
}

/// How the passphrase becomes a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kdf {
    /// `argon2id`
    name: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    #[serde(with = "hexadecimal")]
    salt: [u8; 16],
}

impl Locked {
    /// Encrypts words.
    pub(crate) fn seal(mnemonic: &Mnemonic, passphrase: &str) -> Result<Self, HomeError> {
        if passphrase.len() < PASSPHRASE_MIN {
            return Err(LockedError::Short(passphrase.len()).into());
        }
        let (mut salt, mut nonce) = ([0; 16], [0; 12]);
        for bytes in [&mut salt[..], &mut nonce[..]] {
            getrandom::fill(bytes).map_err(HomeError::Random)?;
        }
        let public_key = public_key(mnemonic)?;
        let kdf = Kdf { name: "argon2id".into(), memory_kib: MEMORY, passes: PASSES, lanes: LANES, salt };
        let cipher = kdf.cipher(passphrase)?;
        let sealed = cipher.encrypt(&nonce.into(), Payload { msg: mnemonic.phrase().as_bytes(), aad: &public_key });
        // It fails for texts of 64 GiB.
        let ciphertext = sealed.map_err(|_| LockedError::Malformed("the words are too long".into()))?;
        Ok(Self { version: 1, public_key, kdf, cipher: "aes-256-gcm".into(), nonce, ciphertext })
    }

    /// Reads a file.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, LockedError> {
        let malformed = |reason: &str| Err(LockedError::Malformed(reason.into()));
        let file: Self = serde_json::from_slice(bytes).map_err(|e| LockedError::Malformed(e.to_string()))?;
        if (file.version, file.cipher.as_str(), file.kdf.name.as_str()) != (1, "aes-256-gcm", "argon2id") {
            return malformed("it is of a kind that this program does not know");
        }
        if file.kdf.memory_kib > MEMORY_MAX || file.kdf.passes > PASSES_MAX {
            return malformed("it asks for more memory or time than any key should");
        }
        Ok(file)
    }

    /// The file's bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        // Numbers and text; nothing in it fails to print.
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        text
    }

    /// The public key that the file says. Whoever opens it knows.
    pub(crate) fn public(&self) -> [u8; 33] {
        self.public_key
    }

    /// Decrypts the words.
    pub(crate) fn open(&self, passphrase: &str) -> Result<Mnemonic, LockedError> {
        let cipher = self.kdf.cipher(passphrase)?;
        let payload = Payload { msg: &self.ciphertext, aad: &self.public_key };
        let opened = cipher.decrypt(&self.nonce.into(), payload).map_err(|_| LockedError::Passphrase)?;
        let words = Zeroizing::new(opened);
        let text = std::str::from_utf8(&words).map_err(|_| MnemonicError::Words)?;
        Ok(parse_mnemonic(text)?)
    }
}

impl Kdf {
    fn cipher(&self, passphrase: &str) -> Result<Aes256Gcm, LockedError> {
        let malformed = |e: argon2::Error| LockedError::Malformed(e.to_string());
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).map_err(malformed)?;
        let mut key = Zeroizing::new([0; 32]);
        let mut memory = vec![Block::default(); params.block_count()];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(passphrase.as_bytes(), &self.salt, &mut key[..], &mut memory)
            .map_err(malformed)?;
        Ok(Aes256Gcm::new((&*key).into()))
    }
}

/// Bytes in hexadecimal.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &impl AsRef<[u8]>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, T: TryFrom<Vec<u8>>>(from: D) -> Result<T, D::Error> {
        let bytes = hex::decode(String::deserialize(from)?).map_err(D::Error::custom)?;
        T::try_from(bytes).map_err(|_| D::Error::custom("a field has another length"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::new_mnemonic;

    #[test]
    fn words_come_back_by_their_passphrase_alone() {
        let words = new_mnemonic().unwrap();
        let locked = Locked::seal(&words, "correct horse").unwrap();
        assert!(!String::from_utf8(locked.to_bytes()).unwrap().contains(words.phrase().split(' ').next().unwrap()));
        let read = Locked::read(&locked.to_bytes()).unwrap();
        assert_eq!(read, locked);
        assert_eq!(read.open("correct horse").unwrap().phrase(), words.phrase());
        assert!(matches!(read.open("correct horsf"), Err(LockedError::Passphrase)));
        let other = Locked { public_key: [2; 33], ..read.clone() };
        assert!(matches!(other.open("correct horse"), Err(LockedError::Passphrase)));
        // The same words are never the same file.
        assert_ne!(Locked::seal(&words, "correct horse").unwrap().ciphertext, read.ciphertext);
        assert!(matches!(Locked::seal(&words, "short"), Err(HomeError::Locked(LockedError::Short(5)))));
    }

    #[test]
    fn files_that_cost_too_much_or_are_none_are_refused() {
        let locked = Locked::seal(&new_mnemonic().unwrap(), "correct horse").unwrap();
        let kdf = |change: fn(&mut Kdf)| {
            let mut kdf = locked.kdf.clone();
            change(&mut kdf);
            Locked { kdf, ..locked.clone() }
        };
        for wrong in [
            kdf(|kdf| kdf.memory_kib = MEMORY_MAX + 1),
            kdf(|kdf| kdf.passes = PASSES_MAX + 1),
            kdf(|kdf| kdf.name = "scrypt".into()),
            Locked { version: 2, ..locked.clone() },
        ] {
            assert!(matches!(Locked::read(&wrong.to_bytes()), Err(LockedError::Malformed(_))));
        }
        for wrong in [kdf(|kdf| kdf.passes = 0), kdf(|kdf| kdf.lanes = 0), kdf(|kdf| kdf.memory_kib = 1)] {
            let wrong = Locked::read(&wrong.to_bytes()).unwrap();
            assert!(matches!(wrong.open("correct horse"), Err(LockedError::Malformed(_))));
        }
        assert!(matches!(Locked::read(b"{}"), Err(LockedError::Malformed(_))));
    }
}
