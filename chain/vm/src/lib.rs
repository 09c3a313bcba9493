//! Runs contracts: the CosmWasm ABI on wasmtime, with gas and stack depth counted by code of our own.
//!
//! A contract is put once. It is [checked](check) against the static limits, [instrumented](instrument) so that it
//! counts its own gas and stack, compiled, and [kept](compile) on disk and in memory. A call then takes a fresh
//! [instance] from the pool, hands the arguments over in [regions](memory), lets the entry point run, and answers
//! each of its [imports] out of the [`Backend`] that was lent for that call.
//!
//! Gas, traps and results depend on the wasm and on the backend's answers alone: not on the compiler tier, the
//! processor, a cache or the pool. What may differ from node to node (disk, memory maps) is kept apart in
//! [`LocalError`], upon which a node stops instead of diverging.
//!
//! This crate knows no ONNX, no state tree and no transaction; it asks the traits of [`backend`] for them. It reads
//! no clock, no environment and no random number, and opens no file outside the directory it was given.
//! Start at [`Vm::call`].

mod alone;
mod arena;
mod backend;
mod backtrace;
mod call;
mod check;
mod compile;
pub mod curve;
mod error;
mod imports;
mod instance;
mod instrument;
mod kept;
mod lend;
mod limits;
mod memory;
pub mod price;
mod stack;
#[doc(hidden)]
pub mod testing;
mod vm;

pub use alone::Alone;
pub use backend::{
    Addresses, Answer, Backend, Blobs, HostError, HostResult, ModelFacts, Models, Order, Querier, Refusal, Storage,
    TensorSpec,
};
pub use backtrace::Backtrace;
pub use call::{Call, Checksum, CodeReport, Entry, Lane, Report};
pub use error::{CheckError, LocalError, RegionError, Trap, VmError};
pub use limits::*;
pub use stack::with_stack;
pub use vm::{DebugSink, Stats, Tier, Vm, VmConfig, default_capabilities};

/// The example of the README, which runs with the tests of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
