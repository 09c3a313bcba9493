//! From a study's point to a file's key, and from there to each chunk.

use aceso_types::Digest;
use aceso_verify::grant::ContentPoint;
use aes_gcm::{Aes256Gcm, KeyInit, Nonce, Tag, aead::AeadInPlace};
use hkdf::Hkdf;
use sha2::Sha256;
use sha3::{Digest as _, Sha3_256};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::{Header, SealError, TAG};

const FILE: &[u8] = b"aceso/seal/file/1";
const COMMITMENT: &[u8] = b"aceso/seal/commitment/1";
const CHUNKS: &[u8] = b"aceso/seal/chunks/1";

/// The key of one file; wiped when it goes.
struct FileKey([u8; 32]);

impl FileKey {
    fn new(content: &ContentPoint, salt: &[u8; 32]) -> Self {
        let mut purpose = FILE.to_vec();
        purpose.extend(salt);
        Self(content.key(&purpose))
    }

    fn expand(&self, info: &[&[u8]]) -> [u8; 32] {
        let mut key = [0; 32];
        // HKDF fails beyond 255 blocks only.
        let _ = Hkdf::<Sha256>::new(None, &self.0).expand_multi_info(info, &mut key);
        key
    }

    fn commitment(&self) -> [u8; 32] {
        let mut key = self.expand(&[COMMITMENT]);
        let commitment = Sha3_256::new().chain_update(COMMITMENT).chain_update(key).finalize().into();
        key.zeroize();
        commitment
    }
}

impl Drop for FileKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What a file that is sealed under this key with this salt commits to.
pub(crate) fn commitment(content: &ContentPoint, salt: &[u8; 32]) -> Digest {
    Digest(FileKey::new(content, salt).commitment())
}

/// The cipher of one file's chunks.
pub(crate) struct Chunks(Aes256Gcm);

impl Chunks {
    /// Checks the commitment and derives the cipher. The header's bytes go into the key, so that all of them are
    /// authenticated by every chunk.
    pub(crate) fn new(content: &ContentPoint, header: &Header, encoded: &[u8]) -> Result<Self, SealError> {
        let file = FileKey::new(content, &header.salt.0);
        if !bool::from(file.commitment().ct_eq(&header.commitment.0)) {
            return Err(SealError::Key);
        }
        let mut key = file.expand(&[CHUNKS, &Sha3_256::digest(encoded)]);
        let cipher = Aes256Gcm::new(&key.into());
        key.zeroize();
        Ok(Self(cipher))
    }

    /// Encrypts a chunk where it stands and answers its tag.
    pub(crate) fn seal(&self, number: u32, last: bool, chunk: &mut [u8]) -> Result<[u8; TAG], SealError> {
        let tag = self.0.encrypt_in_place_detached(&nonce(number, last), &[], chunk);
        tag.map(Into::into).map_err(|_| SealError::Leaf(number))
    }

    /// Decrypts a chunk where it stands. What does not hold is left as it was.
    pub(crate) fn open(&self, number: u32, last: bool, chunk: &mut [u8], tag: &[u8; TAG]) -> Result<(), SealError> {
        let opened = self.0.decrypt_in_place_detached(&nonce(number, last), &[], chunk, &Tag::from(*tag));
        opened.map_err(|_| SealError::Leaf(number))
    }
}

/// Zeros, the chunk's number, and whether it is the last. Each file has a key of its own.
fn nonce(number: u32, last: bool) -> Nonce<aes_gcm::aead::consts::U12> {
    let mut nonce = [0; 12];
    nonce[7..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = last.into();
    nonce.into()
}
