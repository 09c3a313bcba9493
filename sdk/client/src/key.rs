//! An account's key: secp256k1, derived as every Cosmos wallet does.

use aceso_types::{guest::Origin, msg::SignedOrigin};
use aceso_verify::grant::SecretKey;
use bech32::{Bech32, Hrp};
use bip32::{DerivationPath, Language, Mnemonic, XPrv};
use cosmos_sdk_proto::{Any, cosmos::crypto::secp256k1::PubKey};
use k256::ecdsa::{Signature, SigningKey, signature::Signer};
use ripemd::{Digest as _, Ripemd160};
use sha2::Sha256;
use zeroize::Zeroize;

use crate::{ClientError, tx::cosmos_any};

/// BIP-44 with Cosmos' coin type, first account.
const PATH: &str = "m/44'/118'/0'/0/0";

/// A secret key. Its `Debug` form shows the public key only.
#[derive(Clone)]
pub struct Key(SigningKey);

impl Key {
    /// A new key with the 24 words that bring it back.
    pub fn generate() -> Result<(Self, String), ClientError> {
        let mut entropy = [0; 32];
        getrandom::fill(&mut entropy).map_err(|e| ClientError::Key(e.to_string()))?;
        let mnemonic = Mnemonic::from_entropy(entropy, Language::English);
        Ok((Self::from_mnemonic(mnemonic.phrase())?, mnemonic.phrase().into()))
    }

    /// The key at `m/44'/118'/0'/0/0` of a mnemonic of 24 English words.
    pub fn from_mnemonic(words: &str) -> Result<Self, ClientError> {
        let refuse = |e: bip32::Error| ClientError::Key(e.to_string());
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let mnemonic = Mnemonic::new(words, Language::English)
            .map_err(|_| ClientError::Key("not a mnemonic of 24 English words".into()))?;
        let path: DerivationPath = PATH.parse().map_err(refuse)?;
        let derived = XPrv::derive_from_path(mnemonic.to_seed(""), &path).map_err(refuse)?;
        Self::from_bytes(&derived.to_bytes())
    }

    /// The key with this secret scalar, 32 bytes big-endian.
    pub fn from_bytes(secret: &[u8]) -> Result<Self, ClientError> {
        // The library pads shorter slices; a key that lost a byte is no key here.
        let scalar = Some(secret).filter(|secret| secret.len() == 32);
        let key = scalar.and_then(|scalar| SigningKey::from_slice(scalar).ok());
        key.map(Self).ok_or_else(|| ClientError::Key("not a secp256k1 scalar of 32 bytes".into()))
    }

    /// The public key: 33 bytes, compressed.
    pub fn public(&self) -> Vec<u8> {
        self.0.verifying_key().to_encoded_point(true).as_bytes().to_vec()
    }

    /// The same as the Cosmos SDK packs it.
    pub fn packed(&self) -> Any {
        cosmos_any(&PubKey { key: self.public() })
    }

    /// `bech32(prefix, ripemd160(sha256(public key)))`
    pub fn address(&self, prefix: &str) -> String {
        let hash = Ripemd160::digest(Sha256::digest(self.public()));
        // A chain's prefix is checked with its genesis file; a wrong one is shown as no address at all.
        Hrp::parse(prefix).ok().and_then(|hrp| bech32::encode::<Bech32>(hrp, &hash).ok()).unwrap_or_default()
    }

    /// ECDSA over SHA-256 of the message: 64 bytes `r ‖ s`, low s.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: Signature = self.0.sign(message);
        signature.normalize_s().unwrap_or(signature).to_bytes().to_vec()
    }

    /// A secret of the groups that grants use, for a purpose and a context: it follows from this key, and this key not from
    /// it.
    ///
    /// # Errors
    /// [`ClientError::Grant`], for one context of 2^255.
    pub fn derive(&self, purpose: &[u8], context: &[u8]) -> Result<SecretKey, ClientError> {
        let mut master: [u8; 32] = self.0.to_bytes().into();
        let secret = SecretKey::derive(&master, purpose, context);
        master.zeroize();
        Ok(secret?)
    }

    /// An institution's word for an image, signed.
    pub fn sign_origin(&self, origin: &Origin, chain_id: &str) -> SignedOrigin {
        SignedOrigin {
            institution: origin.institution.clone(),
            pixels: origin.pixels.as_bytes().to_vec(),
            study: origin.study.0.to_vec(),
            subject: origin.subject.0.to_vec(),
            public_key: self.public(),
            signature: self.sign(&origin.sign_bytes(chain_id).0),
        }
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key(public {})", hex::encode(self.public()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first account of CosmJS's test genesis (`scripts/simapp`): mnemonic and address as published there.
    #[test]
    fn derives_as_cosmjs_does() {
        let words = "economy stock theory fatal elder harbor betray wasp final emotion task crumble \
                     siren bottom lizard educate guess current outdoor pair theory focus wife stone";
        let key = Key::from_mnemonic(words).unwrap();
        assert_eq!(key.address("cosmos"), "cosmos1pkptre7fdkl6gfrzlesjjvhxhlc3r4gmmk8rs6");
    }

    #[test]
    fn other_words_are_refused() {
        for words in ["", "abandon", &"abandon ".repeat(24), "not words at all"] {
            assert!(matches!(Key::from_mnemonic(words), Err(ClientError::Key(_))), "{words}");
        }
        assert!(matches!(Key::from_bytes(&[0; 32]), Err(ClientError::Key(_))));
        assert!(matches!(Key::from_bytes(&[1; 31]), Err(ClientError::Key(_))));
    }

    #[test]
    fn a_new_key_comes_back_from_its_words() {
        let (key, words) = Key::generate().unwrap();
        assert_eq!(Key::from_mnemonic(&words).unwrap().public(), key.public());
        assert!(!format!("{key:?}").contains(&hex::encode(key.0.to_bytes())));
    }

    #[test]
    fn a_derived_secret_is_of_one_key_purpose_and_context() {
        let [one, other] = [7, 8].map(|byte| Key::from_bytes(&[byte; 32]).unwrap());
        let secret = |key: &Key, purpose: &[u8], context: &[u8]| key.derive(purpose, context).unwrap().to_bytes();
        let usual = secret(&one, b"purpose", b"context");
        assert_eq!(secret(&one, b"purpose", b"context"), usual);
        let others = [
            secret(&other, b"purpose", b"context"),
            secret(&one, b"another", b"context"),
            secret(&one, b"purpose", b"another"),
        ];
        assert!(others.iter().all(|secret| *secret != usual && *secret != [7; 32]));
    }
}
