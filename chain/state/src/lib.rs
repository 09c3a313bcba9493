//! The chain's state: what is true at every height, with a root to sign and proofs to hand out.
//!
//! A block reads a [`Snapshot`] and gathers its writes in a [`Delta`], which knows nested transactions. The finished
//! [`Changes`] are staged: [`Store::stage`] computes every root in memory, so that the app hash is known before
//! anything reaches the disk. [`Store::commit`] then makes one atomic, durable write of it. Old heights stay readable
//! and provable within a window, and leave it a bounded amount at a time.
//!
//! Each component ("bank", "wasm", …) has a Merkle tree of its own; the app tree holds component name → component
//! root, and its root is the app hash. Both levels are proven with ICS23 under one [`proof_spec`].
//!
//! No clock, no thread and no randomness decides anything here, and no transaction format is known. The store below
//! has worker threads that merge files; they change time, never contents. Start at [`Store`].

mod changes;
mod delta;
mod disk;
mod error;
mod history;
mod keys;
mod merge;
mod node;
mod proof;
mod snapshot;
mod stage;
mod store;
mod tree;
mod window;

pub use changes::{Changes, KEY_MAX, VALUE_MAX};
pub use delta::Delta;
pub use disk::FailPoint;
pub use error::StateError;
pub use proof::{Proof, ProofRefused, proof_spec, proof_spec_json, verify};
pub use snapshot::{Order, Snapshot};
pub use stage::Staged;
pub use store::{CACHE_BYTES, Options, Store};
pub use tree::{EMPTY_ROOT, SENTINEL_KEY};
