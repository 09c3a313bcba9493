//! Checks a receipt without trusting anyone here.
//!
//! A receipt file ([`Evidence`]) carries the receipt, its place in the state and a signed header; what is believed
//! without proof is in a [`Trust`]: a chain's name, its validators and the shape of its state's proofs, all of which
//! stand in the genesis file. [`verify`] joins them: the validators signed the header, the header commits the state,
//! the state holds these bytes under the key of this read.
//!
//! A sealed read was computed by a committee, whose members signed together: [`compact`] checks that by a few hundred
//! bytes and a table of keys, without state or headers.
//!
//! With the feature `recompute` whoever has the image and the model computes the outcome again ([`recompute`]). What a
//! sealed read comes to, computed and opened again, is in [`outcome`].
//!
//! Absent on purpose: no network, no clock (an unbonding period means nothing to validators by appointment), no
//! float. Runs on any target with `alloc`, browsers included.

#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod compact;
mod error;
mod evidence;
pub mod grant;
mod light;
pub mod outcome;
mod proof;
#[cfg(feature = "recompute")]
mod recompute;
mod trust;

pub use compact::{Roots, verify as verify_compact};
pub use error::VerifyError;
pub use evidence::Evidence;
pub use light::{Verified, verify};
#[cfg(feature = "recompute")]
pub use recompute::{Opened, RecomputeError, compute, recompute, recompute_sealed};
pub use trust::{Trust, TrustedValidator};
