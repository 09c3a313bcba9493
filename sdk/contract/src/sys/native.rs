//! Outside wasm32 the calls reach the host inside which the test runs; outside of one nothing is offered.

use aceso_types::{Frame, Tensor};

use crate::{Errno, nn::Short, testing::current};

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

fn copy(answer: &[u8], out: &mut [u8]) -> Result<usize, Short> {
    let short = Short { errno: Errno::TooLarge, needed: answer.len() };
    out.get_mut(..answer.len()).ok_or(short)?.copy_from_slice(answer);
    Ok(answer.len())
}
