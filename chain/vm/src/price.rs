//! What things cost, in wasm gas. These numbers are protocol.
//!
//! The scale is the family's: 10^12 gas for a second of work, 140,000 wasm gas for one SDK gas, so that limits and fees
//! known from wasmd fit. A price is charged before the work that it pays for.

use aceso_types::gas::WASM_PER_SDK;
use wasmparser::Operator;

/// A microsecond of host work: 10^12 gas a second (CosmWasm's target).
const US: u64 = 1_000_000;

/// One plain instruction (cosmwasm-vm `engine.rs`).
pub const OP: u64 = 115;
/// An instruction that ends a basic block, behind which gas is counted: fourteen plain ones (cosmwasm-vm `engine.rs`).
pub const BRANCH: u64 = 14 * OP;
/// Integer division and remainder, square root, float division: 3 to 6 ns on current processors where a plain
/// instruction takes a quarter, so twenty plain ones.
pub const DIVIDE: u64 = 20 * OP;
/// A float instruction that must give the one canonical NaN: a compare and a select behind it.
pub const FLOAT: u64 = 3 * OP;
/// `memory.grow`, for each page asked for: a page of 64 KiB is 16 faults of the system, 0.25 µs each.
pub const GROW_PAGE: u64 = 4 * US;
/// `memory.copy`, `memory.fill`, `memory.init`, for each byte: 10 GB/s, faults included.
pub const BULK_BYTE: u64 = 100;

/// Slots that every frame counts before its own values: return address, frame pointer, saved registers, spill room.
pub const FRAME_SLOTS: usize = 16;
/// Bytes of a function's body that count as one slot: long bodies keep more values alive than their locals say.
pub const BODY_BYTES_PER_SLOT: usize = 32;
/// A function that calls nothing and whose frame is no larger than this is not counted: below every counted frame
/// there is room for one such.
pub const LEAF_SLOTS: usize = 128;

/// The gas of one instruction, apart from what depends on its operands.
pub(crate) fn op(op: &Operator<'_>) -> u64 {
    use Operator as O;
    match op {
        // Structure: nothing is done at run time; the branches pay.
        O::Nop | O::Block { .. } | O::Else | O::End => 0,
        O::Loop { .. } | O::If { .. } | O::Br { .. } | O::BrIf { .. } | O::BrTable { .. } | O::Return => BRANCH,
        O::Call { .. } | O::CallIndirect { .. } => BRANCH,
        O::I32DivS | O::I32DivU | O::I32RemS | O::I32RemU => DIVIDE,
        O::I64DivS | O::I64DivU | O::I64RemS | O::I64RemU => DIVIDE,
        O::F32Div | O::F64Div | O::F32Sqrt | O::F64Sqrt => DIVIDE,
        O::F32Add | O::F32Sub | O::F32Mul | O::F32Min | O::F32Max => FLOAT,
        O::F64Add | O::F64Sub | O::F64Mul | O::F64Min | O::F64Max => FLOAT,
        O::F32Ceil | O::F32Floor | O::F32Trunc | O::F32Nearest => FLOAT,
        O::F64Ceil | O::F64Floor | O::F64Trunc | O::F64Nearest => FLOAT,
        O::F32DemoteF64 | O::F64PromoteF32 => FLOAT,
        _ => OP,
    }
}

/// A price with a fixed part and a part for each item.
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    /// Once.
    pub base: u64,
    /// For each item.
    pub each: u64,
}

impl Linear {
    /// The price of so many items, saturating.
    pub const fn of(self, items: u64) -> u64 {
        self.base.saturating_add(self.each.saturating_mul(items))
    }
}

/// So much SDK gas.
const fn sdk(gas: u64) -> u64 {
    gas * WASM_PER_SDK
}

/// Any call of the host (cosmwasm-vm `environment.rs`).
pub const HOST_CALL: u64 = 18_000;
/// Reading what the contract hands over, by bytes (cosmwasm-vm `environment.rs`).
pub const READ_REGION: Linear = Linear { base: 200_000, each: 115 };
/// Writing into the contract's memory, by bytes (cosmwasm-vm `environment.rs`).
pub const WRITE_REGION: Linear = Linear { base: 230_000, each: 570 };
/// Checking that bytes are text, by bytes (cosmwasm-vm `environment.rs`).
pub const TEXT: Linear = Linear { base: 28_700, each: 1_400 };

/// Bytes that the chain puts before a contract's key: a tag and the contract's address, as in wasmd.
pub const KEY_PREFIX: u64 = 33;
/// Reading a value, by bytes of key and value (SDK `store/types/gas.go`).
pub const DB_READ: Linear = Linear { base: sdk(1_000), each: sdk(3) };
/// Writing a value, by bytes of key and value (SDK `store/types/gas.go`).
pub const DB_WRITE: Linear = Linear { base: sdk(2_000), each: sdk(30) };
/// Removing a value (SDK `store/types/gas.go`).
pub const DB_REMOVE: u64 = sdk(1_000);
/// One step of an iterator, by bytes of key and value; opening one costs a step (SDK `store/types/gas.go`).
pub const DB_NEXT: Linear = Linear { base: sdk(30), each: sdk(3) };

/// From bytes to text (wasmd `api.go`).
pub const HUMANIZE: u64 = sdk(5);
/// From text to bytes (wasmd `api.go`).
pub const CANONICALIZE: u64 = sdk(4);
/// There and back (wasmd `api.go`).
pub const VALIDATE: u64 = HUMANIZE + CANONICALIZE;

/// 96 µs (cosmwasm-vm `environment.rs`, as all of the cryptography below).
pub const SECP256K1_VERIFY: u64 = 96 * US;
/// 194 µs.
pub const SECP256K1_RECOVER: u64 = 194 * US;
/// 279 µs.
pub const SECP256R1_VERIFY: u64 = 279 * US;
/// 592 µs.
pub const SECP256R1_RECOVER: u64 = 592 * US;
/// 35 µs.
pub const ED25519_VERIFY: u64 = 35 * US;
/// By signatures.
pub const ED25519_BATCH: Linear = Linear { base: 24 * US, each: 21 * US };
/// By signatures under one key.
pub const ED25519_BATCH_ONE_KEY: Linear = Linear { base: 36 * US, each: 10 * US };
/// By points: 77 µs for one, most of them to see that it is in the subgroup. cosmwasm-vm's 68 and 12 µs are what a point
/// takes when many processors share the work; a node may have one (`cargo xtask bench host`).
pub const BLS_AGGREGATE_G1: Linear = Linear { base: 5 * US, each: 75 * US };
/// By points: 155 µs for one, as above.
pub const BLS_AGGREGATE_G2: Linear = Linear { base: 10 * US, each: 150 * US };
/// 563 µs.
pub const BLS_HASH_TO_G1: u64 = 563 * US;
/// 871 µs.
pub const BLS_HASH_TO_G2: u64 = 871 * US;
/// By pairings: two cost cosmwasm-vm's 2,438 µs, each further one what it takes one processor, its points' subgroups included.
pub const BLS_PAIRING: Linear = Linear { base: 838 * US, each: 800 * US };
/// Hashing a byte of a message: 500 MB/s. The family does not charge it; a message of megabytes takes milliseconds.
pub const HASH_BYTE: u64 = 2_000;

/// Keccak-256 and SHA3-256, by bytes: 2.8 ns a byte, 0.4 µs for the first 136 of them (`cargo xtask bench host`, as all that
/// is not the family's below).
pub const KECCAK: Linear = Linear { base: US / 2, each: 3_000 };
/// SHA-256, by bytes: 2.7 ns a byte, 0.2 µs for the first 64, where the processor has no instructions for it; with them a fifth.
pub const SHA256: Linear = Linear { base: 3 * US / 10, each: 3_000 };
/// BLAKE3, by bytes: 1.2 ns a byte up to 1 KiB; 0.3 ns of many, which AVX2 takes eight chunks at a time.
pub const BLAKE3: Linear = Linear { base: US / 5, each: 1_200 };
/// Reading a compact receipt and its root, by bytes of both: 7 to 9 ns a byte of a root, 10 µs for 843 bytes of both.
pub const RECEIPT_DECODE: Linear = Linear { base: 5 * US, each: 10_000 };
/// Checking a compact receipt's signature, by signers: 1.22 ms for one, of which 60 µs are its key.
pub const RECEIPT_CHECK: Linear = Linear { base: 1_200 * US, each: 65 * US };
/// A sum of multiples of points of G1, by points: 181, 463 and 3,005 µs for 1, 4 and 32.
pub const G1_MSM: Linear = Linear { base: 90 * US, each: 100 * US };
/// A sum of multiples of points of G2, by points: 360, 870 and 5,627 µs for 1, 4 and 32.
pub const G2_MSM: Linear = Linear { base: 190 * US, each: 180 * US };

/// Looking a model up: a read of the registry.
pub const MODEL: u64 = sdk(1_000);
/// Asking for a blob's size: a read of its record.
pub const BLOB_SIZE: u64 = sdk(1_000);
/// A guard's answer, by bytes: it is written to the journal.
pub const PERMIT: Linear = Linear { base: sdk(2_000), each: sdk(30) };
/// Beginning a read: the permit and the image's record are read, use and fee are written.
pub const READ: u64 = sdk(2 * 1_000 + 2 * 2_000);
/// Ending a read: a receipt of about a kilobyte is written.
pub const RECEIPT: u64 = sdk(2_000 + 1_024 * 30);
/// Bytes in and out of wasi-nn and WASI calls, without a region's fixed part (cosmwasm-vm `environment.rs`).
pub const BYTES_IN: u64 = 115;
/// The same, outwards.
pub const BYTES_OUT: u64 = 570;
