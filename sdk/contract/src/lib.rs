//! For authors of contracts: a model run on an image is a function call.
//!
//! ```no_run
//! # use aceso_types::{BlobId, ModelId};
//! # fn answer(model: ModelId, image: BlobId) -> Result<(), aceso_contract::ReadError> {
//! let read = aceso_contract::read(&model, &image, "TREAT")?;
//! let pneumonia = read.findings.iter().any(|finding| finding.id == "pneumonia" && finding.present);
//! # Ok(())
//! # }
//! ```
//!
//! [`read()`] is the whole of it for most contracts, or [`read_frame`] where a file has several pictures; [`Graph`] and [`Context`] are its steps, for tensors that the
//! contract holds itself. A guarded image needs a permit first, which its guard mints with [`permit`] in the same
//! transaction. What the chain knows of images, models and grants is asked through [`image_info`], [`sealed_info`],
//! [`model_info`], [`uses`] and [`spent`], by contracts whose `Deps` carry [`Query`].
//!
//! A sealed record is read by a committee: [`request_read`], [`requested`], and a [`Callback`] in `sudo`.
//!
//! [`keccak256`], [`sha256`], [`sha3_256`] and [`blake3`] are the host's, and so are multiples of points of BLS12-381 ([`g1_msm`],
//! [`g2_msm`]) and the check of a compact receipt ([`verify_receipt`]), from this chain or another.
//!
//! On wasm32 the calls are the chain's imports `wasi_ephemeral_nn` and `aceso`, and the contract exports
//! `requires_aceso`, so that a chain without them refuses it when it is stored. Elsewhere, in `cargo test`, they reach
//! the `testing::Host` inside which the test runs; the feature `testing` gives that host the chain's own engine.
//!
//! Not here: messages between contracts (`aceso-interface`).

mod curve;
mod errno;
mod hash;
mod nn;
mod query;
mod read;
mod receipt;
mod sealed;
mod sys;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use aceso_types::{
    Frame,
    guest::{Callback, Ended, ReadDone},
    msg::Acceptance,
    sealed::{Backing, Disclosure, Failure, NotBelieved, Terms},
};
pub use curve::{g1_msm, g2_msm};
pub use errno::Errno;
pub use hash::{blake3, keccak256, sha3_256, sha256};
pub use nn::{Context, Graph};
pub use query::{Query, image_info, model_info, sealed_info, spent, uses};
pub use read::{ReadError, blob_size, permit, read, read_frame};
pub use receipt::{ReceiptError, VerifiedReceipt, verify_receipt};
pub use sealed::{ReadRequest, RequestError, Requested, request_read, requested};
