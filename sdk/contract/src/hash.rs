//! Hashes by the host, at a hundredth of the gas and less that the same takes in wasm.

use crate::{Errno, sys};

/// Ethereum's hash: Keccak-256 as it was before FIPS 202.
///
/// # Errors
/// [`Errno::TooLarge`] for more than [`aceso_types::guest::HASHED_MAX`] bytes, as all hashes here.
pub fn keccak256(data: &[u8]) -> Result<[u8; 32], Errno> {
    sys::keccak256(data)
}

/// SHA-256 (FIPS 180-4).
///
/// # Errors
/// As [`keccak256`].
pub fn sha256(data: &[u8]) -> Result<[u8; 32], Errno> {
    sys::sha256(data)
}

/// SHA3-256 (FIPS 202).
///
/// # Errors
/// As [`keccak256`].
pub fn sha3_256(data: &[u8]) -> Result<[u8; 32], Errno> {
    sys::sha3_256(data)
}

/// BLAKE3, 32 bytes of it, without a key.
///
/// # Errors
/// As [`keccak256`].
pub fn blake3(data: &[u8]) -> Result<[u8; 32], Errno> {
    sys::blake3(data)
}
