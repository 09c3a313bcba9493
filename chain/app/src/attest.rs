//! Attestation keys: how validators say together that they hold a blob.
//!
//! BLS12-381 with public keys in G1 (48 bytes) and signatures in G2 (96 bytes), as in the IETF's `min-pk` suites with
//! proofs of possession. Points from outside are always checked for their subgroup, and the identity is refused. A
//! key counts only with a proof that its operator holds it, under a tag of its own and bound to the consensus key and
//! the epoch: so keys may be added up.

use aceso_types::{
    Digest,
    msg::{Availability, Extension, Held},
    sealed,
};
use blst::{
    BLST_ERROR,
    min_pk::{AggregatePublicKey, AggregateSignature, PublicKey, SecretKey, Signature},
};

use crate::WantedBlob;

/// Domain of statements about blobs, sealed reads and roots.
const STATEMENT: &[u8] = sealed::SIGNATURE_DOMAIN;
/// Domain of proofs of possession.
const POSSESSION: &[u8] = b"ACESO_BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";
/// Domain of requests for bytes between nodes, which never reach the chain.
const REQUEST: &[u8] = b"ACESO_BLS_REQ_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// Most bytes of a vote extension.
pub const EXTENSION_BYTES_MAX: usize = 64 << 10;
/// Bytes of an encoded entry of an extension: a CID of 59 characters, a signature, two numbers and their frames.
const HELD_BYTES_MAX: usize = 59 + 96 + 2 * 10 + 12;

/// Why an attestation key or signature is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttestError {
    /// Not a secret key.
    #[error("an attestation key has 32 bytes that make a scalar other than zero")]
    Secret,
    /// Not a public key in the right subgroup.
    #[error("not a BLS12-381 public key of 48 bytes in its subgroup")]
    Public,
    /// Not a signature in the right subgroup, or not by this key over this message.
    #[error("the BLS12-381 signature is not valid")]
    Signature,
    /// Nobody signed.
    #[error("no signer")]
    Empty,
}

/// A validator's secret key for attestations.
pub struct AttestKey(SecretKey);

impl AttestKey {
    /// Derives a key from 32 bytes or more of secret entropy (RFC draft-irtf-cfrg-bls-signature `KeyGen`).
    pub fn generate(entropy: &[u8; 32]) -> Result<Self, AttestError> {
        SecretKey::key_gen(entropy, b"aceso/attest").map(Self).map_err(|_| AttestError::Secret)
    }

    /// The key with these bytes, as [`AttestKey::to_bytes`] gave them.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, AttestError> {
        SecretKey::from_bytes(bytes).map(Self).map_err(|_| AttestError::Secret)
    }

    /// The secret's bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The public key, compressed.
    pub fn public(&self) -> [u8; 48] {
        self.0.sk_to_pk().to_bytes()
    }

    /// Proof that the operator of `consensus_key` holds this key in `epoch`.
    pub fn possession(&self, consensus_key: &[u8; 32], epoch: u64) -> [u8; 96] {
        self.0.sign(&possession_bytes(&self.public(), consensus_key, epoch), POSSESSION, &[]).to_bytes()
    }

    /// Signs a request to another node for a blob.
    pub fn sign_request(&self, request: &Digest) -> [u8; 96] {
        self.0.sign(&request.0, REQUEST, &[]).to_bytes()
    }

    /// Signs a statement.
    pub fn sign(&self, message: &Digest) -> [u8; 96] {
        self.0.sign(&message.0, STATEMENT, &[]).to_bytes()
    }
}

fn possession_bytes(bls_key: &[u8], consensus_key: &[u8], epoch: u64) -> Vec<u8> {
    [bls_key, consensus_key, &epoch.to_be_bytes()].concat()
}

/// Checks a proof of possession.
pub fn check_possession(bls_key: &[u8], consensus_key: &[u8], epoch: u64, proof: &[u8]) -> Result<(), AttestError> {
    let key = PublicKey::key_validate(bls_key).map_err(|_| AttestError::Public)?;
    let proof = Signature::sig_validate(proof, true).map_err(|_| AttestError::Signature)?;
    match proof.verify(false, &possession_bytes(bls_key, consensus_key, epoch), POSSESSION, &[], &key, false) {
        BLST_ERROR::BLST_SUCCESS => Ok(()),
        _ => Err(AttestError::Signature),
    }
}

/// Checks the signature of a request.
pub fn check_request(bls_key: &[u8], request: &Digest, signature: &[u8]) -> Result<(), AttestError> {
    let key = PublicKey::key_validate(bls_key).map_err(|_| AttestError::Public)?;
    let signature = Signature::sig_validate(signature, true).map_err(|_| AttestError::Signature)?;
    match signature.verify(false, &request.0, REQUEST, &[], &key, false) {
        BLST_ERROR::BLST_SUCCESS => Ok(()),
        _ => Err(AttestError::Signature),
    }
}

/// Checks that every one of `keys` has signed `message`, all in one signature. The keys' possession must be proven.
pub fn check_together(keys: &[Vec<u8>], message: &Digest, signature: &[u8]) -> Result<(), AttestError> {
    let keys: Vec<PublicKey> = keys
        .iter()
        .map(|key| PublicKey::key_validate(key))
        .collect::<Result<_, _>>()
        .map_err(|_| AttestError::Public)?;
    let key = AggregatePublicKey::aggregate(&keys.iter().collect::<Vec<_>>(), false)
        .map_err(|_| AttestError::Empty)?
        .to_public_key();
    let signature = Signature::sig_validate(signature, true).map_err(|_| AttestError::Signature)?;
    match signature.verify(false, &message.0, STATEMENT, &[], &key, true) {
        BLST_ERROR::BLST_SUCCESS => Ok(()),
        _ => Err(AttestError::Signature),
    }
}

/// Adds signatures over one message up. Each is checked for its subgroup, not against its key.
pub fn add_up(signatures: &[Vec<u8>]) -> Result<[u8; 96], AttestError> {
    let signatures: Vec<Signature> = signatures
        .iter()
        .map(|one| Signature::sig_validate(one, true))
        .collect::<Result<_, _>>()
        .map_err(|_| AttestError::Signature)?;
    let sum =
        AggregateSignature::aggregate(&signatures.iter().collect::<Vec<_>>(), false).map_err(|_| AttestError::Empty)?;
    Ok(sum.to_signature().to_bytes())
}

/// The vote extension of a validator that holds these blobs: as many as fit, in the order given.
pub fn extension(key: &AttestKey, chain_id: &str, held: impl Iterator<Item = WantedBlob>) -> Extension {
    let entry = |blob: WantedBlob| {
        let cid = blob.id.to_string();
        let signature = key.sign(&Availability::sign_bytes(chain_id, &cid, blob.size, blob.expires));
        Held { cid, size: blob.size, expires: blob.expires, signature: signature.into() }
    };
    Extension { held: held.take(EXTENSION_BYTES_MAX / HELD_BYTES_MAX).map(entry).collect(), ..Extension::default() }
}

#[cfg(test)]
mod tests {
    use aceso_types::BlobId;
    use prost::Message;

    use super::*;

    fn key(seed: u8) -> AttestKey {
        AttestKey::generate(&[seed; 32]).unwrap()
    }

    #[test]
    fn keys_come_back_and_do_not_change() {
        let key = key(1);
        assert_eq!(AttestKey::from_bytes(&key.to_bytes()).unwrap().public(), key.public());
        assert_eq!(AttestKey::from_bytes(&[0; 32]).err(), Some(AttestError::Secret));
        expect_test::expect!["b5de84c820f5d4241a99916c4afcc3580dbc65d006e669e5d0fed308a48b8c063d0c437544c853b89594d16748ffc31317c7a1e1ca7ba4a1733ce0e6f5b1865a6837c501280bbe6419c238f00213ca704bb774f56af3f723e859be41b9cf0d63"].assert_eq(&hex::encode(key.sign(&Digest([7; 32]))));
    }

    #[test]
    fn possession_is_bound_to_operator_and_epoch() {
        let (key, other) = (key(1), key(2));
        let proof = key.possession(&[3; 32], 0);
        let check = |bls: &[u8], operator: u8, epoch| check_possession(bls, &[operator; 32], epoch, &proof);
        assert_eq!(check(&key.public(), 3, 0), Ok(()));
        assert_eq!(check(&key.public(), 4, 0), Err(AttestError::Signature));
        assert_eq!(check(&key.public(), 3, 1), Err(AttestError::Signature));
        assert_eq!(check(&other.public(), 3, 0), Err(AttestError::Signature));
        assert_eq!(check(&[0; 48], 3, 0), Err(AttestError::Public));
        let infinity = [&[0xc0][..], &[0; 47]].concat();
        assert_eq!(check(&infinity, 3, 0), Err(AttestError::Public));
    }

    #[test]
    fn signatures_add_up_and_nobody_can_be_left_out() {
        let message = Digest([7; 32]);
        let keys: Vec<Vec<u8>> = (1..4).map(|seed| key(seed).public().into()).collect();
        let signatures: Vec<Vec<u8>> = (1..4).map(|seed| key(seed).sign(&message).into()).collect();
        let sum = add_up(&signatures).unwrap();
        assert_eq!(check_together(&keys, &message, &sum), Ok(()));
        assert_eq!(check_together(&keys[..2], &message, &sum), Err(AttestError::Signature));
        assert_eq!(check_together(&keys, &Digest([8; 32]), &sum), Err(AttestError::Signature));
        assert_eq!(check_together(&[], &message, &sum), Err(AttestError::Empty));
        assert_eq!(check_together(&keys, &message, &[0; 96]), Err(AttestError::Signature));
        assert_eq!(add_up(&[]), Err(AttestError::Empty));
        assert_eq!(add_up(&[vec![1; 96]]), Err(AttestError::Signature));
    }

    #[test]
    fn a_statement_is_no_proof_of_possession() {
        let key = key(1);
        let bytes = possession_bytes(&key.public(), &[3; 32], 0);
        let signature = key.0.sign(&bytes, STATEMENT, &[]).to_bytes();
        assert_eq!(check_possession(&key.public(), &[3; 32], 0, &signature), Err(AttestError::Signature));
    }

    #[test]
    fn a_request_is_no_statement() {
        let (key, request) = (key(1), Digest([7; 32]));
        let signature = key.sign_request(&request);
        assert_eq!(check_request(&key.public(), &request, &signature), Ok(()));
        assert_eq!(check_request(&key.public(), &Digest([8; 32]), &signature), Err(AttestError::Signature));
        assert_eq!(check_request(&key.public(), &request, &key.sign(&request)), Err(AttestError::Signature));
        assert_eq!(check_together(&[key.public().into()], &request, &signature), Err(AttestError::Signature));
        assert_eq!(check_request(&[0; 48], &request, &signature), Err(AttestError::Public));
    }

    #[test]
    fn an_extension_never_grows_beyond_its_bound() {
        let endless = (0..10_000_u64).map(|n| WantedBlob {
            id: BlobId::of_raw(&n.to_be_bytes()),
            size: u64::MAX,
            expires: u64::MAX,
        });
        let extension = extension(&key(1), "chain", endless.take(400));
        assert!(extension.encoded_len() <= EXTENSION_BYTES_MAX && extension.held.len() > 300);
    }
}
