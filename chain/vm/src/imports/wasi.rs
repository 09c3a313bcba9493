//! `wasi_snapshot_preview1`: the part of it that is the same on every node.
//!
//! A contract built for wasm32-wasip1 imports these to panic and to print. There is no environment, there are no
//! arguments, text goes where `env.debug` goes, and an exit ends the call. Clocks, random numbers and files are refused
//! when the contract is put: [`hint`] says what to do instead. Results are errno numbers of WASI.
//!
//! On that target `env.abort` is not imported: its name is taken by the C library's `abort`, which traps. So a panic is
//! reported there as a plain trap, without its message.

use super::declare;
use crate::limits::{DEBUG_MAX, IOVECS_MAX};
use crate::memory::Host;
use crate::{VmError, price};

/// The name that a contract imports it under.
pub(super) const MODULE: &str = "wasi_snapshot_preview1";

/// Done.
const SUCCESS: u32 = 0;
/// There is no such file.
const BAD_FILE: u32 = 8;
/// A pointer leads outside the memory.
const FAULT: u32 = 21;
/// An argument is out of range.
const INVALID: u32 = 28;

declare! { MODULE;
    "environ_sizes_get" = sizes(count: u32, bytes: u32) -> u32;
    "environ_get" = nothing(list: u32, buffer: u32) -> u32;
    "args_sizes_get" = sizes(count: u32, bytes: u32) -> u32;
    "args_get" = nothing(list: u32, buffer: u32) -> u32;
    "fd_write" = fd_write(file: u32, vectors: u32, count: u32, written: u32) -> u32;
    "proc_exit" = proc_exit(status: u32) -> ();
}

/// `environ_sizes_get(count: *u32, bytes: *u32) -> errno`, and the same for arguments
///
/// There are none, of no bytes.
fn sizes(host: &mut Host<'_>, count: u32, bytes: u32) -> Result<u32, VmError> {
    let done = host.write(count, &[0; 4])? && host.write(bytes, &[0; 4])?;
    Ok(if done { SUCCESS } else { FAULT })
}

/// `environ_get(list: **u8, buffer: *u8) -> errno`, and the same for arguments
///
/// Writes nothing.
fn nothing(_: &mut Host<'_>, _: u32, _: u32) -> Result<u32, VmError> {
    Ok(SUCCESS)
}

/// `fd_write(file: u32, vectors: *{*u8, u32}, count: u32, written: *u32) -> errno`
///
/// Shows what is written to files 1 and 2; there are no others. It costs the same when nobody listens.
fn fd_write(host: &mut Host<'_>, file: u32, vectors: u32, count: u32, written: u32) -> Result<u32, VmError> {
    if file != 1 && file != 2 {
        return Ok(BAD_FILE);
    }
    if count > IOVECS_MAX {
        return Ok(INVALID);
    }
    let mut text = Vec::new();
    for vector in 0..count {
        let at = vectors.saturating_add(8 * vector);
        let (Some(pointer), Some(length)) = (host.read_u32(at)?, host.read_u32(at.saturating_add(4))?) else {
            return Ok(FAULT);
        };
        host.charge(price::BYTES_IN.saturating_mul(u64::from(length)))?;
        if usize::try_from(length).map_or(true, |length| length > DEBUG_MAX - text.len()) {
            return Ok(INVALID);
        }
        let Some(bytes) = host.read(pointer, length)? else { return Ok(FAULT) };
        text.extend_from_slice(&bytes);
    }
    let total = u32::try_from(text.len()).unwrap_or(u32::MAX);
    if !host.write(written, &total.to_le_bytes())? {
        return Ok(FAULT);
    }
    host.frame().say(&text);
    Ok(SUCCESS)
}

/// `proc_exit(status: u32)`
///
/// Ends the call. Does not return.
fn proc_exit(_: &mut Host<'_>, status: u32) -> Result<(), VmError> {
    Err(VmError::Exited { status })
}

/// What to do instead of another import of WASI.
pub(super) fn hint(name: &str) -> &'static str {
    match name {
        "random_get" => {
            ": a random number would differ between nodes; \
             use BTreeMap and BTreeSet, or a hasher with fixed keys, where std's HashMap draws one"
        }
        "clock_time_get" | "clock_res_get" => ": a clock would differ between nodes; take the time from `env.block`",
        "poll_oneoff" | "sched_yield" => ": a call runs from start to end; there is nothing to wait for",
        "proc_raise" => ": there are no signals; return an error",
        name if name.starts_with("fd_") || name.starts_with("path_") => {
            ": there are no files; keep data in the contract's storage, and print to stdout or stderr only"
        }
        name if name.starts_with("sock_") => ": there is no network; send messages to other contracts",
        _ => "",
    }
}
