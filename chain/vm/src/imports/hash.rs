//! `aceso`: hashes of bytes, 32 bytes each.
//!
//! What a contract computes in wasm takes 5 to 30 times as long and cannot use the processor's own instructions. Errno
//! numbers are those of [`super::nn`].

use aceso_types::guest::HASHED_MAX;
use sha2::{Digest as _, Sha256};
use sha3::{Keccak256, Sha3_256};

use super::aceso::MODULE;
use super::declare;
use super::nn::Errno;
use crate::memory::Host;
use crate::price::Linear;
use crate::{VmError, price};

/// Bytes of every hash here.
const HASH: u64 = 32;

declare! { MODULE;
    "keccak256" = keccak256(data: u32, length: u32, out: u32) -> u32;
    "sha256" = sha256(data: u32, length: u32, out: u32) -> u32;
    "sha3_256" = sha3_256(data: u32, length: u32, out: u32) -> u32;
    "blake3" = blake3(data: u32, length: u32, out: u32) -> u32;
}

/// `keccak256(data: *u8, length: u32, out: *[u8; 32]) -> errno`
///
/// Ethereum's hash: Keccak as it was handed in, before FIPS 202 changed the padding.
fn keccak256(host: &mut Host<'_>, data: u32, length: u32, out: u32) -> Result<u32, VmError> {
    hash(host, price::KECCAK, (data, length, out), |data| Keccak256::digest(data).into())
}

/// `sha256(data: *u8, length: u32, out: *[u8; 32]) -> errno`
///
/// FIPS 180-4.
fn sha256(host: &mut Host<'_>, data: u32, length: u32, out: u32) -> Result<u32, VmError> {
    hash(host, price::SHA256, (data, length, out), |data| Sha256::digest(data).into())
}

/// `sha3_256(data: *u8, length: u32, out: *[u8; 32]) -> errno`
///
/// FIPS 202.
fn sha3_256(host: &mut Host<'_>, data: u32, length: u32, out: u32) -> Result<u32, VmError> {
    hash(host, price::KECCAK, (data, length, out), |data| Sha3_256::digest(data).into())
}

/// `blake3(data: *u8, length: u32, out: *[u8; 32]) -> errno`
///
/// Without a key, in one thread.
fn blake3(host: &mut Host<'_>, data: u32, length: u32, out: u32) -> Result<u32, VmError> {
    hash(host, price::BLAKE3, (data, length, out), |data| blake3::hash(data).into())
}

fn hash(
    host: &mut Host<'_>,
    price: Linear,
    (data, length, out): (u32, u32, u32),
    work: impl FnOnce(&[u8]) -> [u8; 32],
) -> Result<u32, VmError> {
    if usize::try_from(length).map_or(true, |length| length > HASHED_MAX) {
        return Ok(Errno::TooLarge.into());
    }
    let copied = price::BYTES_IN.saturating_mul(u64::from(length)).saturating_add(price::BYTES_OUT * HASH);
    host.charge(price.of(u64::from(length)).saturating_add(copied))?;

    let Some(data) = host.read(data, length)? else { return Ok(Errno::InvalidArgument.into()) };
    let done = host.write(out, &work(&data))?;
    Ok(if done { Errno::Success } else { Errno::InvalidArgument }.into())
}
