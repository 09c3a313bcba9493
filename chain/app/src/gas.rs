//! What a transaction's own work costs, in SDK gas, and the meter that counts it.
//!
//! Figures and sentences are the Cosmos SDK's (`store/types/gas.go`, `x/auth/types/params.go`) and wasmd's
//! (`x/wasm/types/gas_register.go`), so that limits and fees known from other CosmWasm chains fit. Contract code is
//! metered by the engine in wasm gas, 140,000 of which are one SDK gas. Every number here is protocol.

use aceso_types::Gas;

use crate::code::{Code, Fault};

/// A byte of the transaction.
pub(crate) const TX_BYTE: u64 = 10;
/// Bytes that a simulated transaction lacks for each signature that it does not carry yet (SDK
/// `ConsumeTxSizeGasDecorator`). A signature and its frame have 66 of them; the others are for a fee not known yet.
pub(crate) const SIGNATURE_BYTES: u64 = 112;
/// The same where there is a signature and no gas limit.
pub(crate) const FEE_BYTES: u64 = 46;
/// Checking a signature of each kind.
pub(crate) const SECP256K1: u64 = 1_000;
pub(crate) const ED25519: u64 = 590;
pub(crate) const SECP256R1: u64 = SECP256K1 / 2;

/// Reading a row, and each byte of its key and value.
pub(crate) const READ: (u64, u64) = (1_000, 3);
/// Writing a row, and each byte of its key and value.
pub(crate) const WRITE: (u64, u64) = (2_000, 30);
/// Removing a row.
pub(crate) const REMOVE: u64 = 1_000;
/// Each row of a list.
pub(crate) const NEXT: (u64, u64) = (30, 3);

/// Getting a contract ready to run.
pub(crate) const INSTANCE: u64 = 60_000;
/// The same for code that this transaction has run before, and for code that the authority has pinned.
pub(crate) const INSTANCE_AGAIN: u64 = 2_000;
/// Compiling a byte of wasm.
pub(crate) const COMPILE_BYTE: u64 = 3;
/// Unpacking gzip: fifteen hundredths for each packed byte.
pub(crate) const UNPACK: (u64, u64) = (15, 100);
/// Each attribute of a contract's event.
pub(crate) const ATTRIBUTE: u64 = 10;
/// Bytes of attributes that are free in each response.
pub(crate) const ATTRIBUTE_BYTES_FREE: u64 = 100;
/// Each event of a contract's own kind.
pub(crate) const EVENT: u64 = 20;

/// Keeping a byte of a model in state and lowering it.
pub(crate) const MODEL_BYTE: u64 = 1;
/// Checking an institution's signature on an image: the engine's 96 µs of secp256k1, in SDK gas.
pub(crate) const ORIGIN: u64 = 700;
/// Checking that an operator holds an attestation key: two pairings and two subgroups, some ten times an [`ORIGIN`].
pub(crate) const POSSESSION: u64 = 8_000;

/// Checking a proof that somebody has a reader's key. This price and the next two are the least time that
/// `cargo xtask bench grants` has seen, in SDK gas, some seven of which are a microsecond of this engine, rounded up.
pub(crate) const READER: u64 = 2_000;
/// Checking a sealed record's registration.
pub(crate) const REGISTRATION: u64 = 4_500;
/// Checking a wrap, and each member of it.
pub(crate) const WRAP: (u64, u64) = (5_000, 2_000);

/// Checking that a point is what a ciphertext holds: as much arithmetic as a wrap for one member.
pub(crate) const OPENING: u64 = WRAP.0 + WRAP.1;

/// Looking a validator up when a committee is put together.
pub(crate) const COMMITTEE: u64 = 100;
/// What a job makes everyone do later: a pairing, receipt and lists, fees, the record of its members. A receipt with
/// bits is some 1.5 KiB of rows.
pub(crate) const JOB: u64 = 80_000;
/// The same where outputs are disclosed or kept: up to 4 KiB of them, twice.
pub(crate) const JOB_OUTPUTS: u64 = 350_000;
/// Each member of it: its share, its reward, its place in lists.
pub(crate) const JOB_MEMBER: u64 = 8_000;
/// Checking a member's share that comes in a transaction.
pub(crate) const SHARE: u64 = POSSESSION;

/// What a dispute leaves in the state: what everybody has found, in the job's row beside the outcome that was signed.
pub(crate) const DISPUTE: u64 = JOB_OUTPUTS;
/// Each member that has signed it: its mark and its record, where they turn out to be due.
pub(crate) const DISPUTE_SIGNER: u64 = 12_000;

/// Counts gas up to a limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    limit: u64,
    used: u64,
}

impl Meter {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, used: 0 }
    }

    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    pub(crate) fn left(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    /// Pays. Going beyond the limit ends the transaction, whatever a contract would say to it.
    pub(crate) fn spend(&mut self, gas: u64, what: &str) -> Result<(), Fault> {
        self.used = self.used.saturating_add(gas);
        if self.used <= self.limit {
            return Ok(());
        }
        Err(Code::OutOfGas
            .because(format_args!("out of gas in location: {what}; gasWanted: {}, gasUsed: {}", self.limit, self.used))
            .fatal())
    }

    /// Pays a price with a fixed part and a part for each unit.
    pub(crate) fn spend_linear(&mut self, (base, each): (u64, u64), units: usize, what: &str) -> Result<(), Fault> {
        self.spend(base.saturating_add(each.saturating_mul(units as u64)), what)
    }

    /// Takes what is left, as an engine that ran out of it has.
    pub(crate) fn exhaust(&mut self, what: &str) -> Fault {
        self.used = self.limit;
        match self.spend(1, what) {
            Err(fault) => fault,
            Ok(()) => Code::OutOfGas.plain().fatal(),
        }
    }

    /// The wasm gas that what is left buys.
    pub(crate) fn left_wasm(&self) -> u64 {
        Gas(self.left()).to_wasm()
    }

    /// Pays for contract work.
    pub(crate) fn spend_wasm(&mut self, wasm: u64, what: &str) -> Result<(), Fault> {
        self.spend(Gas::from_wasm(wasm).0, what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_limit_is_the_sdks_sentence() {
        let mut meter = Meter::new(10);
        assert!(meter.spend(10, "txSize").is_ok());
        assert_eq!(
            meter.spend(1, "txSize").unwrap_err().to_string(),
            "out of gas in location: txSize; gasWanted: 10, gasUsed: 11: out of gas"
        );
        assert_eq!(meter.left(), 0);
        let mut endless = Meter::new(u64::MAX);
        assert!(endless.spend(u64::MAX, "a").is_ok());
        assert_eq!(endless.exhaust("b").code, Code::OutOfGas);
    }
}
