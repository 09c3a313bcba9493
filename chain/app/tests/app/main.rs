//! Scenarios through the real application on temporary state: signed transactions in, results, state and proofs out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod ahead;
mod asked;
mod authority;
mod authz;
mod blocks;
mod coins;
mod contracts;
mod export;
mod fixture;
mod frames;
mod hospital;
mod insured;
mod keys;
mod manifests;
mod observer;
mod preloaded;
mod queries;
mod reads;
mod refused;
mod replay;
mod sealed_closed;
mod sealed_dispute;
mod sealed_ends;
mod sealed_forged;
mod sealed_grants;
mod sealed_hostile;
mod sealed_jobs;
mod sealed_observer;
mod sealed_refusals;
mod sealed_results;
mod shipped;
mod signing;
mod spoiled;
mod sponsor;
mod sync;
mod validators;
mod verifier;
mod vesting;
mod ward;
mod wasm_messages;
mod work;

use aceso_test_support::guests;
