//! The one scale of work.
//!
//! Contracts are metered in wasm gas, transactions pay in SDK gas; 140,000 of the first are one of the second, as in
//! wasmd (`x/wasm/types/gas_register.go`), so that limits and fees known from other CosmWasm chains fit here.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Wasm gas that makes one SDK gas.
pub const WASM_PER_SDK: u64 = 140_000;

/// SDK gas: what a transaction limits, pays for and is reported to have used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Gas(pub u64);

impl Gas {
    /// The wasm gas this buys, saturating.
    pub fn to_wasm(self) -> u64 {
        self.0.saturating_mul(WASM_PER_SDK)
    }

    /// The SDK gas that pays for this wasm gas, rounded up: work is never free.
    pub fn from_wasm(wasm: u64) -> Self {
        Self(wasm.div_ceil(WASM_PER_SDK))
    }
}

impl fmt::Display for Gas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_rounded_up() {
        assert_eq!(Gas::from_wasm(0), Gas(0));
        assert_eq!(Gas::from_wasm(1), Gas(1));
        assert_eq!(Gas::from_wasm(WASM_PER_SDK + 1), Gas(2));
        assert_eq!(Gas(u64::MAX).to_wasm(), u64::MAX);
    }
}
