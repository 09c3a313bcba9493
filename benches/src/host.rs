//! How long do the functions take that contracts call, against what `chain/vm/src/price.rs` takes for them?
//!
//! Gas is picoseconds on that scale, so the price stands beside each time in the same unit, and a ratio below 1 is work that
//! is not paid for. Least times, in one thread, without the call itself and without copies, which have prices of their own. Run with
//! `cargo xtask bench host`.

use std::{convert::Infallible, fs, hint::black_box, path::Path};

use aceso_types::{
    Digest,
    sealed::{Key, Root, SignedRoot, examine},
};
use aceso_vm::{
    curve::{self, G1, G2, SCALAR},
    price::{self, Linear},
};
use anyhow::{Context, Result, ensure};
use cosmwasm_crypto::{self as crypto, HashFunction};
use ed25519_consensus::SigningKey;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sha3::{Keccak256, Sha3_256};

use crate::{beside_must, grants::least};

const TAG: &[u8] = b"BENCH_BLS12381_XMD:SHA-256_SSWU_RO_";
/// Ethereum's example in cosmwasm-crypto's documentation of recovery (EIP-712 of a mail to Bob): hash, signature, key.
const SECP256K1: [&str; 3] = [
    "5ae8317d34d1e595e3fa7247db80c0af4320cce1116de187f8f7e2e099c0d8d0",
    "45c0b7f8c09a9e1f1cea0c25785594427b6bf8f9f878a8af0b1abbb48e16d0920d8becd0c220f67c51217eecfd7184ef0732481c843857e6bc7fc095c4f6b788",
    "044a071e8a6e10aada2b8cf39fa3b5fb3400b04e99ea8ae64ceea1a977dbeaf5d5f8c8fbd10b71ab14cd561f7df8eb6da50f8a8d81ba564342244d26d1d4211595",
];
/// The generator of secp256r1: a key, and a signature's point that can be recovered from.
const SECP256R1: [&str; 2] = [
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
];

/// Runs the bench and hands out one JSON object per case. `root` is the clone.
pub(crate) fn run(root: &Path, quick: bool, emit: impl FnMut(Value) + Send) -> Result<()> {
    // cosmwasm-crypto shares its work among the threads of the pool that it is called in.
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let mut bench = Bench { rounds: if quick { 20 } else { 200 }, emit };
    one.install(|| {
        bench.hashes()?;
        bench.receipts(root)?;
        bench.multiples()?;
        bench.signatures()?;
        bench.pairings()
    })
}

struct Bench<E> {
    rounds: usize,
    emit: E,
}

impl<E: FnMut(Value)> Bench<E> {
    /// A case and its price in gas.
    fn case<R>(&mut self, name: &str, gas: u64, work: impl Fn() -> R) -> Result<()> {
        // Short work is repeated, for the clock's sake; long work is not repeated as often.
        let repeat = (20_000_000 / gas.max(1)).clamp(1, 10_000);
        let rounds = usize::try_from(2_000_000_000_000 / gas.max(1)).unwrap_or(usize::MAX).clamp(3, self.rounds);
        let took = least(rounds, || {
            (0..repeat).for_each(|_| drop(black_box(work())));
            Ok::<_, Infallible>(())
        })?;
        #[allow(clippy::cast_precision_loss, reason = "for people")]
        let (took, gas) = (took * 1e3 / repeat as f64, gas as f64 / 1e6);
        (self.emit)(beside_must("host", name, took, "µs", Some(gas)));
        Ok(())
    }

    fn hashes(&mut self) -> Result<()> {
        let data = vec![0x5a; 1 << 20];
        for length in [0, 64, 1 << 10, 64 << 10, 1 << 20] {
            let data = &data[..length];
            let gas = |price: Linear| price.of(length as u64);
            self.case(&format!("keccak256, {length} bytes"), gas(price::KECCAK), || Keccak256::digest(data))?;
            self.case(&format!("sha3_256, {length} bytes"), gas(price::KECCAK), || Sha3_256::digest(data))?;
            self.case(&format!("sha256, {length} bytes"), gas(price::SHA256), || Sha256::digest(data))?;
            self.case(&format!("blake3, {length} bytes"), gas(price::BLAKE3), || blake3::hash(data))?;
        }
        Ok(())
    }

    /// Reading, and the curve's part for committees of several sizes.
    fn receipts(&mut self, folder: &Path) -> Result<()> {
        let vectors = fs::read(folder.join("sdk/verify/tests/vectors/compact.json"))?;
        let vectors: Value = serde_json::from_slice(&vectors)?;
        let roots: Vec<SignedRoot> = serde_json::from_value(vectors["roots"]["roots"].clone())?;
        let vector = vectors["believed"].as_array().and_then(|all| all.first()).context("there is no vector")?;
        let receipt = hex::decode(vector["compact"].as_str().unwrap_or_default())?;
        let read = |root: &SignedRoot| examine(&receipt, &root.root.encode(), &root.root.digest()).ok();
        let (root, examined) =
            roots.iter().find_map(|root| Some((root.root.encode(), read(root)?))).context("no root fits")?;
        let trusted = examined.root.digest();
        let bytes = receipt.len() + root.len();
        self.case(&format!("a receipt and its root, {bytes} bytes"), price::RECEIPT_DECODE.of(bytes as u64), || {
            examine(&receipt, &root, &trusted)
        })?;
        for keys in [100, 5_000] {
            let key = |number: u32| Key { number, key: g1(number), power: u64::MAX / 5_001, epoch: 1_000 };
            let keys = (0..keys).map(key).collect();
            let root = Root { keys, total: u64::MAX, ..examined.root.clone() };
            let (trusted, root) = (root.digest(), root.encode());
            let gas = price::RECEIPT_DECODE.of(root.len() as u64);
            self.case(&format!("a root, {} bytes", root.len()), gas, || examine(&[], &root, &trusted))?;
        }
        for signers in [1, 4, 128] {
            let keys: Vec<Vec<u8>> = (0..signers).map(g1).collect();
            let signature = g2(0);
            let gas = price::RECEIPT_CHECK.of(u64::from(signers));
            // Not theirs, which is found out at the very end.
            self.case(&format!("a receipt's signature, {signers} signers"), gas, || {
                let keys: Option<Vec<_>> = keys.iter().map(|key| curve::public_key(key)).collect();
                keys.map(|keys| curve::signed_together(&keys, &Digest([7; 32]), &signature))
            })?;
        }
        Ok(())
    }

    fn multiples(&mut self) -> Result<()> {
        for count in [1, 2, 4, 16, 128, 1_024] {
            let ones = (0..count).map(|n| Ok(g1(n).as_slice().try_into()?)).collect::<Result<Vec<[u8; G1]>>>()?;
            let twos = (0..count).map(|n| Ok(g2(n).as_slice().try_into()?)).collect::<Result<Vec<[u8; G2]>>>()?;
            let scalars: Vec<[u8; SCALAR]> = (0..count).map(scalar).collect();
            ensure!(curve::g1_msm(&ones, &scalars).is_some(), "a scalar or a point is none");
            let gas = |price: Linear| price.of(u64::from(count));
            self.case(&format!("bls12_381_g1_msm, {count} points"), gas(price::G1_MSM), || {
                curve::g1_msm(&ones, &scalars)
            })?;
            self.case(&format!("bls12_381_g2_msm, {count} points"), gas(price::G2_MSM), || {
                curve::g2_msm(&twos, &scalars)
            })?;
        }
        Ok(())
    }

    fn signatures(&mut self) -> Result<()> {
        let [hash, signature, key] = SECP256K1.map(hex::decode);
        let (hash, signature, key) = (hash?, signature?, key?);
        ensure!(crypto::secp256k1_verify(&hash, &signature, &key)?, "the example does not hold");
        self.case("secp256k1_verify", price::SECP256K1_VERIFY, || crypto::secp256k1_verify(&hash, &signature, &key))?;
        self.case("secp256k1_recover_pubkey", price::SECP256K1_RECOVER, || {
            crypto::secp256k1_recover_pubkey(&hash, &signature, 1)
        })?;
        let [x, y] = SECP256R1.map(hex::decode);
        let (x, y) = (x?, y?);
        let (signature, key) = ([&x[..], &hash].concat(), [&[4], &x[..], &y].concat());
        crypto::secp256r1_recover_pubkey(&hash, &signature, 0)?;
        ensure!(!crypto::secp256r1_verify(&hash, &signature, &key)?, "nobody has signed this");
        self.case("secp256r1_verify", price::SECP256R1_VERIFY, || crypto::secp256r1_verify(&hash, &signature, &key))?;
        self.case("secp256r1_recover_pubkey", price::SECP256R1_RECOVER, || {
            crypto::secp256r1_recover_pubkey(&hash, &signature, 0)
        })?;
        let keys: Vec<SigningKey> = (1..=64).map(|seed| SigningKey::from([seed; 32])).collect();
        for length in [32, 128 << 10] {
            let (message, key) = (vec![7; length], &keys[0]);
            let (signature, public) = (key.sign(&message).to_bytes(), key.verification_key().to_bytes());
            ensure!(crypto::ed25519_verify(&message, &signature, &public)?, "the signature does not hold");
            let gas = price::ED25519_VERIFY + price::HASH_BYTE * length as u64;
            self.case(&format!("ed25519_verify, {length} bytes"), gas, || {
                crypto::ed25519_verify(&message, &signature, &public)
            })?;
        }
        for (count, signers, price) in [
            (1, 1, price::ED25519_BATCH_ONE_KEY),
            (64, 64, price::ED25519_BATCH),
            (64, 1, price::ED25519_BATCH_ONE_KEY),
        ] {
            let message = [7; 32];
            let signer = |at: usize| &keys[at % signers];
            let signatures: Vec<[u8; 64]> = (0..count).map(|at| signer(at).sign(&message).to_bytes()).collect();
            let publics: Vec<[u8; 32]> = (0..signers).map(|at| signer(at).verification_key().to_bytes()).collect();
            let signatures: Vec<&[u8]> = signatures.iter().map(|one| &one[..]).collect();
            let publics: Vec<&[u8]> = publics.iter().map(|one| &one[..]).collect();
            let messages = vec![&message[..]; count];
            let gas = price.of(count as u64) + price::HASH_BYTE * (32 * count) as u64;
            self.case(&format!("ed25519_batch_verify, {count} signatures, {signers} keys"), gas, || {
                crypto::ed25519_batch_verify(&mut ChaCha20Rng::from_seed([1; 32]), &messages, &signatures, &publics)
            })?;
        }
        Ok(())
    }

    fn pairings(&mut self) -> Result<()> {
        for count in [1, 128] {
            let ones = (0..count).flat_map(g1).collect::<Vec<u8>>();
            let twos = (0..count).flat_map(g2).collect::<Vec<u8>>();
            let gas = |price: Linear| price.of(u64::from(count));
            self.case(&format!("bls12_381_aggregate_g1, {count} points"), gas(price::BLS_AGGREGATE_G1), || {
                crypto::bls12_381_aggregate_g1(&ones)
            })?;
            self.case(&format!("bls12_381_aggregate_g2, {count} points"), gas(price::BLS_AGGREGATE_G2), || {
                crypto::bls12_381_aggregate_g2(&twos)
            })?;
        }
        for count in [1, 4, 32] {
            let ones = (0..count).flat_map(g1).collect::<Vec<u8>>();
            let twos = (0..count).flat_map(g2).collect::<Vec<u8>>();
            let (r, s) = (g1(99), g2(99));
            let gas = price::BLS_PAIRING.of(u64::from(count) + 1);
            self.case(&format!("bls12_381_pairing_equality, {count} and 1 pairings"), gas, || {
                crypto::bls12_381_pairing_equality(&ones, &twos, &r, &s)
            })?;
        }
        for length in [32, 64 << 10] {
            let message = vec![7; length];
            let bytes = (length + TAG.len()) as u64 * price::HASH_BYTE;
            self.case(&format!("bls12_381_hash_to_g1, {length} bytes"), price::BLS_HASH_TO_G1 + bytes, || {
                crypto::bls12_381_hash_to_g1(HashFunction::Sha256, &message, TAG)
            })?;
            self.case(&format!("bls12_381_hash_to_g2, {length} bytes"), price::BLS_HASH_TO_G2 + bytes, || {
                crypto::bls12_381_hash_to_g2(HashFunction::Sha256, &message, TAG)
            })?;
        }
        Ok(())
    }
}

/// A point of G1, every number another one.
fn g1(number: u32) -> Vec<u8> {
    crypto::bls12_381_hash_to_g1(HashFunction::Sha256, &number.to_be_bytes(), TAG).to_vec()
}

/// A point of G2, every number another one.
fn g2(number: u32) -> Vec<u8> {
    crypto::bls12_381_hash_to_g2(HashFunction::Sha256, &number.to_be_bytes(), TAG).to_vec()
}

/// A scalar of 254 bits, every number another one.
fn scalar(number: u32) -> [u8; SCALAR] {
    let mut bytes: [u8; SCALAR] = Sha256::digest(number.to_be_bytes()).into();
    bytes[0] &= 0x3f;
    bytes
}
