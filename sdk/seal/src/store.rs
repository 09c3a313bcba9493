//! What a patient's keys of her images follow from, in a form that can forget.
//!
//! The key of image i is HKDF(x, n_i): x is her master secret, n_i 32 random bytes that stand here and nowhere else. Without
//! n_i nobody has the image's key again, though x lives on. So erasing is: take the nonce out, seal the store under a
//! new point, deal that one's key to the guardians anew, and destroy what was before. The version counts these changes,
//! so that an older store is noticed.
//!
//! The account in whose name an image is registered follows from the same two, so that no two images have an owner in
//! common, and what forgets the nonce forgets the account.
//!
//! A store is an ordinary sealed file whose record is canonical dag-cbor: `images` (CID → nonce), `master`, `version`.

use std::collections::{BTreeMap, btree_map::Entry};

use aceso_types::Digest;
use aceso_verify::grant::{ContentPoint, GrantError, SecretKey};
use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::{SealError, open, seal};

/// The media type of a store's record.
pub(crate) const MEDIA: &str = "application/vnd.aceso.keys";
/// What an image's key is derived for.
const IMAGE: &[u8] = b"aceso/patient/image/1";
/// What the key of an image's account is derived for.
const ACCOUNT: &[u8] = b"aceso/patient/account/1";
/// Most images of a store, and most bytes of an image's name.
const IMAGES_MAX: usize = 10_000;
const NAME_MAX: usize = 128;
/// Most bytes of a store's record, a little above what these come to.
const RECORD_MAX: usize = 2 << 20;

/// A patient's secrets; wiped when it goes.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyStore {
    master: Digest,
    version: u64,
    images: BTreeMap<String, Digest>,
}

/// Why a store does not open, or does not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It has no nonce for this image: there never was one, or it was erased.
    #[error("there is no key of image {0}")]
    Unknown(String),
    /// It has one already, which another one would replace.
    #[error("there is a key of image {0} already")]
    Known(String),
    /// A name that is none, or too many of them.
    #[error("a store has at most {IMAGES_MAX} images with names of 1 to {NAME_MAX} bytes")]
    Full,
    /// The record is no store in its one spelling.
    #[error("the record is no key store: {0}")]
    Record(&'static str),
    /// Somebody handed out a store that has since been replaced.
    #[error("the key store is version {got}, and version {least} was seen before")]
    Old {
        /// Its version.
        got: u64,
        /// The least that it may be.
        least: u64,
    },
    /// It does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The key cannot be derived.
    #[error(transparent)]
    Grant(#[from] GrantError),
}

impl StoreError {
    /// One word for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "unknown",
            Self::Known(_) => "known",
            Self::Full => "full",
            Self::Record(_) => "record",
            Self::Old { .. } => "old",
            Self::Seal(error) => error.kind(),
            Self::Grant(error) => error.kind(),
        }
    }
}

impl KeyStore {
    /// An empty store of version 1.
    pub fn new(master: [u8; 32]) -> Self {
        Self { master: Digest(master), version: 1, images: BTreeMap::new() }
    }

    /// How often it was changed since it was made, plus 1.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The images that it has keys of.
    pub fn images(&self) -> impl Iterator<Item = &str> {
        self.images.keys().map(String::as_str)
    }

    /// Takes in the nonce of an image: 32 random bytes.
    ///
    /// # Errors
    /// [`StoreError::Known`], [`StoreError::Full`].
    pub fn add(&mut self, image: &str, nonce: [u8; 32]) -> Result<(), StoreError> {
        let version = self.version.checked_add(1).ok_or(StoreError::Full)?;
        if image.is_empty() || image.len() > NAME_MAX || self.images.len() >= IMAGES_MAX {
            return Err(StoreError::Full);
        }
        match self.images.entry(image.into()) {
            Entry::Occupied(_) => return Err(StoreError::Known(image.into())),
            Entry::Vacant(free) => free.insert(Digest(nonce)),
        };
        self.version = version;
        Ok(())
    }

    /// The patient's key of an image.
    ///
    /// # Errors
    /// [`StoreError::Unknown`].
    pub fn key(&self, image: &str) -> Result<SecretKey, StoreError> {
        let nonce = self.images.get(image).ok_or_else(|| StoreError::Unknown(image.into()))?;
        Ok(SecretKey::derive(&self.master.0, IMAGE, &nonce.0)?)
    }

    /// The secp256k1 secret, 32 bytes, of the account that registers an image and grants its key.
    ///
    /// # Errors
    /// [`StoreError::Unknown`].
    pub fn account(&self, image: &str) -> Result<Zeroizing<[u8; 32]>, StoreError> {
        let nonce = self.images.get(image).ok_or_else(|| StoreError::Unknown(image.into()))?;
        Ok(self.account_of(&nonce.0))
    }

    /// The same for an image that will get this nonce: the owner's address stands in a sealed file, whose CID is the
    /// image's name, so it is needed first. One nonce in 2^127 makes bytes that are no scalar of the curve, which
    /// whoever signs with them is told; another nonce does it then.
    pub fn account_of(&self, nonce: &[u8; 32]) -> Zeroizing<[u8; 32]> {
        let mut secret = Zeroizing::new([0; 32]);
        // HKDF fails beyond 255 blocks only.
        let _ = Hkdf::<Sha256>::new(Some(ACCOUNT), &self.master.0).expand(nonce, &mut secret[..]);
        secret
    }

    /// Forgets an image's nonce, and with it key and account. It is gone once every copy of the version before is.
    ///
    /// # Errors
    /// [`StoreError::Unknown`].
    pub fn erase(&mut self, image: &str) -> Result<(), StoreError> {
        let version = self.version.checked_add(1).ok_or(StoreError::Full)?;
        let mut nonce = self.images.remove(image).ok_or_else(|| StoreError::Unknown(image.into()))?;
        nonce.0.zeroize();
        self.version = version;
        Ok(())
    }

    /// Gives what stands under one name another one: an account that was waiting for an image gets the image's name. Key and
    /// account stay what they are.
    ///
    /// # Errors
    /// [`StoreError::Unknown`], [`StoreError::Known`], [`StoreError::Full`]; then nothing is changed.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), StoreError> {
        let version = self.version.checked_add(1).ok_or(StoreError::Full)?;
        if to.is_empty() || to.len() > NAME_MAX {
            return Err(StoreError::Full);
        }
        if self.images.contains_key(to) {
            return Err(StoreError::Known(to.into()));
        }
        let nonce = self.images.remove(from).ok_or_else(|| StoreError::Unknown(from.into()))?;
        self.images.insert(to.into(), nonce);
        self.version = version;
        Ok(())
    }

    /// The record that is sealed.
    ///
    /// # Errors
    /// [`StoreError::Record`].
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let record = serde_ipld_dagcbor::to_vec(self).map_err(|_| StoreError::Record("it does not encode"))?;
        Ok(Zeroizing::new(record))
    }

    /// Reads a record back.
    ///
    /// # Errors
    /// [`StoreError::Record`], [`StoreError::Full`].
    pub fn decode(record: &[u8]) -> Result<Self, StoreError> {
        if record.len() > RECORD_MAX {
            return Err(StoreError::Record("it is too long"));
        }
        let store: Self = serde_ipld_dagcbor::from_slice(record).map_err(|_| StoreError::Record("it is malformed"))?;
        let named = store.images.keys().all(|image| (1..=NAME_MAX).contains(&image.len()));
        if !named || store.images.len() > IMAGES_MAX {
            return Err(StoreError::Full);
        }
        if store.version == 0 || store.encode()?[..] != *record {
            return Err(StoreError::Record("it has another spelling"));
        }
        Ok(store)
    }

    /// The store as a sealed file of `owner`'s. Each version gets a point of its own, and a random salt.
    ///
    /// # Errors
    /// [`StoreError::Seal`].
    pub fn seal(&self, content: &ContentPoint, owner: &str, salt: [u8; 32]) -> Result<Vec<u8>, StoreError> {
        let record = self.encode()?;
        let about = (MEDIA, BTreeMap::new());
        let sealed = seal(content, owner, salt, about, &record[..], record.len() as u64, Vec::new());
        // Nothing that is written to memory fails but what the format has no room for.
        sealed.map_err(|_| SealError::Long { what: "the owner", got: owner.len(), most: 1024 }.into())
    }

    /// Opens a sealed store of at least version `least`: the newest that was seen, or 1.
    ///
    /// # Errors
    /// [`StoreError`], by what is wrong.
    pub fn open(content: &ContentPoint, file: &[u8], least: u64) -> Result<Self, StoreError> {
        let (_, inner, record) = open(content, file, RECORD_MAX as u64)?;
        let record = Zeroizing::new(record);
        if inner.media != MEDIA {
            return Err(StoreError::Record("it is a record of another kind"));
        }
        let store = Self::decode(&record)?;
        if store.version < least { Err(StoreError::Old { got: store.version, least }) } else { Ok(store) }
    }
}

impl Drop for KeyStore {
    fn drop(&mut self) {
        self.master.0.zeroize();
        self.images.values_mut().for_each(|nonce| nonce.0.zeroize());
    }
}

impl std::fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyStore(version {}, {} images)", self.version, self.images.len())
    }
}
