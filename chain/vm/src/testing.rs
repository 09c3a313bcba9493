//! What tests of this crate's inside need to see of it. No part of its interface.

use wasmtime::Config;

pub use crate::instrument::{GAS, STACK};
use crate::{CheckError, Tier, check, compile, instrument};

/// A module as it would run, with code in it that counts gas and stack. It need not be a contract.
///
/// # Errors
/// If it is not valid wasm, or its functions use what no contract may.
pub fn instrumented(wasm: &[u8]) -> Result<Vec<u8>, CheckError> {
    instrument::instrument(wasm, &check::shape(wasm)?)
}

/// How the engine compiles and runs.
pub fn settings(tier: Tier) -> Config {
    compile::settings(tier)
}
