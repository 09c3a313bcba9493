//! Calls that no safe wrapper offers: `load`, any bytes as a permit request, pointers that lead nowhere.

#![allow(unsafe_code, reason = "a test of the host's checks must be able to break its rules")]

use crate::msg::Wild;

#[cfg(target_arch = "wasm32")]
mod imports {
    #[link(wasm_import_module = "wasi_ephemeral_nn")]
    unsafe extern "C" {
        pub(super) fn load(builders: usize, count: usize, encoding: u32, target: u32, graph: usize) -> i32;
        pub(super) fn load_by_name(name: usize, len: usize, graph: usize) -> i32;
        pub(super) fn init_execution_context(graph: u32, context: usize) -> i32;
        pub(super) fn set_input(context: u32, index: u32, tensor: usize) -> i32;
        pub(super) fn get_output(context: u32, index: u32, out: usize, max: usize, written: usize) -> i32;
    }

    #[link(wasm_import_module = "aceso")]
    unsafe extern "C" {
        pub(super) fn permit(request: usize, len: usize) -> i32;
        pub(super) fn set_input_blob(
            context: u32,
            index: u32,
            cid: usize,
            cid_len: usize,
            purpose: usize,
            purpose_len: usize,
        ) -> i32;
        pub(super) fn blob_size(cid: usize, cid_len: usize, size: usize) -> i32;
        pub(super) fn read_info(context: u32, out: usize, max: usize, written: usize) -> i32;
        pub(super) fn keccak256(data: usize, len: usize, out: usize) -> i32;
        pub(super) fn bls12_381_g1_msm(points: usize, scalars: usize, count: usize, out: usize) -> i32;
        pub(super) fn verify_receipt(
            receipt: usize,
            len: usize,
            root: usize,
            root_len: usize,
            trusted: usize,
            out: usize,
        ) -> i32;
    }
}

/// Outside of a chain nothing of this is offered: wasi-nn's `unsupported_operation`.
#[cfg(not(target_arch = "wasm32"))]
const UNSUPPORTED: i32 = 6;

/// wasi-nn's `load` of one builder, as ONNX for the CPU.
#[cfg(target_arch = "wasm32")]
pub(crate) fn load(bytes: &[u8]) -> i32 {
    let (builders, mut graph) = ([bytes], 0_u32);
    // SAFETY: builder and answer outlive the call; a slice is a pointer and a length, as wasi-nn lays a builder out.
    unsafe { imports::load(builders.as_ptr() as usize, 1, 1, 0, (&raw mut graph) as usize) }
}

/// `permit` with any bytes.
#[cfg(target_arch = "wasm32")]
pub(crate) fn permit(request: &[u8]) -> i32 {
    // SAFETY: the request outlives the call.
    unsafe { imports::permit(request.as_ptr() as usize, request.len()) }
}

/// Calls with pointers out of bounds.
#[cfg(target_arch = "wasm32")]
pub(crate) fn wild(call: &Wild) -> i32 {
    /// The last eight bytes of what a 32-bit pointer reaches; a contract has no such memory.
    const NOWHERE: usize = usize::MAX - 7;
    let mut room = 0_u64;
    let here = (&raw mut room) as usize;
    // SAFETY: the host checks every pointer against the memory that there is; nothing is written through these.
    unsafe {
        match call {
            Wild::LoadByName {} => imports::load_by_name(NOWHERE, 64, here),
            Wild::Context {} => imports::init_execution_context(0, NOWHERE),
            Wild::SetInput {} => imports::set_input(0, 0, NOWHERE),
            Wild::GetOutput {} => imports::get_output(0, 0, NOWHERE, 64, here),
            Wild::SetInputBlob {} => imports::set_input_blob(0, 0, NOWHERE, 59, NOWHERE, 5),
            Wild::ReadInfo {} => imports::read_info(0, NOWHERE, 4096, here),
            Wild::BlobSize {} => imports::blob_size(NOWHERE, 59, here),
            Wild::Permit {} => imports::permit(NOWHERE, 64),
            Wild::Hash {} => imports::keccak256(NOWHERE, 64, NOWHERE),
            Wild::G1Msm {} => imports::bls12_381_g1_msm(NOWHERE, NOWHERE, 1, NOWHERE),
            Wild::VerifyReceipt {} => imports::verify_receipt(NOWHERE, 64, NOWHERE, 64, NOWHERE, NOWHERE),
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn load(_: &[u8]) -> i32 {
    UNSUPPORTED
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn permit(_: &[u8]) -> i32 {
    UNSUPPORTED
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn wild(_: &Wild) -> i32 {
    UNSUPPORTED
}
