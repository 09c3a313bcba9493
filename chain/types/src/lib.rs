//! The wire: everything that two parts of Aceso, or Aceso and its clients, say to each other.
//!
//! Plain data with an encoding each, and the checks that need nothing but the bytes. Identifiers first ([`ids`],
//! [`blob`], [`frame`]), then what a read is made of ([`tensor`], [`manifest`]), what a transaction carries ([`msg`]), what a
//! contract says to its host ([`guest`]), what a committee is asked and signs ([`sealed`]), what stays behind ([`receipt`], [`journal`], [`transcript`]) and what is asked
//! about it ([`query`]). [`genesis`] is where a chain starts, with the state of another one if [`exported`] says so;
//! [`gas`] is the one scale of work.
//!
//! No state, no I/O, no clock: this crate is `no_std` and also runs in browsers and contracts.

#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod access;
pub mod blob;
pub mod cbor_bytes;
pub mod exported;
pub mod frame;
pub mod gas;
pub mod genesis;
pub mod guest;
pub mod ids;
pub mod journal;
pub mod manifest;
pub mod metadata;
pub mod msg;
pub mod query;
pub mod receipt;
pub mod sealed;
pub mod signers;
pub mod tensor;
pub mod transcript;
pub mod vesting;

mod base64_bytes;

pub use blob::{BlobId, BlobIdError};
pub use frame::{Frame, FrameError};
pub use gas::Gas;
pub use ids::{Digest, DigestError, Height, ModelId, PixelDigest, ReadId, TxIndex};
pub use manifest::{Manifest, ManifestError};
pub use receipt::{Receipt, ReceiptError};
pub use tensor::{ElementType, Tensor, TensorError};
pub use transcript::Transcript;
