//! Scenarios through the real application on temporary state: signed transactions in, results, state and proofs out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod authority;
mod blocks;
mod coins;
mod contracts;
mod export;
mod fixture;
mod queries;
mod reads;
mod replay;
mod shipped;
mod signing;
mod spoiled;
mod sync;
mod validators;
mod verifier;

use aceso_test_support::guests;
