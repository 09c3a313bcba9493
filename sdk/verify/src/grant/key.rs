//! Keys: a scalar and its point, and the proof that somebody has the scalar.

use core::fmt;

use bls12_381::{G1Affine, G1Projective, Scalar};
use ff::Field;
use group::Curve;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroize;

use super::{Entropy, GrantError, transcript::Transcript};

const POSSESSION: &[u8] = b"aceso/grant/possession/1";
const NONCE: &[u8] = b"aceso/grant/nonce/1";

/// A secret scalar other than zero; wiped when it goes.
pub struct SecretKey(pub(super) Scalar);

impl SecretKey {
    /// The key that follows from a master secret and what it is for: HKDF-SHA-256 to 48 bytes, reduced.
    ///
    /// A patient's key of one image is derived from her master with the image's random nonce, kept in a store of hers
    /// that can forget it: `context` is that nonce. A reader's key is derived for an epoch.
    ///
    /// # Errors
    /// [`GrantError::Zero`], which has never been seen.
    pub fn derive(master: &[u8; 32], purpose: &[u8], context: &[u8]) -> Result<Self, GrantError> {
        let mut wide = [0; 64];
        // HKDF fails beyond 255 blocks only.
        let _ = Hkdf::<Sha256>::new(Some(purpose), master).expand(context, &mut wide[16..]);
        wide.reverse();
        let key = Self::nonzero(Scalar::from_bytes_wide(&wide));
        wide.zeroize();
        key
    }

    /// The key with these bytes, the most significant first.
    ///
    /// # Errors
    /// [`GrantError::Scalar`], [`GrantError::Zero`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, GrantError> {
        Self::nonzero(scalar(bytes, "the secret key")?)
    }

    fn nonzero(secret: Scalar) -> Result<Self, GrantError> {
        if bool::from(secret.is_zero()) { Err(GrantError::Zero) } else { Ok(Self(secret)) }
    }

    /// Its bytes, the most significant first.
    pub fn to_bytes(&self) -> [u8; 32] {
        bytes_of(&self.0)
    }

    /// The key that others know.
    pub fn public(&self) -> PublicKey {
        PublicKey((G1Projective::generator() * self.0).to_affine())
    }

    /// Shows that its holder has it, bound to what `context` says: who registers it, where, for which epoch.
    pub fn possession(&self, context: &[u8], entropy: &Entropy) -> Possession {
        let public = self.public();
        let a = nonce(&[&self.0], entropy, 1, &[context]);
        let c = possession_challenge(&public, context, &(G1Projective::generator() * a));
        Possession { challenge: c, answer: a + c * self.0 }
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey")
    }
}

/// A public key: a point of G1's subgroup other than the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(pub(super) G1Affine);

impl PublicKey {
    /// Decodes 48 bytes, compressed as in the BLS signature drafts.
    ///
    /// # Errors
    /// [`GrantError::Length`], [`GrantError::Point`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GrantError> {
        point(bytes, "a public key").map(Self)
    }

    /// Its 48 bytes.
    pub fn to_bytes(&self) -> [u8; 48] {
        self.0.to_compressed()
    }

    /// Checks that somebody has the secret, and said so in this context.
    ///
    /// # Errors
    /// [`GrantError::Proof`].
    pub fn check_possession(&self, context: &[u8], proof: &Possession) -> Result<(), GrantError> {
        let t = G1Projective::generator() * proof.answer - self.0 * proof.challenge;
        if possession_challenge(self, context, &t) == proof.challenge {
            Ok(())
        } else {
            Err(GrantError::Proof("key's possession"))
        }
    }
}

fn possession_challenge(key: &PublicKey, context: &[u8], t: &G1Projective) -> Scalar {
    Transcript::new(POSSESSION).points([&key.0]).fields([context]).commitments(&[*t]).scalar()
}

/// Proof that a key's secret is known: challenge and answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Possession {
    challenge: Scalar,
    answer: Scalar,
}

impl Possession {
    /// Decodes 64 bytes.
    ///
    /// # Errors
    /// [`GrantError::Length`], [`GrantError::Scalar`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GrantError> {
        let [challenge, answer] = scalars(bytes, "a proof of possession")?;
        Ok(Self { challenge, answer })
    }

    /// Its 64 bytes.
    pub fn to_bytes(&self) -> [u8; 64] {
        concat([&self.challenge, &self.answer])
    }
}

/// A number that is used once: it follows from the secrets, the caller's randomness and the statement, so that it is
/// another one for another statement even if the randomness comes again.
pub(super) fn nonce(secrets: &[&Scalar], entropy: &Entropy, number: u8, statement: &[&[u8]]) -> Scalar {
    let mut transcript = Transcript::new(NONCE);
    for secret in secrets {
        let mut bytes = bytes_of(secret);
        transcript.field(&bytes);
        bytes.zeroize();
    }
    transcript.fields([&entropy[..], &[number]]).fields(statement.iter().copied()).scalar()
}

/// Decodes a point from outside.
pub(super) fn point(bytes: &[u8], what: &'static str) -> Result<G1Affine, GrantError> {
    let bytes: &[u8; 48] = bytes.try_into().map_err(|_| GrantError::Length { what, want: 48, got: bytes.len() })?;
    let point: Option<G1Affine> = G1Affine::from_compressed(bytes).into();
    point.filter(|point| !bool::from(point.is_identity())).ok_or(GrantError::Point(what))
}

/// Decodes a scalar in its one spelling, the most significant byte first.
pub(super) fn scalar(bytes: &[u8; 32], what: &'static str) -> Result<Scalar, GrantError> {
    let mut little = *bytes;
    little.reverse();
    let scalar: Option<Scalar> = Scalar::from_bytes(&little).into();
    little.zeroize();
    scalar.ok_or(GrantError::Scalar(what))
}

/// Decodes as many scalars as a proof has.
pub(super) fn scalars<const N: usize>(bytes: &[u8], what: &'static str) -> Result<[Scalar; N], GrantError> {
    let (chunks, rest) = bytes.as_chunks::<32>();
    let chunks: &[[u8; 32]; N] = chunks.try_into().ok().filter(|_| rest.is_empty()).ok_or(GrantError::Length {
        what,
        want: N * 32,
        got: bytes.len(),
    })?;
    let mut all = [Scalar::ZERO; N];
    for (scalar_, bytes) in all.iter_mut().zip(chunks) {
        *scalar_ = scalar(bytes, what)?;
    }
    Ok(all)
}

/// A scalar's bytes, the most significant first.
pub(super) fn bytes_of(scalar: &Scalar) -> [u8; 32] {
    let mut bytes = scalar.to_bytes();
    bytes.reverse();
    bytes
}

/// Scalars one after another.
pub(super) fn concat<const N: usize, const B: usize>(scalars: [&Scalar; N]) -> [u8; B] {
    let mut all = [0; B];
    for (chunk, scalar) in all.as_chunks_mut::<32>().0.iter_mut().zip(scalars) {
        *chunk = bytes_of(scalar);
    }
    all
}
