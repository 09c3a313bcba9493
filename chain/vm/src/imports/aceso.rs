//! `aceso`: permits, and reads of images by CID.
//!
//! Errno numbers are those of [`super::nn`]. What the chain's rules forbid ends the frame as a refusal.

use aceso_types::{
    Frame,
    guest::{PERMIT_BYTES_MAX, PURPOSE_MAX},
};

use super::declare;
use super::nn::{Errno, answer};
use crate::limits::CID_TEXT_MAX;
use crate::memory::Host;
use crate::{HostError, VmError, price};

/// The name that a contract imports it under.
pub(super) const MODULE: &str = "aceso";

declare! { MODULE;
    "permit" = permit(request: u32, length: u32) -> u32;
    "set_input_blob" = set_input_blob(context: u32, index: u32, cid: u32, cid_length: u32, purpose: u32, purpose_length: u32) -> u32;
    "set_input_frame" = set_input_frame(context: u32, index: u32, cid: u32, cid_length: u32, purpose: u32, purpose_length: u32, frame: u32) -> u32;
    "blob_size" = blob_size(cid: u32, length: u32, size: u32) -> u32;
    "read_info" = read_info(context: u32, out: u32, room: u32, written: u32) -> u32;
}

/// `permit(request: *u8, length: u32) -> errno`
///
/// A guard's answer to a contract that wants to read, JSON of [`aceso_types::guest::PermitRequest`].
fn permit(host: &mut Host<'_>, request: u32, length: u32) -> Result<u32, VmError> {
    if usize::try_from(length).map_or(true, |length| length > PERMIT_BYTES_MAX) {
        return Ok(Errno::TooLarge.into());
    }
    let Some(request) = host.read(request, length)? else { return Ok(Errno::InvalidArgument.into()) };
    host.charge_for(price::PERMIT, request.len())?;

    let limit = host.frame().limit;
    match host.ask_gently(|backend| backend.permit(&request))? {
        Ok(()) => Ok(Errno::Success.into()),
        Err(HostError::NotFound) => Ok(Errno::NotFound.into()),
        Err(error) => Err(VmError::from_host(error, limit)),
    }
}

/// `set_input_blob(context: u32, index: u32, cid: *u8, cid_length: u32, purpose: *u8, purpose_length: u32) -> errno`
///
/// Reads an image into an input: [`set_input_frame`] of the first frame.
fn set_input_blob(
    host: &mut Host<'_>,
    context: u32,
    index: u32,
    cid: u32,
    cid_length: u32,
    purpose: u32,
    purpose_length: u32,
) -> Result<u32, VmError> {
    set_input_frame(host, context, index, cid, cid_length, purpose, purpose_length, 1)
}

/// `set_input_frame(context: u32, index: u32, cid: *u8, cid_length: u32, purpose: *u8, purpose_length: u32, frame: u32) ->
/// errno`
///
/// Reads a frame of an image, counted from 1, into an input. The permit is looked for before anything is paid, and consumed
/// only when all is. There is no frame 0; whether the file has the one that is named shows when it is opened.
#[allow(clippy::too_many_arguments, reason = "the import's signature")]
fn set_input_frame(
    host: &mut Host<'_>,
    context: u32,
    index: u32,
    cid: u32,
    cid_length: u32,
    purpose: u32,
    purpose_length: u32,
    frame: u32,
) -> Result<u32, VmError> {
    let (spec, model) = match host.frame().inference.readable(context, index) {
        Ok(readable) => readable,
        Err(errno) => return Ok(errno.into()),
    };
    let cid = text(host, cid, cid_length, CID_TEXT_MAX)?;
    let purpose = text(host, purpose, purpose_length, PURPOSE_MAX)?;
    let (Some(cid), Some(purpose), Some(frame)) = (cid, purpose, Frame::new(frame)) else {
        return Ok(Errno::InvalidArgument.into());
    };
    let bytes = aceso_types::Tensor::bytes(spec.ty, &spec.dims).unwrap_or(usize::MAX);
    if bytes > host.frame().inference.room_for(context, index) {
        return Ok(Errno::TooLarge.into());
    }
    host.charge(price::READ)?;

    let limit = host.frame().limit;
    let price = match host.ask_gently(|backend| backend.read_price(&model, &cid, &purpose))? {
        Ok(price) => price,
        Err(HostError::NotFound) => return Ok(Errno::NotFound.into()),
        Err(error) => return Err(VmError::from_host(error, limit)),
    };
    host.charge(price)?;

    let (read, tensor) = host.ask(|backend| backend.read(&model, &cid, frame, &purpose))?;
    if !spec.fits(&tensor) {
        return Ok(Errno::InvalidArgument.into());
    }
    host.frame().inference.fill(context, index, tensor, Some(read));
    Ok(Errno::Success.into())
}

/// `blob_size(cid: *u8, length: u32, size: *u64) -> errno`
///
/// Bytes of an available blob.
fn blob_size(host: &mut Host<'_>, cid: u32, length: u32, size: u32) -> Result<u32, VmError> {
    let Some(cid) = text(host, cid, length, CID_TEXT_MAX)? else { return Ok(Errno::InvalidArgument.into()) };
    host.charge(price::BLOB_SIZE)?;

    let limit = host.frame().limit;
    let bytes = match host.ask_gently(|backend| backend.blob_size(&cid))? {
        Ok(Some(bytes)) => bytes,
        Ok(None) | Err(HostError::NotFound) => return Ok(Errno::NotFound.into()),
        Err(error) => return Err(VmError::from_host(error, limit)),
    };
    let done = host.write(size, &bytes.to_le_bytes())?;
    Ok(if done { Errno::Success } else { Errno::InvalidArgument }.into())
}

/// `read_info(context: u32, out: *u8, room: u32, written: *u32) -> errno`
///
/// What is to be known of a finished read, JSON of [`aceso_types::guest::ReadInfo`]. With too little room it says how
/// much it takes.
fn read_info(host: &mut Host<'_>, context: u32, out: u32, room: u32, written: u32) -> Result<u32, VmError> {
    answer(host, |inference| inference.info(context), (out, room, written))
}

/// Short text at a plain pointer; none if it is too long, is not text or does not lie in memory.
fn text(host: &mut Host<'_>, pointer: u32, length: u32, limit: usize) -> Result<Option<String>, VmError> {
    if usize::try_from(length).map_or(true, |length| length > limit) {
        return Ok(None);
    }
    host.charge(price::BYTES_IN.saturating_mul(u64::from(length)))?;
    Ok(host.read(pointer, length)?.and_then(|bytes| String::from_utf8(bytes).ok()))
}
