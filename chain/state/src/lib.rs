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
//! While no block is made a store can go back a height, drop old heights and give space back ([`Store::roll_back`],
//! [`Store::prune`], [`Store::compact`]).
//!
//! A node that joins late restores a height instead of executing up to it: [`Snapshot::export`] cuts a state into
//! chunks, [`Store::restore`] takes them over and checks each one against the app hash.
//!
//! No clock, no thread and no randomness decides anything here, and no transaction format is known. The store below
//! has worker threads that merge files; they change time, never contents. Start at [`Store`].

mod ahead;
mod branch;
mod changes;
mod chunk;
mod delta;
mod disk;
mod error;
mod export;
mod generations;
mod grow;
mod history;
mod keys;
mod manifest;
mod merge;
mod node;
mod notes;
mod proof;
mod recent;
mod refusal;
mod rest;
mod restore;
mod snapshot;
mod stage;
mod store;
mod supposed;
mod tree;
mod update;
mod walk;
mod warm;
mod window;

pub use changes::{Changes, KEY_MAX, VALUE_MAX};
pub use delta::Delta;
pub use disk::{FailPoint, Moment, Written};
pub use error::StateError;
pub use export::Export;
pub use manifest::{CHUNK_BYTES, CHUNK_MAX, CHUNKS_MAX, MANIFEST_MAX, Manifest, ManifestError};
pub use proof::{Proof, ProofRefused, proof_spec, proof_spec_json, verify};
pub use refusal::{Blame, ChunkFault, RestoreError};
pub use restore::Restore;
pub use snapshot::{Order, Snapshot};
pub use stage::Staged;
pub use store::{CACHE_BYTES, Options, Store};
pub use tree::{EMPTY_ROOT, SENTINEL_KEY};
