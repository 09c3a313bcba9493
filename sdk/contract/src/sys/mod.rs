//! The imports, one safe function each, in the same words on both sides: the chain's on wasm32, the test's host
//! elsewhere.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod wasm;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::{
    blob_size, compute, get_output, init_execution_context, load_by_name, permit, read_info, set_input, set_input_blob,
    set_input_frame,
};
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm::{
    blob_size, compute, get_output, init_execution_context, load_by_name, permit, read_info, set_input, set_input_blob,
    set_input_frame,
};
