//! What a sealed read comes to: one pure function of an opened record, and the outcome that only who holds the key can
//! read.
//!
//! A committee's members, whoever disputes what they signed, and whoever computes it again all call [`read`] and then
//! [`Read::disclose`]: there is no second way from a record to an [`aceso_types::sealed::Outcome`]. How the record was
//! sealed is not known here, and neither is where the model comes from. What is kept for the key's holder is made and
//! opened by [`seal_outputs`] and [`open_outputs`].

#[cfg(feature = "recompute")]
mod read;
mod secret;

#[cfg(feature = "recompute")]
pub use read::{BODY_PART, Came, Case, MODALITY, RECORD_BYTES_MAX, Read, outcome, read};
pub use secret::{OutputsError, blind, open_outputs, open_result, seal_outputs};
