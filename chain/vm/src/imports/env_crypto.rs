//! `env`: signatures and pairings, by cosmwasm-crypto.
//!
//! Codes at the border are the family's: 0 is valid or done, 1 is invalid, above that the number of an error
//! (`CryptoError::code`). Functions that return a region put such a number into the upper half of 64 bits.

use cosmwasm_crypto::{
    CryptoError, ECDSA_PUBKEY_MAX_LEN, ECDSA_SIGNATURE_LEN, EDDSA_PUBKEY_LEN, HashFunction, MESSAGE_HASH_MAX_LEN,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest as _, Sha256};

use super::declare;
use super::env_db::unpack;
use crate::limits::{
    BLS_AGGREGATE_MAX, BLS_DST_MAX, BLS_MESSAGE_MAX, ED25519_BATCH_MAX, ED25519_MESSAGE_MAX, ED25519_SIGNATURE,
};
use crate::memory::Host;
use crate::price::Linear;
use crate::{VmError, price};

/// Bytes of a compressed point of G1.
const G1: usize = 48;
/// Bytes of a compressed point of G2.
const G2: usize = 96;

declare! { "env";
    "secp256k1_verify" = secp256k1_verify(hash: u32, signature: u32, public_key: u32) -> u32;
    "secp256k1_recover_pubkey" = secp256k1_recover_pubkey(hash: u32, signature: u32, parameter: u32) -> u64;
    "secp256r1_verify" = secp256r1_verify(hash: u32, signature: u32, public_key: u32) -> u32;
    "secp256r1_recover_pubkey" = secp256r1_recover_pubkey(hash: u32, signature: u32, parameter: u32) -> u64;
    "ed25519_verify" = ed25519_verify(message: u32, signature: u32, public_key: u32) -> u32;
    "ed25519_batch_verify" = ed25519_batch_verify(messages: u32, signatures: u32, public_keys: u32) -> u32;
    "bls12_381_aggregate_g1" = aggregate_g1(points: u32, out: u32) -> u32;
    "bls12_381_aggregate_g2" = aggregate_g2(points: u32, out: u32) -> u32;
    "bls12_381_pairing_equality" = pairing_equality(ps: u32, qs: u32, r: u32, s: u32) -> u32;
    "bls12_381_hash_to_g1" = hash_to_g1(function: u32, message: u32, tag: u32, out: u32) -> u32;
    "bls12_381_hash_to_g2" = hash_to_g2(function: u32, message: u32, tag: u32, out: u32) -> u32;
}

/// `secp256k1_verify(hash: region, signature: region, public_key: region) -> code`
fn secp256k1_verify(host: &mut Host<'_>, hash: u32, signature: u32, public_key: u32) -> Result<u32, VmError> {
    let (hash, signature) = read_ecdsa(host, hash, signature)?;
    let public_key = host.read_region("public key", public_key, ECDSA_PUBKEY_MAX_LEN)?;
    host.charge(price::SECP256K1_VERIFY)?;

    Ok(verdict(cosmwasm_crypto::secp256k1_verify(&hash, &signature, &public_key)))
}

/// `secp256k1_recover_pubkey(hash: region, signature: region, parameter: 0 | 1) -> code << 32 | region`
fn secp256k1_recover_pubkey(host: &mut Host<'_>, hash: u32, signature: u32, parameter: u32) -> Result<u64, VmError> {
    let (hash, signature) = read_ecdsa(host, hash, signature)?;
    host.charge(price::SECP256K1_RECOVER)?;

    recovered(host, parameter, |parameter| cosmwasm_crypto::secp256k1_recover_pubkey(&hash, &signature, parameter))
}

/// `secp256r1_verify(hash: region, signature: region, public_key: region) -> code`
fn secp256r1_verify(host: &mut Host<'_>, hash: u32, signature: u32, public_key: u32) -> Result<u32, VmError> {
    let (hash, signature) = read_ecdsa(host, hash, signature)?;
    let public_key = host.read_region("public key", public_key, ECDSA_PUBKEY_MAX_LEN)?;
    host.charge(price::SECP256R1_VERIFY)?;

    Ok(verdict(cosmwasm_crypto::secp256r1_verify(&hash, &signature, &public_key)))
}

/// `secp256r1_recover_pubkey(hash: region, signature: region, parameter: 0 | 1) -> code << 32 | region`
fn secp256r1_recover_pubkey(host: &mut Host<'_>, hash: u32, signature: u32, parameter: u32) -> Result<u64, VmError> {
    let (hash, signature) = read_ecdsa(host, hash, signature)?;
    host.charge(price::SECP256R1_RECOVER)?;

    recovered(host, parameter, |parameter| cosmwasm_crypto::secp256r1_recover_pubkey(&hash, &signature, parameter))
}

/// `ed25519_verify(message: region, signature: region, public_key: region) -> code`
fn ed25519_verify(host: &mut Host<'_>, message: u32, signature: u32, public_key: u32) -> Result<u32, VmError> {
    let message = host.read_region("message", message, ED25519_MESSAGE_MAX)?;
    let signature = host.read_region("signature", signature, ED25519_SIGNATURE)?;
    let public_key = host.read_region("public key", public_key, EDDSA_PUBKEY_LEN)?;
    host.charge(price::ED25519_VERIFY)?;
    host.charge(price::HASH_BYTE.saturating_mul(message.len() as u64))?;

    Ok(verdict(cosmwasm_crypto::ed25519_verify(&message, &signature, &public_key)))
}

/// `ed25519_batch_verify(messages: sections, signatures: sections, public_keys: sections) -> code`
///
/// As many of each, or one message under many keys, or many messages under one key.
fn ed25519_batch_verify(host: &mut Host<'_>, messages: u32, signatures: u32, public_keys: u32) -> Result<u32, VmError> {
    let messages = host.read_region("messages", messages, (ED25519_MESSAGE_MAX + 4) * ED25519_BATCH_MAX)?;
    let signatures = host.read_region("signatures", signatures, (ED25519_SIGNATURE + 4) * ED25519_BATCH_MAX)?;
    let public_keys = host.read_region("public keys", public_keys, (EDDSA_PUBKEY_LEN + 4) * ED25519_BATCH_MAX)?;
    let seed = Sha256::new().chain_update(&messages).chain_update(&signatures).chain_update(&public_keys);
    let messages = sections("messages", &messages)?;
    let signatures = sections("signatures", &signatures)?;
    let public_keys = sections("public keys", &public_keys)?;
    let price = if public_keys.len() == 1 { price::ED25519_BATCH_ONE_KEY } else { price::ED25519_BATCH };
    host.charge_for(price, signatures.len())?;
    let bytes: usize = messages.iter().map(|message| message.len()).sum();
    let rounds = if messages.len() == 1 { signatures.len() } else { 1 };
    host.charge(price::HASH_BYTE.saturating_mul(bytes as u64).saturating_mul(rounds as u64))?;

    // The batch's own coefficients: drawn from all that is verified, so that nobody can choose them and every node
    // draws the same.
    let mut coefficients = ChaCha20Rng::from_seed(seed.finalize().into());
    Ok(verdict(cosmwasm_crypto::ed25519_batch_verify(&mut coefficients, &messages, &signatures, &public_keys)))
}

/// `bls12_381_aggregate_g1(points: region, out: region) -> code`
///
/// Writes the sum of the points into the prepared region.
fn aggregate_g1(host: &mut Host<'_>, points: u32, out: u32) -> Result<u32, VmError> {
    let points = host.read_region("points", points, BLS_AGGREGATE_MAX)?;
    host.charge_for(price::BLS_AGGREGATE_G1, points.len() / G1)?;

    written(host, out, cosmwasm_crypto::bls12_381_aggregate_g1(&points))
}

/// `bls12_381_aggregate_g2(points: region, out: region) -> code`
///
/// Writes the sum of the points into the prepared region.
fn aggregate_g2(host: &mut Host<'_>, points: u32, out: u32) -> Result<u32, VmError> {
    let points = host.read_region("points", points, BLS_AGGREGATE_MAX)?;
    host.charge_for(price::BLS_AGGREGATE_G2, points.len() / G2)?;

    written(host, out, cosmwasm_crypto::bls12_381_aggregate_g2(&points))
}

/// `bls12_381_pairing_equality(ps: region, qs: region, r: region, s: region) -> code`
///
/// Whether the product of the pairings of `ps` and `qs` is the pairing of `r` and `s`.
fn pairing_equality(host: &mut Host<'_>, ps: u32, qs: u32, r: u32, s: u32) -> Result<u32, VmError> {
    let ps = host.read_region("points", ps, BLS_AGGREGATE_MAX)?;
    let qs = host.read_region("points", qs, BLS_AGGREGATE_MAX)?;
    let r = host.read_region("point", r, G1)?;
    let s = host.read_region("point", s, G2)?;
    host.charge_for(price::BLS_PAIRING, (ps.len() / G1).max(qs.len() / G2) + 1)?;

    Ok(verdict(cosmwasm_crypto::bls12_381_pairing_equality(&ps, &qs, &r, &s)))
}

/// `bls12_381_hash_to_g1(function: 0, message: region, tag: region, out: region) -> code`
///
/// Writes the point into the prepared region. Function 0 is SHA-256.
fn hash_to_g1(host: &mut Host<'_>, function: u32, message: u32, tag: u32, out: u32) -> Result<u32, VmError> {
    let (message, tag) = read_hashed(host, message, tag, price::BLS_HASH_TO_G1)?;
    let point = HashFunction::from_u32(function).map(|f| cosmwasm_crypto::bls12_381_hash_to_g1(f, &message, &tag));

    written(host, out, point)
}

/// `bls12_381_hash_to_g2(function: 0, message: region, tag: region, out: region) -> code`
///
/// Writes the point into the prepared region. Function 0 is SHA-256.
fn hash_to_g2(host: &mut Host<'_>, function: u32, message: u32, tag: u32, out: u32) -> Result<u32, VmError> {
    let (message, tag) = read_hashed(host, message, tag, price::BLS_HASH_TO_G2)?;
    let point = HashFunction::from_u32(function).map(|f| cosmwasm_crypto::bls12_381_hash_to_g2(f, &message, &tag));

    written(host, out, point)
}

fn read_ecdsa(host: &mut Host<'_>, hash: u32, signature: u32) -> Result<(Vec<u8>, Vec<u8>), VmError> {
    let hash = host.read_region("hash", hash, MESSAGE_HASH_MAX_LEN)?;
    let signature = host.read_region("signature", signature, ECDSA_SIGNATURE_LEN)?;
    Ok((hash, signature))
}

fn read_hashed(host: &mut Host<'_>, message: u32, tag: u32, base: u64) -> Result<(Vec<u8>, Vec<u8>), VmError> {
    let message = host.read_region("message", message, BLS_MESSAGE_MAX)?;
    let tag = host.read_region("domain separation tag", tag, BLS_DST_MAX)?;
    host.charge_for(Linear { base, each: price::HASH_BYTE }, message.len() + tag.len())?;
    Ok((message, tag))
}

fn sections<'a>(what: &'static str, packed: &'a [u8]) -> Result<Vec<&'a [u8]>, VmError> {
    unpack(packed, ED25519_BATCH_MAX).ok_or(VmError::Sections { what, length: packed.len(), limit: ED25519_BATCH_MAX })
}

fn verdict(result: Result<bool, CryptoError>) -> u32 {
    match result {
        Ok(valid) => u32::from(!valid),
        Err(error) => error.code(),
    }
}

fn written<P: AsRef<[u8]>>(host: &mut Host<'_>, out: u32, point: Result<P, CryptoError>) -> Result<u32, VmError> {
    match point {
        Ok(point) => host.write_region(out, point.as_ref()).map(|()| 0),
        Err(error) => Ok(error.code()),
    }
}

fn recovered<K: AsRef<[u8]>>(
    host: &mut Host<'_>,
    parameter: u32,
    recover: impl FnOnce(u8) -> Result<K, CryptoError>,
) -> Result<u64, VmError> {
    let key = u8::try_from(parameter).map_err(|_| CryptoError::invalid_recovery_param()).and_then(recover);
    match key {
        Ok(key) => host.hand_over(key.as_ref()).map(u64::from),
        Err(error) => Ok(u64::from(error.code()) << 32),
    }
}
