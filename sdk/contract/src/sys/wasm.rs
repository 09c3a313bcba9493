//! The chain's imports. The only unsafe code of this crate: each call hands the host pointers into borrows that live
//! until it returns, and the host keeps none of them.

#![allow(unsafe_code, reason = "imports and exports of a wasm module can be declared in no other way")]

use aceso_types::{Digest, Frame, Tensor, sealed::Backing};

use crate::{Errno, nn::Short};

/// Tells a chain that stores the contract that it needs the imports below.
#[unsafe(no_mangle)]
extern "C" fn requires_aceso() {}

/// `$tensor` of wasi-nn's `witx/wasi-nn.witx`, with the dimensions as a list of u32.
#[repr(C)]
struct Record {
    dims: *const u32,
    dims_len: usize,
    ty: u8,
    data: *const u8,
    data_len: usize,
}

const _: () = assert!(size_of::<Record>() == 20);

mod nn {
    #[link(wasm_import_module = "wasi_ephemeral_nn")]
    unsafe extern "C" {
        pub(super) fn load_by_name(name: *const u8, name_len: usize, graph: *mut u32) -> i32;
        pub(super) fn init_execution_context(graph: u32, context: *mut u32) -> i32;
        pub(super) fn set_input(context: u32, index: u32, tensor: *const super::Record) -> i32;
        pub(super) fn compute(context: u32) -> i32;
        pub(super) fn get_output(context: u32, index: u32, out: *mut u8, max: usize, written: *mut usize) -> i32;
    }
}

mod aceso {
    #[link(wasm_import_module = "aceso")]
    unsafe extern "C" {
        pub(super) fn permit(request: *const u8, len: usize) -> i32;
        pub(super) fn set_input_blob(
            context: u32,
            index: u32,
            cid: *const u8,
            cid_len: usize,
            purpose: *const u8,
            purpose_len: usize,
        ) -> i32;
        pub(super) fn set_input_frame(
            context: u32,
            index: u32,
            cid: *const u8,
            cid_len: usize,
            purpose: *const u8,
            purpose_len: usize,
            frame: u32,
        ) -> i32;
        pub(super) fn blob_size(cid: *const u8, cid_len: usize, size: *mut u64) -> i32;
        pub(super) fn read_info(context: u32, out: *mut u8, max: usize, written: *mut usize) -> i32;
        pub(super) fn keccak256(data: *const u8, len: usize, out: *mut u8) -> i32;
        pub(super) fn sha256(data: *const u8, len: usize, out: *mut u8) -> i32;
        pub(super) fn sha3_256(data: *const u8, len: usize, out: *mut u8) -> i32;
        pub(super) fn blake3(data: *const u8, len: usize, out: *mut u8) -> i32;
        pub(super) fn verify_receipt(
            receipt: *const u8,
            len: usize,
            root: *const u8,
            root_len: usize,
            trusted: *const u8,
            out: *mut u8,
        ) -> i32;
        pub(super) fn bls12_381_g1_msm(points: *const u8, scalars: *const u8, count: usize, out: *mut u8) -> i32;
        pub(super) fn bls12_381_g2_msm(points: *const u8, scalars: *const u8, count: usize, out: *mut u8) -> i32;
    }
}

pub(crate) fn load_by_name(name: &str) -> Result<u32, Errno> {
    let mut graph = 0;
    // SAFETY: `name` and `graph` outlive the call.
    Errno::check(unsafe { nn::load_by_name(name.as_ptr(), name.len(), &mut graph) })?;
    Ok(graph)
}

pub(crate) fn init_execution_context(graph: u32) -> Result<u32, Errno> {
    let mut context = 0;
    // SAFETY: `context` outlives the call.
    Errno::check(unsafe { nn::init_execution_context(graph, &mut context) })?;
    Ok(context)
}

pub(crate) fn set_input(context: u32, index: u32, tensor: &Tensor) -> Result<(), Errno> {
    let (dims, data) = (tensor.dims(), tensor.data());
    let record = Record {
        dims: dims.as_ptr(),
        dims_len: dims.len(),
        ty: tensor.ty().tag(),
        data: data.as_ptr(),
        data_len: data.len(),
    };
    // SAFETY: `record` and the two slices that it points at outlive the call.
    Errno::check(unsafe { nn::set_input(context, index, &record) })
}

pub(crate) fn compute(context: u32) -> Result<(), Errno> {
    // SAFETY: takes no pointer.
    Errno::check(unsafe { nn::compute(context) })
}

pub(crate) fn get_output(context: u32, index: u32, out: &mut [u8]) -> Result<usize, Short> {
    let mut written = 0;
    // SAFETY: the host writes at most `out.len()` bytes into `out`; both borrows outlive the call.
    let number = unsafe { nn::get_output(context, index, out.as_mut_ptr(), out.len(), &mut written) };
    answer(number, written, out.len())
}

pub(crate) fn permit(request: &[u8]) -> Result<(), Errno> {
    // SAFETY: `request` outlives the call.
    Errno::check(unsafe { aceso::permit(request.as_ptr(), request.len()) })
}

pub(crate) fn set_input_blob(context: u32, index: u32, cid: &str, purpose: &str) -> Result<(), Errno> {
    // SAFETY: both texts outlive the call.
    Errno::check(unsafe {
        aceso::set_input_blob(context, index, cid.as_ptr(), cid.len(), purpose.as_ptr(), purpose.len())
    })
}

pub(crate) fn set_input_frame(context: u32, index: u32, cid: &str, frame: Frame, purpose: &str) -> Result<(), Errno> {
    let (cid, purpose) = (cid.as_bytes(), purpose.as_bytes());
    let (cid_ptr, purpose_ptr) = (cid.as_ptr(), purpose.as_ptr());
    // SAFETY: both texts outlive the call.
    Errno::check(unsafe {
        aceso::set_input_frame(context, index, cid_ptr, cid.len(), purpose_ptr, purpose.len(), frame.number())
    })
}

pub(crate) fn blob_size(cid: &str) -> Result<u64, Errno> {
    let mut size = 0;
    // SAFETY: `cid` and `size` outlive the call.
    Errno::check(unsafe { aceso::blob_size(cid.as_ptr(), cid.len(), &mut size) })?;
    Ok(size)
}

pub(crate) fn read_info(context: u32, out: &mut [u8]) -> Result<usize, Short> {
    let mut written = 0;
    // SAFETY: the host writes at most `out.len()` bytes into `out`; both borrows outlive the call.
    let number = unsafe { aceso::read_info(context, out.as_mut_ptr(), out.len(), &mut written) };
    answer(number, written, out.len())
}

/// Each hash, by its name.
macro_rules! hashes {
    ($($name:ident)*) => {$(
        pub(crate) fn $name(data: &[u8]) -> Result<[u8; 32], Errno> {
            let mut out = [0; 32];
            // SAFETY: `data` and the 32 bytes of `out` outlive the call.
            Errno::check(unsafe { aceso::$name(data.as_ptr(), data.len(), out.as_mut_ptr()) })?;
            Ok(out)
        }
    )*};
}
hashes! { keccak256 sha256 sha3_256 blake3 }

/// The answer is a number: 0, an errno or that of a reason.
pub(crate) fn verify_receipt(receipt: &[u8], root: &[u8], trusted: &Digest) -> Result<Backing, i32> {
    let mut out = [0; Backing::BYTES];
    let (receipt, len, root, root_len) = (receipt.as_ptr(), receipt.len(), root.as_ptr(), root.len());
    // SAFETY: both byte strings, the 32 bytes of the digest and those of `out` outlive the call.
    match unsafe { aceso::verify_receipt(receipt, len, root, root_len, trusted.0.as_ptr(), out.as_mut_ptr()) } {
        0 => Ok(Backing::from_bytes(&out)),
        number => Err(number),
    }
}

pub(crate) fn g1_msm(points: &[[u8; 48]], scalars: &[[u8; 32]]) -> Result<[u8; 48], Errno> {
    let (mut out, count) = ([0; 48], points.len().min(scalars.len()));
    let (points, scalars) = (points.as_ptr().cast(), scalars.as_ptr().cast());
    // SAFETY: there are `count` points and scalars one behind the other; they and `out` outlive the call.
    Errno::check(unsafe { aceso::bls12_381_g1_msm(points, scalars, count, out.as_mut_ptr()) })?;
    Ok(out)
}

pub(crate) fn g2_msm(points: &[[u8; 96]], scalars: &[[u8; 32]]) -> Result<[u8; 96], Errno> {
    let (mut out, count) = ([0; 96], points.len().min(scalars.len()));
    let (points, scalars) = (points.as_ptr().cast(), scalars.as_ptr().cast());
    // SAFETY: as above.
    Errno::check(unsafe { aceso::bls12_381_g2_msm(points, scalars, count, out.as_mut_ptr()) })?;
    Ok(out)
}

fn answer(number: i32, written: usize, max: usize) -> Result<usize, Short> {
    match Errno::check(number) {
        Ok(()) => Ok(written.min(max)),
        Err(errno) => Err(Short { errno, needed: written }),
    }
}
