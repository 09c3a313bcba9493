//! The contract engine as its owner sees it, on contracts written by hand.
//!
//! Every call runs in both compiler tiers and must come to the same report and the same state. Gas is pinned: a
//! difference here forks the chain, so a red number means a protocol change and needs a version, never just a
//! re-record.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod alone;
mod backtraces;
mod cache;
mod checks;
mod env;
mod fixture;
mod inference;
mod mock;
mod mutations;
mod page;
mod pool;
mod traps;
mod wasi;
mod work;
