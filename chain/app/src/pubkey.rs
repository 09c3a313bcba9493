//! Public keys of accounts: their kinds, whose they are, and whether a signature is theirs.
//!
//! Kinds, addresses and amino bytes are the Cosmos SDK's (`crypto/keys`). A key of a multisignature is a threshold and
//! other keys, of which some may be multisignatures again; only its address knows amino.

use std::sync::LazyLock;

use cosmos_sdk_proto::{
    Any,
    cosmos::crypto::{self, multisig::LegacyAminoPubKey},
};
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use prost::{Message, Name};
use ripemd::Ripemd160;
use secp256k1::{Message as Hash, PublicKey as Secp256k1Key, Secp256k1, VerifyOnly, ecdsa::Signature};
use sha2::{Digest, Sha256};

use crate::{
    address::Address,
    code::{Code, Fault},
    gas,
    tx::decode::canonical,
};

/// Keys inside each other, the innermost included (SDK `codec/types`, `MaxUnpackAnyRecursionDepth`).
pub(crate) const DEPTH_MAX: usize = 10;
/// Keys in one key (SDK `codec/types`, `MaxUnpackAnySubCalls`).
pub(crate) const KEYS_MAX: usize = 100;
/// The URL of a key of several.
const MULTISIG_URL: &str = "/cosmos.crypto.multisig.LegacyAminoPubKey";
/// What amino writes before a key of several: the prefix of `tendermint/PubKeyMultisigThreshold`.
const MULTISIG_PREFIX: [u8; 4] = [0x22, 0xc1, 0xf7, 0xe2];

static SECP: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);

/// Kinds of keys that make one signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Secp256k1,
    Ed25519,
    /// What passkeys have.
    Secp256r1,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Secp256k1, Self::Ed25519, Self::Secp256r1];

    /// As [`prost::Name::type_url`] would make it anew for each key that is read.
    fn url(self) -> &'static str {
        match self {
            Self::Secp256k1 => "/cosmos.crypto.secp256k1.PubKey",
            Self::Ed25519 => "/cosmos.crypto.ed25519.PubKey",
            Self::Secp256r1 => "/cosmos.crypto.secp256r1.PubKey",
        }
    }

    /// As the SDK's sentences have it.
    fn name(self) -> &'static str {
        match self {
            Self::Secp256k1 => "secp256k1",
            Self::Ed25519 => "ed25519",
            Self::Secp256r1 => "secp256r1",
        }
    }

    /// Bytes of a key.
    fn length(self) -> usize {
        if self == Self::Ed25519 { 32 } else { 33 }
    }

    /// What amino writes before a key, its length included; nothing where amino has no name for the kind.
    fn amino_prefix(self) -> &'static [u8] {
        match self {
            Self::Secp256k1 => &[0xeb, 0x5a, 0xe9, 0x87, 33],
            Self::Ed25519 => &[0x16, 0x24, 0xde, 0x64, 32],
            Self::Secp256r1 => &[],
        }
    }

    /// What checking a signature costs, and the sentence that says so.
    pub(crate) fn price(self) -> (u64, &'static str) {
        match self {
            Self::Secp256k1 => (gas::SECP256K1, "ante verify: secp256k1"),
            Self::Ed25519 => (gas::ED25519, "ante verify: ed25519"),
            Self::Secp256r1 => (gas::SECP256R1, "ante verify: secp256r1"),
        }
    }
}

/// A key that makes one signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SingleKey {
    pub(crate) kind: Kind,
    pub(crate) bytes: Vec<u8>,
}

/// A key of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MultiKey {
    /// How many of them have to sign: at least one, at most all.
    pub(crate) threshold: u32,
    pub(crate) members: Vec<PublicKey>,
}

/// A public key of an account, of the right form. That it is a point is another question ([`PublicKey::check`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PublicKey {
    Single(SingleKey),
    Multi(MultiKey),
}

impl PublicKey {
    /// Reads a key.
    ///
    /// # Errors
    /// [`Code::NotSupported`] for other kinds, [`Code::InvalidPubKey`] for a key that cannot be, [`Code::TxDecode`] for
    /// other bytes than the canonical ones.
    pub(crate) fn of_any(any: &Any) -> Result<Self, Fault> {
        Self::read(any, DEPTH_MAX, &mut { KEYS_MAX })
    }

    fn read(any: &Any, depth: usize, left: &mut usize) -> Result<Self, Fault> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Code::InvalidPubKey.because(format_args!("more than {DEPTH_MAX} keys inside each other")));
        };
        let Some(rest) = left.checked_sub(1) else {
            return Err(Code::InvalidPubKey.because(format_args!("more than {KEYS_MAX} keys in one")));
        };
        *left = rest;
        if any.type_url == MULTISIG_URL {
            return Self::read_multi(&any.value, depth, left);
        }
        let Some(kind) = Kind::ALL.into_iter().find(|kind| any.type_url == kind.url()) else {
            let url: String = any.type_url.chars().take(128).collect();
            return Err(Code::NotSupported.because(format_args!("public keys of type {url:?} do not sign here")));
        };
        // The three messages have the same one field.
        let bytes = canonical::<crypto::secp256k1::PubKey>(&any.value, &any.type_url)?.key;
        if bytes.len() != kind.length() {
            let words = format_args!("a {} public key has {} bytes", kind.name(), kind.length());
            return Err(Code::InvalidPubKey.because(words));
        }
        Ok(Self::Single(SingleKey { kind, bytes }))
    }

    fn read_multi(value: &[u8], depth: usize, left: &mut usize) -> Result<Self, Fault> {
        let LegacyAminoPubKey { threshold, public_keys } = canonical(value, MULTISIG_URL)?;
        if !(1..=public_keys.len()).contains(&(threshold as usize)) {
            let words = format_args!("{threshold} of {} keys have to sign, not 1 to all", public_keys.len());
            return Err(Code::InvalidPubKey.because(words));
        }
        let members: Vec<_> = public_keys.iter().map(|any| Self::read(any, depth, left)).collect::<Result<_, _>>()?;
        if let Some(kind) = members.iter().find_map(Self::nameless) {
            let words = format_args!("amino has no name for {} keys, so none is in a key of several", kind.name());
            return Err(Code::InvalidPubKey.because(words));
        }
        Ok(Self::Multi(MultiKey { threshold, members }))
    }

    /// The kind, if amino has no name for it.
    fn nameless(&self) -> Option<Kind> {
        match self {
            Self::Single(key) => Some(key.kind).filter(|kind| kind.amino_prefix().is_empty()),
            Self::Multi(_) => None,
        }
    }

    /// The `Any` that [`PublicKey::of_any`] reads.
    pub(crate) fn to_any(&self) -> Any {
        match self {
            Self::Single(key) => Any {
                type_url: key.kind.url().into(),
                value: crypto::secp256k1::PubKey { key: key.bytes.clone() }.encode_to_vec(),
            },
            Self::Multi(key) => {
                let public_keys = key.members.iter().map(Self::to_any).collect();
                let multi = LegacyAminoPubKey { threshold: key.threshold, public_keys };
                Any { type_url: MULTISIG_URL.into(), value: multi.encode_to_vec() }
            }
        }
    }

    /// The one that a simulation reckons with where nobody has said any: secp256k1's, as the SDK's is. It is the curve's
    /// generator, so nobody's.
    pub(crate) fn assumed() -> Self {
        let generator = secp256k1::constants::GENERATOR_X;
        Self::Single(SingleKey::secp256k1(&[&[2][..], &generator].concat()))
    }

    /// Bytes that it has in a transaction, its frame included.
    pub(crate) fn size(&self) -> u64 {
        let bytes = self.to_any().encoded_len();
        (1 + prost::length_delimiter_len(bytes) + bytes) as u64
    }

    /// How many signatures it may take (SDK `CountSubKeys`).
    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Single(_) => 1,
            Self::Multi(key) => key.members.iter().map(Self::count).sum(),
        }
    }

    /// Refuses bytes that are no point of their curve.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        match self {
            Self::Single(key) if key.is_point() => Ok(()),
            Self::Single(key) => Err(Code::InvalidPubKey.because(format_args!("not a point of {}", key.kind.name()))),
            Self::Multi(key) => key.members.iter().try_for_each(Self::check),
        }
    }

    /// Whose key it is.
    pub(crate) fn address(&self, prefix: &str) -> Result<Address, Fault> {
        match self {
            Self::Single(key) => key.address(prefix),
            Self::Multi(_) => Address::of_hash(&self.amino(), prefix),
        }
    }

    /// As amino writes it.
    fn amino(&self) -> Vec<u8> {
        match self {
            Self::Single(key) => [key.kind.amino_prefix(), &key.bytes].concat(),
            Self::Multi(key) => {
                // The message's two fields, with amino in the place of each `Any`.
                let mut bytes = MULTISIG_PREFIX.to_vec();
                prost::encoding::uint32::encode(1, &key.threshold, &mut bytes);
                for member in &key.members {
                    prost::encoding::bytes::encode(2, &member.amino(), &mut bytes);
                }
                bytes
            }
        }
    }
}

impl SingleKey {
    pub(crate) fn secp256k1(bytes: &[u8]) -> Self {
        Self { kind: Kind::Secp256k1, bytes: bytes.into() }
    }

    /// Whose key it is: 20 bytes, of secp256r1 32.
    pub(crate) fn address(&self, prefix: &str) -> Result<Address, Fault> {
        match self.kind {
            Kind::Secp256k1 => Address::of_bytes(&Ripemd160::digest(Sha256::digest(&self.bytes)), prefix),
            Kind::Ed25519 => Address::of_hash(&self.bytes, prefix),
            // ADR-028: the hash of the message's name comes before the key.
            Kind::Secp256r1 => {
                let name = Sha256::digest(crypto::secp256r1::PubKey::full_name());
                Address::of_bytes(&Sha256::new().chain_update(name).chain_update(&self.bytes).finalize(), prefix)
            }
        }
    }

    /// Whether a signature of 64 bytes over `message` is this key's. ECDSA is `r ‖ s` over the SHA-256 with the low s
    /// of two; ed25519 is by the rules of ZIP 215.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let digest = || -> [u8; 32] { Sha256::digest(message).into() };
        match self.kind {
            Kind::Secp256k1 => {
                let (Ok(key), Ok(signature)) =
                    (Secp256k1Key::from_slice(&self.bytes), Signature::from_compact(signature))
                else {
                    return false;
                };
                // The library refuses a high s.
                SECP.verify_ecdsa(Hash::from_digest(digest()), &signature, &key).is_ok()
            }
            Kind::Ed25519 => {
                let Ok(signature) = <[u8; 64]>::try_from(signature) else { return false };
                let key = ed25519_consensus::VerificationKey::try_from(&self.bytes[..]);
                key.is_ok_and(|key| key.verify(&signature.into(), message).is_ok())
            }
            Kind::Secp256r1 => {
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&self.bytes);
                let (Ok(key), Ok(signature)) = (key, p256::ecdsa::Signature::from_slice(signature)) else {
                    return false;
                };
                signature.normalize_s().is_none() && key.verify_prehash(&digest(), &signature).is_ok()
            }
        }
    }

    fn is_point(&self) -> bool {
        match self.kind {
            Kind::Secp256k1 => Secp256k1Key::from_slice(&self.bytes).is_ok(),
            Kind::Ed25519 => ed25519_consensus::VerificationKey::try_from(&self.bytes[..]).is_ok(),
            Kind::Secp256r1 => p256::ecdsa::VerifyingKey::from_sec1_bytes(&self.bytes).is_ok(),
        }
    }
}

#[cfg(test)]
mod tests;
