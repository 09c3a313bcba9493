//! Addresses: bytes for the rules, bech32 for everyone else.
//!
//! An account is the hash of its public key ([`crate::pubkey`]), a module the hash of its name, a contract the hash of where it comes from
//! (Cosmos ADR-028; wasmd `x/wasm/keeper/addresses.go`). Text is kept in its one normal form, lower case, so that an
//! address can be a part of a key of the state.

use std::fmt;

use bech32::{Bech32, Hrp, primitives::decode::CheckedHrpstring};
use sha2::{Digest, Sha256};

use crate::code::{Code, Fault};

/// Longest address in bytes (SDK `types/address`).
const BYTES_MAX: usize = 255;
/// Longest text that is looked at.
const TEXT_MAX: usize = 512;

/// An address in its normal text form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Address(String);

impl Address {
    /// Reads an address of this chain.
    pub(crate) fn parse(text: &str, prefix: &str) -> Result<Self, Fault> {
        decode(text, prefix)?;
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The address of these bytes; empty and overlong ones have none.
    pub(crate) fn of_bytes(bytes: &[u8], prefix: &str) -> Result<Self, Fault> {
        if bytes.is_empty() || bytes.len() > BYTES_MAX {
            return Err(
                Code::InvalidAddress.because(format_args!("an address has 1 to 255 bytes, not {}", bytes.len()))
            );
        }
        let refuse = || Code::InvalidAddress.because(format_args!("prefix {prefix:?} cannot begin an address"));
        let hrp = Hrp::parse(prefix).map_err(|_| refuse())?;
        bech32::encode::<Bech32>(hrp, bytes).map(Self).map_err(|_| refuse())
    }

    /// The account whose address is the first 20 bytes of sha256(bytes).
    pub(crate) fn of_hash(bytes: &[u8], prefix: &str) -> Result<Self, Fault> {
        let hash = Sha256::digest(bytes);
        Self::of_bytes(hash.first_chunk::<20>().map_or(&hash[..], |head| &head[..]), prefix)
    }

    /// A module's account.
    pub(crate) fn of_module(name: &str, prefix: &str) -> Result<Self, Fault> {
        Self::of_hash(name.as_bytes(), prefix)
    }

    /// A contract's account by the order in which it was made.
    pub(crate) fn of_instance(code: u64, instance: u64, prefix: &str) -> Result<Self, Fault> {
        Self::of_contract(&[code.to_be_bytes(), instance.to_be_bytes()].concat(), prefix)
    }

    /// A contract's account that can be known before: by code, creator, salt and, if it is to be fixed, the message.
    pub(crate) fn of_salt(
        checksum: &[u8],
        creator: &[u8],
        salt: &[u8],
        message: &[u8],
        prefix: &str,
    ) -> Result<Self, Fault> {
        let mut key = Vec::new();
        for part in [checksum, creator, salt, message] {
            key.extend((part.len() as u64).to_be_bytes());
            key.extend(part);
        }
        Self::of_contract(&key, prefix)
    }

    fn of_contract(key: &[u8], prefix: &str) -> Result<Self, Fault> {
        let mut hasher = Sha256::new();
        hasher.update(Sha256::digest(b"module"));
        hasher.update(b"wasm\0");
        hasher.update(key);
        Self::of_bytes(&hasher.finalize(), prefix)
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        // Every constructor has encoded or decoded this text.
        CheckedHrpstring::new::<Bech32>(&self.0).map(|checked| checked.byte_iter().collect()).unwrap_or_default()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0
    }
}

/// The name of the module account that makes the contracts of a genesis.
pub(crate) const GENESIS: &str = "genesis";

/// The address that a contract of a genesis will have; none where `prefix` cannot begin an address. `code` is the wasm as
/// it is stored, unpacked.
pub fn genesis_contract(code: &[u8], salt: &[u8], prefix: &str) -> Option<String> {
    let creator = Address::of_module(GENESIS, prefix).ok()?;
    Address::of_salt(&Sha256::digest(code), &creator.bytes(), salt, &[], prefix).ok().map(String::from)
}

/// The bytes of an address in text, with the SDK's sentences where it is none.
pub(crate) fn decode(text: &str, prefix: &str) -> Result<Vec<u8>, Fault> {
    if text.trim().is_empty() {
        return Err(Code::InvalidAddress.because("empty address string is not allowed"));
    }
    if text.len() > TEXT_MAX {
        return Err(Code::InvalidAddress.because(format_args!("an address has no {} characters", text.len())));
    }
    let checked = CheckedHrpstring::new::<Bech32>(text)
        .map_err(|e| Code::InvalidAddress.because(format_args!("decoding bech32 failed: {e}")))?;
    let hrp = checked.hrp().to_lowercase();
    if hrp != prefix {
        return Err(Code::InvalidAddress.because(format_args!("invalid Bech32 prefix; expected {prefix}, got {hrp}")));
    }
    let bytes: Vec<u8> = checked.byte_iter().collect();
    match bytes.len() {
        1..=BYTES_MAX => Ok(bytes),
        length => Err(Code::InvalidAddress.because(format_args!("an address has 1 to 255 bytes, not {length}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published by CosmJS (`testutils.ts`) and wasmd (`addresses_test.go`).
    #[test]
    fn contracts_are_where_other_chains_would_put_them() {
        let at = |code, instance, prefix| Address::of_instance(code, instance, prefix).unwrap().to_string();
        assert_eq!(at(1, 1, "wasm"), "wasm14hj2tavq8fpesdwxxcu44rty3hh90vhujrvcmstl4zr3txmfvw9s0phg4d");
        assert_eq!(at(1, 2, "wasm"), "wasm1suhgf5svhu4usrurvxzlgn54ksxmn8gljarjtxqnapv8kjnp4nrss5maay");
        assert_eq!(at(1, 3, "wasm"), "wasm1yyca08xqdgvjz0psg56z67ejh9xms6l436u8y58m82npdqqhmmtqas0cl7");
        assert_eq!(at(0, 0, "purple"), "purple1w0w8sasnut0jx0vvsnvlc8nayq0q2ej8xgrpwgel05tn6wy4r57qfplul7");
    }

    /// The reference implementation is `cosmwasm_std::instantiate2_address`.
    #[test]
    fn salted_contracts_are_where_contracts_expect_them() {
        let creator = [7_u8; 20];
        let checksum = [9_u8; 32];
        let ours = Address::of_salt(&checksum, &creator, b"salt", b"", "aceso").unwrap();
        let theirs = cosmwasm_std::instantiate2_address(&checksum, &creator.to_vec().into(), b"salt").unwrap();
        assert_eq!(ours.bytes(), theirs.as_slice());
        assert_ne!(ours, Address::of_salt(&checksum, &creator, b"salt", b"{}", "aceso").unwrap());
    }

    #[test]
    fn modules_are_where_the_sdk_puts_them() {
        let gov = Address::of_module("gov", "cosmos").unwrap();
        assert_eq!(gov.as_str(), "cosmos10d07y265gmmuvt4z0w9aw880jnsr700j6zn9kn");
    }

    #[test]
    fn upper_case_is_the_same_account() {
        let address = Address::of_bytes(&[1; 20], "aceso").unwrap();
        let upper = address.as_str().to_uppercase();
        assert_eq!(Address::parse(&upper, "aceso").unwrap(), address);
        assert_eq!(address.bytes(), [1; 20]);
    }

    #[test]
    fn other_texts_are_refused_in_the_sdks_words() {
        let refused = |text: &str| Address::parse(text, "aceso").unwrap_err();
        assert_eq!(refused(" ").to_string(), "empty address string is not allowed: invalid address");
        let foreign = Address::of_bytes(&[1; 20], "cosmos").unwrap();
        assert_eq!(
            refused(foreign.as_str()).to_string(),
            "invalid Bech32 prefix; expected aceso, got cosmos: invalid address"
        );
        assert!(refused("aceso1qqqq").to_string().starts_with("decoding bech32 failed: "));
        assert_eq!(refused(&"a".repeat(513)).code, Code::InvalidAddress);
        assert!(Address::of_bytes(&[], "aceso").is_err());
        assert!(Address::of_bytes(&[0; 256], "aceso").is_err());
    }
}
