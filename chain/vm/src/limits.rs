//! Every bound on what a contract is and on what it may hand over.
//!
//! Where a number is cosmwasm-vm's, a contract that other chains take is taken here and no larger one is.

/// Largest module. Chains of the family take 800 KiB from anyone and 3 MiB by governance (wasmd `validation.go`).
pub const WASM_BYTES_MAX: usize = 3 << 20;
/// Largest body of one function. Compilers turn super-linear on giants; rustc's largest seen have some 30 KiB.
pub const FUNCTION_BYTES_MAX: usize = 256 << 10;
/// Targets of one `br_table`. The compilers themselves take no more than 65,520.
pub const BRANCH_TARGETS_MAX: usize = 16_384;
/// Linear memory, in pages of 64 KiB (cosmwasm-vm `config.rs`).
pub const MEMORY_PAGES_MAX: u32 = 512;
/// Elements of the function table (cosmwasm-vm `config.rs`).
pub const TABLE_ELEMENTS_MAX: u32 = 2_500;
/// Imports (cosmwasm-vm `config.rs`).
pub const IMPORTS_MAX: usize = 100;
/// Functions with a body (cosmwasm-vm `config.rs`).
pub const FUNCTIONS_MAX: usize = 20_000;
/// Parameters of one function (cosmwasm-vm `config.rs`).
pub const FUNCTION_PARAMS_MAX: usize = 100;
/// Parameters of all functions with a body (cosmwasm-vm `config.rs`).
pub const TOTAL_PARAMS_MAX: usize = 10_000;
/// Results of one function (cosmwasm-vm `config.rs`).
pub const FUNCTION_RESULTS_MAX: usize = 1;
/// Locals that one function declares (cosmwasm-vm `config.rs`).
pub const FUNCTION_LOCALS_MAX: usize = 100;
/// Locals of all functions (cosmwasm-vm `config.rs`).
pub const TOTAL_LOCALS_MAX: usize = 10_000;
/// Globals. rustc emits three; each takes 16 bytes of every instance.
pub const GLOBALS_MAX: usize = 1_000;
/// Exports. The ABI names some thirty; each function among them takes room in every instance.
pub const EXPORTS_MAX: usize = 1_000;
/// Elements that all element segments hold: they are set anew in every instance, and a table holds no more.
pub const ELEMENTS_MAX: usize = TABLE_ELEMENTS_MAX as usize;

/// Stack that a call may use, in slots of 8 bytes as [`crate::price`] counts them. wasmer's 1 MiB, on which the
/// family runs, is as much in its frames; rustc keeps large values on a stack of its own in linear memory.
pub const STACK_SLOTS: i32 = 65_536;
/// Native stack below which no contract gets, whatever the tier: 128 bytes for each slot, of which every 32 bytes of a body are
/// one. A value that an optimiser keeps over a call or a loop takes 8 bytes of a frame and no less than 5 of a body: two
/// locals and what is done to them (see the test `slots_run_out_before_bytes`).
pub const NATIVE_STACK_BYTES: usize = 8 << 20;

/// A storage key (cosmwasm-vm `imports.rs`).
pub const DB_KEY_MAX: usize = 64 << 10;
/// A storage value (cosmwasm-vm `imports.rs`).
pub const DB_VALUE_MAX: usize = 128 << 10;
/// Iterators that one frame may open; each is a cursor in the backend.
pub const ITERATORS_MAX: u32 = 4_096;
/// An address in text (cosmwasm-vm `imports.rs`).
pub const ADDRESS_TEXT_MAX: usize = 256;
/// An address in bytes (cosmwasm-vm `imports.rs`).
pub const ADDRESS_BYTES_MAX: usize = 64;
/// A query (cosmwasm-vm `imports.rs`).
pub const QUERY_MAX: usize = 64 << 10;
/// A debug message (cosmwasm-vm `imports.rs`).
pub const DEBUG_MAX: usize = 2 << 20;
/// An abort message (cosmwasm-vm `imports.rs`).
pub const ABORT_MAX: usize = 2 << 20;
/// What an entry point returns. cosmwasm-vm reads up to 64 MiB, which a memory of 32 MiB never reaches; a quarter of
/// the memory is a bound that means something.
pub const RESULT_MAX: usize = 8 << 20;
/// A message whose Ed25519 signature is checked (cosmwasm-vm `imports.rs`).
pub const ED25519_MESSAGE_MAX: usize = 128 << 10;
/// An Ed25519 signature.
pub const ED25519_SIGNATURE: usize = 64;
/// Ed25519 signatures checked at once (cosmwasm-vm `imports.rs`).
pub const ED25519_BATCH_MAX: usize = 256;
/// Points that are added up at once (cosmwasm-vm `imports.rs`).
pub const BLS_AGGREGATE_MAX: usize = 2 << 20;
/// A message hashed to a curve (cosmwasm-vm `imports.rs`).
pub const BLS_MESSAGE_MAX: usize = 5 << 20;
/// A domain separation tag (cosmwasm-vm `imports.rs`).
pub const BLS_DST_MAX: usize = 5 << 10;

/// Frames of a backtrace, the innermost. Deeper is recursion.
pub const BACKTRACE_FRAMES_MAX: usize = 32;
/// Characters of a function's name in a backtrace.
pub const BACKTRACE_NAME_MAX: usize = 128;

/// Buffers of one `fd_write`. std writes one or two.
pub const IOVECS_MAX: u32 = 64;
/// Graphs that one frame may load.
pub const GRAPHS_MAX: usize = 16;
/// Execution contexts that one frame may open.
pub const CONTEXTS_MAX: usize = 16;
/// Bytes of tensors that all contexts of one frame may hold at a time: one memory's worth.
pub const TENSORS_BYTES_MAX: usize = 32 << 20;
/// A blob's CID in text. A CIDv1 with a 32-byte hash has 59 characters in base32.
pub const CID_TEXT_MAX: usize = 128;
