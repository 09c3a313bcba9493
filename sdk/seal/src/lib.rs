//! Seals records so that only who holds the key can read them, and opens them, also from the middle.
//!
//! A sealed file begins with a small public [`Header`]: whose it is, and a commitment to the key. What follows is a STREAM
//! of AES-256-GCM chunks (Hoang, Reyhanitabar, Rogaway, Vizár 2015), cut so that each is exactly one leaf of the blob it
//! becomes ([`LEAF`]): a leaf that was fetched opens by itself, and the last one is marked, so that nothing can be cut
//! off. Inside, before the record, stands what identifies it ([`Inner`]); the record is compressed before it is sealed,
//! where that helps. `FORMAT.md` has every byte.
//!
//! Keys follow from the point K that grants hand out ([`aceso_verify::grant::ContentPoint`]): one K for a study, one key
//! for each file of it by the header's salt. AES-GCM alone would open one file under two keys; the commitment in the
//! header is compared first, and the header is part of what the key is derived from, so a header that says something
//! else opens nothing.
//!
//! A patient's secrets are a record too: [`KeyStore`] has her master secret and a nonce for each image, and what was
//! erased from it is gone from every later version.
//!
//! The same code seals on a workstation and, as wasm, in a browser. It makes no randomness and reads no clock.

mod deflate;
mod error;
mod header;
mod key;
mod open;
mod registered;
mod seal;
mod store;

pub use error::SealError;
pub use header::{Header, Inner};
pub use open::{Opener, Unsealer, open};
#[cfg(feature = "recompute")]
pub use registered::outcome;
pub use registered::{Registered, open_registered, sealed_bytes_max};
pub use seal::{RecordSealer, Sealer, seal};
pub use store::{KeyStore, StoreError};

/// Bytes of a leaf: one chunk, its header and its tag included.
pub const LEAF: usize = 1 << 20;
/// Bytes of a chunk's tag.
pub const TAG: usize = 16;
