//! Grants: how a patient hands a key to a reader so that everybody can check it and nobody else learns it.
//!
//! An image is sealed under a key that follows from a point K of G1 ([`ContentPoint`]). Its owner *registers* the point,
//! encrypted to her own key of this image ([`Registration`]), and *wraps* it for whom she lets in ([`Wrap`]): the chain
//! checks a proof that registration and wrap hold the same K, without learning it. A reader who may pass it on wraps
//! again by the same proof, out of what she was given.
//!
//! Encryption is ElGamal in G1 of BLS12-381: C = (rG, K + rP). Proofs are Schnorr's, made non-interactive by a
//! transcript ([`transcript`]) that takes every point and everything that the proof is about. What a proof does not
//! show: that K opens the sealed bytes. That is what the key's commitment in the sealed header is for
//! ([`ContentPoint::commitment`]); whoever opens compares. Whoever has opened can show it to everybody ([`Opening`]).
//!
//! A key's secret can be dealt to guardians ([`Deal`]), some of whom bring it back together; who lies is found.
//!
//! Points from outside are checked for curve, subgroup and identity when they are decoded, scalars for their range. Work
//! with secrets takes the same time whatever they are. Nothing here makes randomness: callers hand in 64 bytes, which
//! are mixed with the secret and the statement, so that even a broken generator never repeats a nonce for two statements.

mod deal;
mod envelope;
mod error;
mod key;
mod opening;
mod transcript;
mod wrap;

pub use deal::{Deal, Dealt, GUARDIANS_MAX, Handed, Share};
pub use envelope::{Ciphertext, ContentPoint, Registration};
pub use error::GrantError;
pub use key::{Possession, PublicKey, SecretKey};
pub use opening::Opening;
pub use wrap::Wrap;

pub use aceso_types::sealed::{Granted, MEMBERS_MAX, Opened, Registered};

/// Bytes of randomness that a caller hands in.
pub type Entropy = [u8; 64];
