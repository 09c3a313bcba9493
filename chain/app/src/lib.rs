//! The state machine: given a snapshot and a block, what is true afterwards. It speaks ABCI and knows no network.
//!
//! A transaction is decoded once, authenticated, charged, dispatched to the components and, whatever became of it, its
//! journal is written ([`tx`]). A block begins with what its proposer attests, delivers its transactions in order and
//! ends with work that was waiting for it ([`block`]). [`components`] own the rows of the state; [`query`] answers
//! questions from snapshots, beside running blocks. Every error has its number in [`code`].
//!
//! Deterministic: no clock, no randomness and no environment is reachable from here, and an [`AppError`] never comes of
//! a transaction. Start at [`App`].

mod address;
mod app;
pub mod attest;
mod block;
mod chain;
pub mod code;
mod coin;
mod components;
mod divergence;
mod error;
mod event;
mod export;
mod gas;
mod genesis;
pub mod grants;
mod host;
pub mod paper;
mod pubkey;
mod query;
mod replay;
mod rest;
mod run;
mod snapshots;
mod store;
mod tasks;
mod transcripts;
mod tx;
pub mod upgrade;

pub use aceso_vm::Tier;
pub use address::genesis_contract;
pub use app::{APP_VERSION, App, Asked, ChainInfo, Config, Stats, WantedBlob};
pub use components::{COMPONENTS, wasm::unpacked};
pub use divergence::{Divergence, statement};
pub use error::AppError;
pub use export::Export;
pub use host::{Fetch, Reopen, Shelf, Shown, Verdict};
pub use replay::{TESTIMONY_MAX, Testimony};
pub use rest::{AtRest, Facts};
pub use snapshots::{SNAPSHOT_FORMAT, SNAPSHOTS_OFFERED};
pub use tasks::{OpenJob, TASKS_PAGE, Task, kept, lasting};
