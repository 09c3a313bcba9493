//! Runs registered models, bit for bit the same on every validator, in a browser, and in a contract's tests.
//!
//! A model is an ONNX file and a manifest. [`admit`] decodes the file (`onnx`), turns its nodes into integer operations
//! (`lower`, `ir`) and proves that each has one result only: no float but the formulas that `SPEC.md` writes down
//! (`formula`), sums that fit 32 bits, shapes that are fixed. What is left is priced ([`meter`]), put into the order of
//! bytes that kernels want (`arrange`), planned (`plan`) and run ([`Model::run`], `kernels`), by the set of [`Kernels`]
//! that the processor has. What that came to can be kept as bytes ([`admit_packed`], [`unpack`]). [`Record`] turns the bytes of a picture ([`image`]) or a [`table`] into the tensor that
//! the manifest promises; [`answers()`] turns the model's integers into the manifest's words.
//!
//! No clock, no file and no random number is reachable from here, and no thread but those that [`Kernels::threads`] asks for,
//! which share places and nothing else. Start at [`admit`].

#![cfg_attr(
    all(target_arch = "wasm32", not(target_feature = "simd128")),
    allow(dead_code, reason = "what only vectors use is left over where there are none")
)]

mod admit;
mod answers;
mod arrange;
mod error;
mod explain;
mod formula;
pub mod image;
mod ir;
mod kernels;
mod lower;
pub mod meter;
mod model;
mod onnx;
mod packed;
mod plan;
mod real;
mod record;
pub mod table;

pub use admit::{admit, admit_known, admit_packed, admit_with};
pub use answers::answers;
pub use error::{ConstantFault, InferError, InputFault, ModelRefused, NodeFault, OutputFault, Site};
pub use explain::{Explanation, Operation, Warning, explain};
pub use formula::rounding_is_default;
pub use kernels::{KernelSet, Kernels, KernelsError};
pub use model::{Model, Quantisation, TensorSpec};
pub use packed::{Packed, PackedError, unpack};
pub use plan::Facts;
#[doc(hidden)]
pub use plan::StepFacts;
pub use record::{Record, RecordError};
