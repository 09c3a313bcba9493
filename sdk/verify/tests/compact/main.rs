//! Compact receipts that are believed, and one for each reason not to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "a test fails by panicking")]

mod bytes;
mod receipts;
mod refusals;
mod rig;
mod vectors;
