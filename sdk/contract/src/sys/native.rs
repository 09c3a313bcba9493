//! Outside wasm32 the calls reach the host inside which the test runs; outside of one nothing is offered.

use aceso_types::{
    Digest, Frame, Tensor,
    guest::HASHED_MAX,
    sealed::{Backing, COMPACT_BYTES_MAX, NotBelieved, ROOT_BYTES_MAX, examine},
};
use aceso_verify::{Roots, verify_compact};
use sha2::Digest as _;

use crate::{Errno, nn::Short, testing::current};

pub(crate) use super::curve::{g1_msm, g2_msm};

pub(crate) fn load_by_name(name: &str) -> Result<u32, Errno> {
    current(|host| host.load_by_name(name))
}

pub(crate) fn init_execution_context(graph: u32) -> Result<u32, Errno> {
    current(|host| host.init_execution_context(graph))
}

pub(crate) fn set_input(context: u32, index: u32, tensor: &Tensor) -> Result<(), Errno> {
    current(|host| host.set_input(context, index, tensor))
}

pub(crate) fn compute(context: u32) -> Result<(), Errno> {
    current(|host| host.compute(context))
}

pub(crate) fn get_output(context: u32, index: u32, out: &mut [u8]) -> Result<usize, Short> {
    copy(&current(|host| host.get_output(context, index))?, out)
}

pub(crate) fn permit(request: &[u8]) -> Result<(), Errno> {
    current(|host| host.permit(request))
}

pub(crate) fn set_input_blob(context: u32, index: u32, cid: &str, purpose: &str) -> Result<(), Errno> {
    set_input_frame(context, index, cid, Frame::FIRST, purpose)
}

pub(crate) fn set_input_frame(context: u32, index: u32, cid: &str, frame: Frame, purpose: &str) -> Result<(), Errno> {
    current(|host| host.set_input_frame(context, index, cid, frame, purpose))
}

pub(crate) fn blob_size(cid: &str) -> Result<u64, Errno> {
    current(|host| host.blob_size(cid))
}

pub(crate) fn read_info(context: u32, out: &mut [u8]) -> Result<usize, Short> {
    copy(&current(|host| host.read_info(context))?, out)
}

pub(crate) fn keccak256(data: &[u8]) -> Result<[u8; 32], Errno> {
    hashed(data, |data| sha3::Keccak256::digest(data).into())
}

pub(crate) fn sha256(data: &[u8]) -> Result<[u8; 32], Errno> {
    hashed(data, |data| sha2::Sha256::digest(data).into())
}

pub(crate) fn sha3_256(data: &[u8]) -> Result<[u8; 32], Errno> {
    hashed(data, |data| sha3::Sha3_256::digest(data).into())
}

pub(crate) fn blake3(data: &[u8]) -> Result<[u8; 32], Errno> {
    hashed(data, |data| blake3::hash(data).into())
}

/// The answer is a number: an errno or that of a reason.
pub(crate) fn verify_receipt(receipt: &[u8], root: &[u8], trusted: &Digest) -> Result<Backing, i32> {
    if receipt.len() > COMPACT_BYTES_MAX || root.len() > ROOT_BYTES_MAX {
        return Err(Errno::TooLarge.number());
    }
    let refuse = |reason: NotBelieved| reason.number().cast_signed();
    let examined = examine(receipt, root, trusted).map_err(refuse)?;
    let backing = examined.backing();
    let roots = Roots::trust(examined.root).map_err(|_| refuse(NotBelieved::Key))?;
    match verify_compact(receipt, &roots) {
        Ok(_) => Ok(backing),
        Err(_) => Err(refuse(NotBelieved::Signature)),
    }
}

/// What contracts may hand over is bounded as on the chain.
fn hashed(data: &[u8], hash: impl FnOnce(&[u8]) -> [u8; 32]) -> Result<[u8; 32], Errno> {
    if data.len() > HASHED_MAX { Err(Errno::TooLarge) } else { Ok(hash(data)) }
}

fn copy(answer: &[u8], out: &mut [u8]) -> Result<usize, Short> {
    let short = Short { errno: Errno::TooLarge, needed: answer.len() };
    out.get_mut(..answer.len()).ok_or(short)?.copy_from_slice(answer);
    Ok(answer.len())
}
