//! Attestation keys: how validators say together that they hold a blob.
//!
//! BLS12-381 with public keys in G1 (48 bytes) and signatures in G2 (96 bytes), as in the IETF's `min-pk` suites with
//! proofs of possession. Points from outside are always checked for their subgroup, and the identity is refused. A
//! key counts only with a proof that its operator holds it, under a tag of its own and bound to the consensus key and
//! the epoch: so keys may be added up.

use std::collections::BTreeMap;

use aceso_types::{
    Digest,
    msg::{Availability, Extension, Held, RootShare, Share},
    sealed,
};
use blst::{
    BLST_ERROR, MultiPoint, blst_fp12, blst_p1_affine, blst_p2, blst_p2_affine,
    min_pk::{AggregatePublicKey, AggregateSignature, PublicKey, SecretKey, Signature},
    p2_affines,
};
use prost::{Message, encoding::encoded_len_varint};
use rayon::prelude::*;

use crate::{
    WantedBlob,
    grants::group::{generator, hash_to_g2},
};

/// Domain of statements about blobs, sealed reads and roots.
const STATEMENT: &[u8] = sealed::SIGNATURE_DOMAIN;
/// Domain of proofs of possession.
const POSSESSION: &[u8] = b"ACESO_BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";
/// Domain of requests for bytes between nodes, which never reach the chain.
const REQUEST: &[u8] = b"ACESO_BLS_REQ_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// Bytes of the coefficients of a batch.
const WEIGHT: usize = 16;
/// Set in the first byte of a compressed point that is the identity.
const INFINITY: u8 = 0x40;

/// Most bytes of a vote extension.
pub const EXTENSION_BYTES_MAX: usize = 64 << 10;
/// Bytes of it that shares of jobs may take: the rest is for blobs.
const SHARES_BYTES_MAX: usize = 48 << 10;
/// Roots that an extension has a word for.
pub(crate) const ROOTS_MAX: usize = 16;

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

/// What some have signed together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Their keys, 48 bytes each, as the state has them: in their subgroup, their possession proven.
    pub keys: Vec<Vec<u8>>,
    /// What.
    pub message: Digest,
    /// All their signatures in one, 96 bytes.
    pub signature: Vec<u8>,
}

/// Checks many statements with one product of pairings, each weighed with a coefficient of 128 bits that follows from
/// all of them. Where that fails they are checked one by one, and the first that does not hold is named.
///
/// # Errors
/// [`AttestError`] with the place of the statement.
pub fn check_all(all: &[Signed]) -> Result<(), (usize, AttestError)> {
    let mut known: BTreeMap<&[u8], PublicKey> = BTreeMap::new();
    let read: Vec<_> = all.par_iter().map(|one| Signature::sig_validate(&one.signature, true)).collect();
    let (mut keys, mut signatures) = (Vec::with_capacity(all.len()), Vec::with_capacity(all.len()));
    for ((at, one), signature) in all.iter().enumerate().zip(read) {
        let mut members = Vec::with_capacity(one.keys.len());
        for key in &one.keys {
            let read = match known.get(&key[..]) {
                Some(read) => *read,
                None => PublicKey::uncompress(key).map_err(|_| (at, AttestError::Public))?,
            };
            known.insert(key, read);
            members.push(read);
        }
        let sum = AggregatePublicKey::aggregate(&members.iter().collect::<Vec<_>>(), false);
        keys.push(sum.map_err(|_| (at, AttestError::Empty))?.to_public_key());
        signatures.push(signature.map_err(|_| (at, AttestError::Signature))?);
    }
    if all.len() > 1 && hold_together(all, &keys, &signatures) {
        return Ok(());
    }
    let mut each = all.iter().zip(&keys).zip(&signatures);
    let holds = |((one, key), signature): ((&Signed, &PublicKey), &Signature)| {
        signature.verify(false, &one.message.0, STATEMENT, &[], key, false) == BLST_ERROR::BLST_SUCCESS
    };
    each.position(|one| !holds(one)).map_or(Ok(()), |at| Err((at, AttestError::Signature)))
}

/// Whether Π e(key, hash)^r = e(G, Σ r·signature), with a coefficient r for each statement. One pairing for each key: where
/// several statements are those of one committee, their hashes are added up before.
fn hold_together(all: &[Signed], keys: &[PublicKey], signatures: &[Signature]) -> bool {
    let encoded: Vec<[u8; 48]> = keys.iter().map(PublicKey::to_bytes).collect();
    // Keys that cancel each other out: anybody signs for the identity.
    if encoded.iter().any(|key| key[0] & INFINITY != 0) {
        return false;
    }
    let bytes: Vec<Vec<u8>> =
        all.iter().zip(&encoded).map(|(one, key)| [&key[..], &one.message.0, &one.signature].concat()).collect();
    let seed = Digest::sha3("aceso/batch/v1", &bytes.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let weights: Vec<[u8; WEIGHT]> = (0..all.len() as u64).map(|at| coefficient(&seed, at)).collect();
    let sum = signatures.mult(&weights.concat(), 8 * WEIGHT).to_signature();

    let mut committees: BTreeMap<[u8; 48], Vec<usize>> = BTreeMap::new();
    encoded.into_iter().enumerate().for_each(|(at, key)| committees.entry(key).or_default().push(at));
    let hash = |at: &usize| hash_to_g2(&all[*at].message.0, STATEMENT);
    let pair = |said: &Vec<usize>| -> (blst_p2_affine, blst_p1_affine) {
        let hashes: Vec<blst_p2> = said.iter().map(hash).collect();
        let weights: Vec<u8> = said.iter().flat_map(|at| weights[*at]).collect();
        match hashes[..] {
            // It is less work to weigh a key than a hash.
            [_] => (affine(&hashes), keys[said[0]..=said[0]].mult(&weights, 8 * WEIGHT).to_public_key().into()),
            _ => (affine(&[p2_affines::from(&hashes).mult(&weights, 8 * WEIGHT)]), keys[said[0]].into()),
        }
    };
    let committees: Vec<Vec<usize>> = committees.into_values().collect();
    let (hashes, keys): (Vec<_>, Vec<_>) = committees.par_iter().map(pair).unzip();
    let said = blst_fp12::miller_loop_n(&hashes, &keys);
    blst_fp12::finalverify(&said, &blst_fp12::miller_loop(&sum.into(), &generator()))
}

/// A point of G2, the first of these, as pairings take it.
fn affine(points: &[blst_p2]) -> blst_p2_affine {
    p2_affines::from(points).as_slice().first().copied().unwrap_or_default()
}

/// A weight, little-endian, never zero.
fn coefficient(seed: &Digest, at: u64) -> [u8; WEIGHT] {
    let digest = Digest::sha3("aceso/coefficient/v1", &[&seed.0, &at.to_be_bytes()]);
    let mut weight = [0; WEIGHT];
    weight.copy_from_slice(&digest.0[..WEIGHT]);
    weight[0] |= 1;
    weight
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

/// The vote extension of a validator: its word for roots, its shares of jobs and the blobs that it holds, of each as many
/// as fit. Roots and blobs are taken in the order given, shares from both ends: of the oldest jobs and of the newest, so that
/// old ones which nobody else can read do not keep new ones out of the vote. Members do so alike, and say the same jobs at
/// the same time. Shares and roots are signed with the key that their committee knows, which may be an older one than `key`.
pub fn extension(
    key: &AttestKey,
    chain_id: &str,
    held: impl Iterator<Item = WantedBlob>,
    shares: impl IntoIterator<IntoIter: DoubleEndedIterator<Item = Share>>,
    roots: impl IntoIterator<Item = RootShare>,
) -> Extension {
    let mut extension = Extension { roots: roots.into_iter().take(ROOTS_MAX).collect(), ..Extension::default() };
    let mut room = SHARES_BYTES_MAX;
    let mut shares = shares.into_iter();
    let mut is_newest = false;
    while let Some(share) = if is_newest { shares.next_back() } else { shares.next() } {
        let Some(left) = room.checked_sub(field(&share)) else { break };
        room = left;
        extension.shares.push(share);
        is_newest = !is_newest;
    }
    extension.shares.sort_by_key(|share| share.job);
    let mut room = EXTENSION_BYTES_MAX.saturating_sub(extension.encoded_len());
    for blob in held {
        let cid = blob.id.to_string();
        let signature = key.sign(&Availability::sign_bytes(chain_id, &cid, blob.size, blob.expires));
        let entry = Held { cid, size: blob.size, expires: blob.expires, signature: signature.into() };
        let Some(left) = room.checked_sub(field(&entry)) else { break };
        room = left;
        extension.held.push(entry);
    }
    extension
}

/// Bytes of an entry of an extension with its frame.
fn field(entry: &impl Message) -> usize {
    let length = entry.encoded_len();
    1 + encoded_len_varint(length as u64) + length
}

#[cfg(test)]
mod tests {
    use aceso_types::BlobId;

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
    fn many_statements_hold_together_or_the_bad_one_is_named() {
        let signed = |seed: u8, members: u8| {
            let message = Digest([seed; 32]);
            let members: Vec<AttestKey> = (seed..seed + members).map(key).collect();
            let signatures: Vec<Vec<u8>> = members.iter().map(|one| one.sign(&message).into()).collect();
            let keys = members.iter().map(|one| one.public().into()).collect();
            Signed { keys, message, signature: add_up(&signatures).unwrap().into() }
        };
        let all: Vec<Signed> = (1..20).map(|seed| signed(seed, 1 + seed % 4)).collect();
        assert_eq!((check_all(&all), check_all(&all[..1]), check_all(&[])), (Ok(()), Ok(()), Ok(())));
        let broken = |at: usize, change: fn(&mut Signed)| {
            let mut all = all.clone();
            change(&mut all[at]);
            check_all(&all)
        };
        assert_eq!(broken(3, |one| one.message.0[0] ^= 1), Err((3, AttestError::Signature)));
        assert_eq!(broken(0, |one| one.signature[0] ^= 0x20), Err((0, AttestError::Signature)));
        assert_eq!(broken(18, |one| one.signature = vec![0; 96]), Err((18, AttestError::Signature)));
        assert_eq!(broken(5, |one| one.keys.truncate(1)), Err((5, AttestError::Signature)));
        assert_eq!(broken(5, |one| one.keys.clear()), Err((5, AttestError::Empty)));
        assert_eq!(broken(5, |one| one.keys[0].truncate(47)), Err((5, AttestError::Public)));
        // Signatures whose errors cancel each other out in a sum hold for neither.
        let mut swapped = all.clone();
        let first = swapped[0].signature.clone();
        swapped[0].signature = std::mem::replace(&mut swapped[1].signature, first);
        assert_eq!(check_all(&swapped), Err((0, AttestError::Signature)));
        // Two whose keys cancel each other out have signed nothing.
        let secret = key(1).to_bytes();
        let order = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";
        let mut negated: [u8; 32] = hex::decode(order).unwrap().try_into().unwrap();
        let mut borrow = 0_i16;
        for at in (0..32).rev() {
            let digit = i16::from(negated[at]) - i16::from(secret[at]) - borrow;
            (negated[at], borrow) = (u8::try_from(digit.rem_euclid(256)).unwrap(), i16::from(digit < 0));
        }
        let other = AttestKey::from_bytes(&negated).unwrap();
        let infinity = [&[0xc0][..], &[0; 95]].concat();
        for signature in [infinity, key(1).sign(&Digest([9; 32])).to_vec()] {
            let keys = vec![key(1).public().into(), other.public().into()];
            let none = Signed { keys, message: Digest([9; 32]), signature };
            assert_eq!(check_all(std::slice::from_ref(&none)), Err((0, AttestError::Signature)));
            assert_eq!(check_all(&[all[0].clone(), none]), Err((1, AttestError::Signature)));
        }
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
        let share = |job| Share { job, outcome: vec![1; 4_500], signature: vec![2; 96] };
        let root = |number| RootShare { number, signature: vec![3; 96] };
        let full = extension(&key(1), "chain", endless.take(400), (1..400).map(share), (1..400).map(root));
        assert!(full.encoded_len() <= EXTENSION_BYTES_MAX && full.encoded_len() > EXTENSION_BYTES_MAX - 200);
        // The oldest and the newest, and room for blobs is left.
        let jobs: Vec<u64> = full.shares.iter().map(|one| one.job).collect();
        assert_eq!(jobs, [1, 2, 3, 4, 5, 395, 396, 397, 398, 399]);
        let few = extension(&key(1), "chain", [].into_iter(), (1..4).map(share), []);
        assert_eq!(few.shares.iter().map(|one| one.job).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((full.roots.len(), full.held.len() > 60), (ROOTS_MAX, true));
        let endless = (0..10_000_u64).map(|n| WantedBlob {
            id: BlobId::of_raw(&n.to_be_bytes()),
            size: u64::MAX,
            expires: u64::MAX,
        });
        let blobs = extension(&key(1), "chain", endless.take(400), [], []);
        assert!(blobs.encoded_len() <= EXTENSION_BYTES_MAX && blobs.held.len() > 300);
    }
}
