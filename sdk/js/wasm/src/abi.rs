//! The exports.
//!
//! A caller asks [`aceso_alloc`] for a region, writes its bytes there, passes the region's address to a call, reads
//! the answer at the address that comes back ([`aceso_len`] bytes in the form of [`crate::answer::encode`]), and gives
//! every region back by [`aceso_free`]. Arguments stay the caller's. An address that is none of a region reads as an
//! empty argument, and so does a region that is given twice, so a wrong caller gets a wrong answer and not another's memory.
//!
//! Regions live in a table: no pointer is ever followed here.

#![allow(
    unsafe_code,
    reason = "an export needs a fixed name, and naming one is `unsafe` since edition 2024; there is no other use"
)]

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{Answer, answer, compact, images, receipts, records};

/// Most bytes of one region: the largest model (128 MiB, `aceso_types::manifest::ONNX_BYTES_MAX`).
const REGION_MAX: usize = 128 << 20;
/// Most bytes of all regions: a model, an image and what stands around them.
const TOTAL_MAX: usize = 256 << 20;

static REGIONS: Mutex<BTreeMap<usize, Box<[u8]>>> = Mutex::new(BTreeMap::new());

fn regions() -> MutexGuard<'static, BTreeMap<usize, Box<[u8]>>> {
    // Each change is a single insertion or removal.
    REGIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep(region: Box<[u8]>) -> usize {
    let at = region.as_ptr().addr();
    regions().insert(at, region);
    at
}

fn room(len: usize) -> Option<Box<[u8]>> {
    let held: usize = regions().values().map(|region| region.len()).sum();
    if len == 0 || len > REGION_MAX || held.saturating_add(len) > TOTAL_MAX {
        return None;
    }
    let mut region = Vec::new();
    region.try_reserve_exact(len).ok()?;
    region.resize(len, 0);
    Some(region.into_boxed_slice())
}

/// Takes the arguments out of the table for the time of the call, so that the table is not locked meanwhile.
fn call<const N: usize>(at: [usize; N], run: impl FnOnce([&[u8]; N]) -> Result<Answer, String>) -> usize {
    let taken = at.map(|at| regions().remove(&at));
    let result = answer::encode(run(taken.each_ref().map(|region| region.as_deref().unwrap_or_default())));
    for region in taken.into_iter().flatten() {
        keep(region);
    }
    keep(result.into_boxed_slice())
}

/// A region of `len` bytes, all zero; 0 where there is no room for it.
#[unsafe(no_mangle)]
extern "C" fn aceso_alloc(len: usize) -> usize {
    room(len).map_or(0, keep)
}

/// The length of a region; 0 where there is none.
#[unsafe(no_mangle)]
extern "C" fn aceso_len(region: usize) -> usize {
    regions().get(&region).map_or(0, |region| region.len())
}

/// Gives a region back.
#[unsafe(no_mangle)]
extern "C" fn aceso_free(region: usize) {
    regions().remove(&region);
}

macro_rules! exports {
    ($($(#[$doc:meta])* $name:ident($($argument:ident),*) => $run:path;)*) => {$(
        $(#[$doc])*
        #[unsafe(no_mangle)]
        extern "C" fn $name($($argument: usize),*) -> usize {
            call([$($argument),*], |[$($argument),*]| $run($($argument),*))
        }
    )*};
}

exports! {
    /// A receipt file and a trust file → the receipt, proven.
    aceso_verify(evidence, trust) => receipts::verify;
    /// A receipt and what it names → its outcome, computed here.
    aceso_recompute(receipt, manifest, onnx, image) => receipts::recompute;
    /// The parts of a receipt file, header and validators as the RPC's JSON → the file.
    aceso_evidence(receipt, component_proof, app_proof, commit, validators) => receipts::evidence;
    /// A compact receipt, a roots file, what is demanded of the committee in JSON → the read, proven.
    aceso_verify_compact(file, roots, demanded) => compact::verify;
    /// A receipt of a sealed read → its compact receipt.
    aceso_compact(receipt) => compact::of;
    /// A roots file and the node's answer with the next root → the file with it; without a file one that begins with it.
    aceso_follow(roots, row) => compact::follow;
    /// A picture file → what it is, with its identity for payment.
    aceso_image(file) => images::describe;
    /// A picture file → the picture in 8 bits, at most 1024 pixels a side.
    aceso_preview(file) => images::preview;
    /// A receipt → JSON.
    aceso_receipt(receipt) => records::receipt;
    /// A manifest in dag-cbor → JSON.
    aceso_manifest(manifest) => records::manifest;
    /// A manifest in JSON → dag-cbor and the model's id.
    aceso_manifest_of(json) => records::manifest_of;
    /// A line of the journal → JSON.
    aceso_journal(entry) => records::journal;
    /// An institution's statement in JSON and a chain's id → the 32 bytes that are signed.
    aceso_origin(origin, chain_id) => records::origin;
    /// A chain's id, an image's CID and a time (u64, big-endian) → the 32 bytes that a request for the image signs.
    aceso_fetch(chain_id, image, expires) => records::fetch;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_what_was_asked_for() {
        let at = aceso_alloc(3);
        assert_eq!((at != 0, aceso_len(at)), (true, 3));
        aceso_free(at);
        assert_eq!(aceso_len(at), 0);
        for len in [0, REGION_MAX + 1, usize::MAX] {
            assert_eq!(aceso_alloc(len), 0, "{len}");
        }
    }

    #[test]
    fn a_wrong_address_is_an_empty_argument() {
        let answer = aceso_receipt(12_345);
        let region = regions().remove(&answer).unwrap();
        assert!(String::from_utf8_lossy(&region).contains("the receipt does not decode"), "{region:?}");
    }

    #[test]
    fn a_region_given_twice_is_empty_the_second_time_and_stays() {
        let at = keep(b"x".as_slice().into());
        let answer = aceso_verify(at, at);
        assert_eq!((aceso_len(at), aceso_len(answer) > 4), (1, true));
        aceso_free(at);
        aceso_free(answer);
    }
}
