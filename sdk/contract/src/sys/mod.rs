//! The imports, one safe function each, in the same words on both sides: the chain's on wasm32, the test's host
//! elsewhere.

#[cfg(not(target_arch = "wasm32"))]
mod curve;
#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod wasm;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::{
    blake3, blob_size, compute, g1_msm, g2_msm, get_output, init_execution_context, keccak256, load_by_name, permit,
    read_info, set_input, set_input_blob, set_input_frame, sha3_256, sha256, verify_receipt,
};
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm::{
    blake3, blob_size, compute, g1_msm, g2_msm, get_output, init_execution_context, keccak256, load_by_name, permit,
    read_info, set_input, set_input_blob, set_input_frame, sha3_256, sha256, verify_receipt,
};
