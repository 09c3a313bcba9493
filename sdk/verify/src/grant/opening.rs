//! Openings: what a ciphertext holds, shown to everybody, with the proof that it holds just that.
//!
//! Whoever has the secret x of the key P = xG for which C = (C1, C2) is, shows K = C2 − xC1, and that she has opened C with
//! that secret (Chaum and Pedersen's proof):
//!
//! ```text
//! P = xG    C2 − K = xC1
//! ```
//!
//! T1 = aG, T2 = aC1, c = H(context, P, C1, C2, K, T1, T2), z = a + cx. A ciphertext holds one point for its key, so nobody
//! can show another. All wraps of a record hold what its registration holds ([`super::Wrap`]): one opening speaks for all.

use bls12_381::{G1Projective, Scalar};
use group::Curve;
use zeroize::Zeroize;

use super::{
    Ciphertext, ContentPoint, Entropy, GrantError, Opened, PublicKey, SecretKey,
    key::{concat, nonce, scalars},
    transcript::Transcript,
};

const OPENING: &[u8] = b"aceso/grant/opening/1";

/// The proof that a ciphertext holds a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    challenge: Scalar,
    answer: Scalar,
}

impl Opening {
    /// Shows what `from` holds for `secret`'s owner: the point, and the proof.
    pub fn new(about: &Opened<'_>, secret: &SecretKey, from: &Ciphertext, entropy: &Entropy) -> (ContentPoint, Self) {
        let (public, content) = (secret.public(), from.open(secret));
        let job = about.job.to_be_bytes();
        let mut a = nonce(&[&secret.0], entropy, 1, &[OPENING, about.chain_id.as_bytes(), &job, &from.to_bytes()]);
        let t = [G1Projective::generator() * a, from.c1 * a];
        let c = challenge(about, &public, from, &content, &t);
        let opening = Self { challenge: c, answer: a + c * secret.0 };
        a.zeroize();
        (content, opening)
    }

    /// Checks that `from` holds this point for `key`.
    ///
    /// # Errors
    /// [`GrantError::Proof`].
    pub fn check(
        &self,
        about: &Opened<'_>,
        key: &PublicKey,
        from: &Ciphertext,
        content: &ContentPoint,
    ) -> Result<(), GrantError> {
        let (z, c) = (self.answer, self.challenge);
        let t = [G1Projective::generator() * z - key.0 * c, from.c1 * z - from.c2 * c + content.0 * c];
        if challenge(about, key, from, content, &t) == c { Ok(()) } else { Err(GrantError::Proof("opening")) }
    }

    /// Decodes 64 bytes.
    ///
    /// # Errors
    /// [`GrantError::Length`], [`GrantError::Scalar`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GrantError> {
        let [challenge, answer] = scalars(bytes, "an opening's proof")?;
        Ok(Self { challenge, answer })
    }

    /// Its 64 bytes.
    pub fn to_bytes(&self) -> [u8; 64] {
        concat([&self.challenge, &self.answer])
    }
}

fn challenge(
    about: &Opened<'_>,
    key: &PublicKey,
    from: &Ciphertext,
    content: &ContentPoint,
    t: &[G1Projective; 2],
) -> Scalar {
    let content = content.0.to_affine();
    let points = [&key.0, &from.c1, &from.c2, &content];
    let job = about.job.to_be_bytes();
    Transcript::new(OPENING).fields([about.chain_id.as_bytes(), &job]).points(points).commitments(t).scalar()
}
