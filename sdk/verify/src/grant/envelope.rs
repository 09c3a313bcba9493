//! What is sealed under, and how its owner registers it.

use alloc::vec::Vec;
use core::fmt;

use bls12_381::{G1Affine, G1Projective, Scalar};
use group::Curve;
use hkdf::Hkdf;
use sha2::Sha256;
use sha3::{Digest as _, Sha3_256};
use zeroize::{Zeroize, Zeroizing};

use aceso_types::Digest;

use super::{
    Entropy, GrantError, PublicKey, Registered, SecretKey,
    key::{concat, nonce, point, scalars},
    transcript::Transcript,
};

const POINT: &[u8] = b"aceso/grant/point/1";
const REGISTRATION: &[u8] = b"aceso/grant/registration/1";
const CONTENT: &[u8] = b"aceso/grant/content/1";
const COMMITMENT: &[u8] = b"aceso/grant/commitment/1";

/// The point K that keys of sealed bytes follow from; wiped when it goes.
pub struct ContentPoint(pub(super) G1Projective);

impl ContentPoint {
    /// A point that nobody knows but who made it.
    pub fn generate(entropy: &Entropy) -> Self {
        let exponent = Transcript::new(POINT).fields([&entropy[..]]).scalar();
        Self(G1Projective::generator() * exponent)
    }

    /// The point with these 48 bytes: what its owner reveals, or has kept.
    ///
    /// # Errors
    /// [`GrantError::Length`], [`GrantError::Point`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GrantError> {
        point(bytes, "a content point").map(|point| Self(point.into()))
    }

    /// Its 48 bytes, which open everything that is sealed under it.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 48]> {
        Zeroizing::new(self.0.to_affine().to_compressed())
    }

    /// A key of 32 bytes for this purpose: `seal` of a study, or one image of it.
    pub fn key(&self, purpose: &[u8]) -> [u8; 32] {
        let mut key = [0; 32];
        // HKDF fails beyond 255 blocks only.
        let _ = Hkdf::<Sha256>::new(Some(CONTENT), &self.to_bytes()[..]).expand(purpose, &mut key);
        key
    }

    /// What the sealed header says of K, so that the wrong one is noticed before anything is opened and no bytes open
    /// under two.
    pub fn commitment(&self) -> Digest {
        let mut key = self.key(COMMITMENT);
        let digest = Sha3_256::new().chain_update(COMMITMENT).chain_update(key).finalize();
        key.zeroize();
        Digest(digest.into())
    }
}

impl PartialEq for ContentPoint {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Drop for ContentPoint {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for ContentPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentPoint")
    }
}

/// K for one key: (rG, K + rP).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ciphertext {
    pub(super) c1: G1Affine,
    pub(super) c2: G1Affine,
}

impl Ciphertext {
    /// Decodes two points of 48 bytes.
    ///
    /// # Errors
    /// [`GrantError::Length`], [`GrantError::Point`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GrantError> {
        let wrong = GrantError::Length { what: "a ciphertext", want: 96, got: bytes.len() };
        let (c1, c2) = bytes.split_at_checked(48).filter(|(_, c2)| c2.len() == 48).ok_or(wrong)?;
        Ok(Self { c1: point(c1, "a ciphertext's first half")?, c2: point(c2, "a ciphertext's second half")? })
    }

    /// Its 96 bytes.
    pub fn to_bytes(&self) -> [u8; 96] {
        let mut all = [0; 96];
        all[..48].copy_from_slice(&self.c1.to_compressed());
        all[48..].copy_from_slice(&self.c2.to_compressed());
        all
    }

    /// What it holds, for whom it is. Another key gets another point, which the commitment tells.
    pub fn open(&self, secret: &SecretKey) -> ContentPoint {
        ContentPoint(G1Projective::from(self.c2) - self.c1 * secret.0)
    }
}

/// An owner's registration: K for her key of this image, and the proof that she knows r and the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Her key of this image.
    pub key: PublicKey,
    /// K for it.
    pub sealed: Ciphertext,
    proof: Proof,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Proof {
    challenge: Scalar,
    for_r: Scalar,
    for_key: Scalar,
}

impl Registration {
    /// Bytes of one: key, ciphertext, proof.
    pub const LEN: usize = 48 + 96 + 96;

    /// Seals K for its owner.
    pub fn new(about: &Registered<'_>, key: &SecretKey, content: &ContentPoint, entropy: &Entropy) -> Self {
        let generator = G1Projective::generator();
        let public = key.public();
        let statement = bytes(about);
        let secret_point = content.to_bytes();
        let draw = |number| nonce(&[&key.0], entropy, number, &[&statement, &secret_point[..]]);
        let (mut r, mut a, mut b) = (draw(1), draw(2), draw(3));
        let sealed = Ciphertext { c1: (generator * r).to_affine(), c2: (content.0 + public.0 * r).to_affine() };
        let c = challenge(about, &public, &sealed, [generator * a, generator * b]);
        let proof = Proof { challenge: c, for_r: a + c * r, for_key: b + c * key.0 };
        [&mut r, &mut a, &mut b].into_iter().for_each(Zeroize::zeroize);
        Self { key: public, sealed, proof }
    }

    /// Checks that whoever made it knew r and the key's secret, and meant this image of this owner on this chain.
    ///
    /// # Errors
    /// [`GrantError::Proof`].
    pub fn check(&self, about: &Registered<'_>) -> Result<(), GrantError> {
        let (generator, c) = (G1Projective::generator(), self.proof.challenge);
        let t1 = generator * self.proof.for_r - self.sealed.c1 * c;
        let t2 = generator * self.proof.for_key - self.key.0 * c;
        if challenge(about, &self.key, &self.sealed, [t1, t2]) == c {
            Ok(())
        } else {
            Err(GrantError::Proof("registration"))
        }
    }

    /// Decodes [`Self::LEN`] bytes.
    ///
    /// # Errors
    /// [`GrantError`], by what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GrantError> {
        let wrong = GrantError::Length { what: "a registration", want: Self::LEN, got: bytes.len() };
        let (key, rest) = bytes.split_at_checked(48).ok_or(wrong)?;
        let (sealed, proof) = rest.split_at_checked(96).filter(|(_, proof)| proof.len() == 96).ok_or(wrong)?;
        let [challenge, for_r, for_key] = scalars(proof, "a registration's proof")?;
        let (key, sealed) = (PublicKey::from_bytes(key)?, Ciphertext::from_bytes(sealed)?);
        Ok(Self { key, sealed, proof: Proof { challenge, for_r, for_key } })
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut all = [0; Self::LEN];
        all[..48].copy_from_slice(&self.key.to_bytes());
        all[48..144].copy_from_slice(&self.sealed.to_bytes());
        let proof: [u8; 96] = concat([&self.proof.challenge, &self.proof.for_r, &self.proof.for_key]);
        all[144..].copy_from_slice(&proof);
        all
    }
}

/// All that tells one statement from another, for nonces.
fn bytes(about: &Registered<'_>) -> Vec<u8> {
    let mut all = Vec::new();
    for field in about.fields() {
        all.extend((field.len() as u64).to_be_bytes());
        all.extend(field);
    }
    all
}

fn challenge(about: &Registered<'_>, key: &PublicKey, sealed: &Ciphertext, t: [G1Projective; 2]) -> Scalar {
    let points = [&key.0, &sealed.c1, &sealed.c2];
    Transcript::new(REGISTRATION).fields(about.fields()).points(points).commitments(&t).scalar()
}
