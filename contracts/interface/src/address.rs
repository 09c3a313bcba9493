//! Addresses that come as text.

use cosmwasm_std::{Addr, Api};

/// Characters of a text that is not an address that an error shows.
const SHOWN: usize = 90;

/// A text that is no address of this chain, with as much of it as fits into a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAnAddress(pub String);

impl std::fmt::Display for NotAnAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} is not an address of this chain", self.0)
    }
}

impl std::error::Error for NotAnAddress {}

/// An address of this chain, in its one normal form.
///
/// # Errors
/// [`NotAnAddress`].
pub fn address(api: &dyn Api, text: &str) -> Result<Addr, NotAnAddress> {
    api.addr_validate(text).map_err(|_| NotAnAddress(text.chars().take(SHOWN).collect()))
}
