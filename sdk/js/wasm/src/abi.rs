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

use zeroize::Zeroizing;

use crate::{
    Answer, answer, answer::Refusal, compact, grants, guardians, images, models, receipts, records, seals, stores,
    terms,
};

/// Most bytes of one region: the largest model (128 MiB, `aceso_types::manifest::ONNX_BYTES_MAX`).
const REGION_MAX: usize = 128 << 20;
/// Most bytes of all regions: a model, an image and what stands around them.
const TOTAL_MAX: usize = 256 << 20;

/// Regions are wiped when they go: any of them may have held a secret.
type Regions = BTreeMap<usize, Zeroizing<Box<[u8]>>>;

static REGIONS: Mutex<Regions> = Mutex::new(BTreeMap::new());

fn regions() -> MutexGuard<'static, Regions> {
    // Each change is a single insertion or removal.
    REGIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep(region: Box<[u8]>) -> usize {
    let at = region.as_ptr().addr();
    regions().insert(at, Zeroizing::new(region));
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
fn call<const N: usize, E: Into<Refusal>>(at: [usize; N], run: impl FnOnce([&[u8]; N]) -> Result<Answer, E>) -> usize {
    let taken = at.map(|at| regions().remove(&at));
    let result = answer::encode(run(taken.each_ref().map(|region| region.as_ref().map_or(&[][..], |region| region))));
    for (at, region) in at.into_iter().zip(taken) {
        region.and_then(|region| regions().insert(at, region));
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
    /// A sealed read's receipt, manifest, model, content point, what is registered in JSON, the file → its outcome, computed
    /// here.
    aceso_recompute_sealed(receipt, manifest, onnx, point, about, file) => receipts::recompute_sealed;
    /// A sealed read's receipt, manifest, content point, the file that its outcome names (empty where it names none) → its
    /// outcome, with outputs that were kept for who has the point.
    aceso_outputs(receipt, manifest, point, file) => receipts::outputs;
    /// The parts of a receipt file, header and validators as the RPC's JSON → the file.
    aceso_evidence(receipt, component_proof, app_proof, commit, validators) => receipts::evidence;
    /// A compact receipt, a roots file, what is demanded of the committee in JSON → the read, proven.
    aceso_verify_compact(file, roots, demanded) => compact::verify;
    /// A receipt of a sealed read → its compact receipt.
    aceso_compact(receipt) => compact::of;
    /// A roots file and the node's answer with the next root → the file with it; without a file one that begins with it.
    aceso_follow(roots, row) => compact::follow;
    /// A manifest and the ONNX file that it names → a model's number, its kernels, inputs and outputs.
    aceso_model_load(manifest, onnx) => models::load;
    /// A model's number (u32, big-endian), an image or a table, a frame's number from 1 (u32, big-endian; the first where it is
    /// empty) → its outcome.
    aceso_model_run(model, file, frame) => models::run;
    /// A model's number, the bytes of its input → the digest of its outputs, and their bytes one after another.
    aceso_model_tensor(model, input) => models::run_tensor;
    /// A model that is given back.
    aceso_model_close(model) => models::close;
    /// A picture file and a frame's number, likewise → what it is, with its identity for payment.
    aceso_image(file, frame) => images::describe;
    /// An image file → the effort that it is registered with, in decimal digits.
    aceso_effort(file) => images::takes;
    /// A picture file and a frame's number, likewise → the picture in 8 bits, at most 1024 pixels a side.
    aceso_preview(file, frame) => images::preview;
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

    /// 64 random bytes → a new content point (48 bytes).
    aceso_point(entropy) => grants::point;
    /// A content point and what a key is for → 32 bytes.
    aceso_point_key(point, purpose) => grants::point_key;
    /// A content point → what a registration says of it (32 bytes).
    aceso_point_commitment(point) => grants::point_commitment;
    /// A master secret, what a key is for, and which one → a secret key (32 bytes).
    aceso_derive(master, purpose, context) => grants::derive;
    /// A secret key → its public key (48 bytes).
    aceso_public(secret) => grants::public;
    /// What it is about in JSON, a secret key, a content point, 64 random bytes → a registration (240 bytes).
    aceso_register(about, secret, point, entropy) => grants::register;
    /// What it is about in JSON, a registration → nothing, if it holds.
    aceso_check_registration(about, registration) => grants::check_registration;
    /// What it is about in JSON, a secret key, the ciphertext for it (96 bytes), members' keys, 64 random bytes → a wrap.
    aceso_wrap(about, secret, from, members, entropy) => grants::wrap;
    /// What it is about in JSON, the granter's key, the ciphertext for it, members' keys, a wrap → nothing, if it holds.
    aceso_check_wrap(about, key, from, members, wrap) => grants::check_wrap;
    /// A wrap and a member's place from 0 (u32, big-endian) → the ciphertext for it (96 bytes).
    aceso_wrap_of(wrap, place) => grants::wrap_of;
    /// A secret key and a ciphertext for it → the content point.
    aceso_open(secret, ciphertext) => grants::open;
    /// What it is about in JSON, a secret key, the ciphertext for it, 64 random bytes → the content point and the proof that it
    /// is what the ciphertext holds (48 + 64 bytes).
    aceso_opening(about, secret, ciphertext, entropy) => grants::opening;
    /// What it is about in JSON, a public key, the ciphertext for it, a point and its proof → nothing, if it holds.
    aceso_check_opening(about, key, ciphertext, shown) => grants::check_opening;
    /// A secret key, a context, 64 random bytes → a proof of possession (64 bytes).
    aceso_possession(secret, context, entropy) => grants::possession;
    /// A public key, a context, a proof → nothing, if it holds.
    aceso_check_possession(key, context, proof) => grants::check_possession;

    /// A grant's terms in JSON, when it ends (u64, big-endian) → their digest, and the terms in dag-cbor.
    aceso_terms(json, expires) => terms::of;
    /// Terms in dag-cbor → JSON.
    aceso_terms_shown(terms) => terms::shown;
    /// A job's outcome in dag-cbor → JSON.
    aceso_outcome(outcome) => terms::outcome;
    /// A job's statement in dag-cbor → JSON.
    aceso_statement(statement) => terms::statement;
    /// CIDs in JSON → the name of the record that they are.
    aceso_record_name(cids) => terms::name;
    /// A registration or a wrap → its digest, as what is wrapped from.
    aceso_source(bytes) => terms::source;
    /// Recipients in JSON → their digest.
    aceso_recipients(recipients) => terms::recipients;
    /// A reader's account, epoch and end in JSON → what her proof of possession is about.
    aceso_reader(reader) => terms::reader;

    /// What it is about in JSON (with the threshold), a secret key, guardians' keys, 64 random bytes → a deal.
    aceso_deal(about, secret, guardians, entropy) => guardians::deal;
    /// What it is about in JSON, a deal, guardians' keys → its key (48 bytes), threshold and guardians, if it holds.
    aceso_check_deal(about, deal, guardians) => guardians::check;
    /// What it is about in JSON, a deal, a guardian's place from 1 (u32, big-endian), her secret key → her share (33 bytes).
    aceso_deal_open(about, deal, place, secret) => guardians::open;
    /// What it is about in JSON, a deal, a share, who collects it (48 bytes), 64 random bytes → the share for her (81 bytes).
    aceso_share_hand(about, deal, share, to, entropy) => guardians::hand;
    /// What it is about in JSON, a deal, a share that was handed over, the collector's secret key → the share.
    aceso_share_receive(about, deal, handed, secret) => guardians::receive;
    /// A deal and shares one after another → the secret key.
    aceso_deal_recover(deal, shares) => guardians::recover;

    /// A content point, what is sealed in JSON, 32 random bytes → a task's number (and nothing yet of the file).
    aceso_seal_begin(point, about, salt) => seals::begin;
    /// A task and bytes of the record → what is complete of the file.
    aceso_seal_write(task, bytes) => seals::write;
    /// A task → the rest of the file.
    aceso_seal_finish(task) => seals::finish;
    /// A file, or its first KiB → its public header.
    aceso_seal_header(file) => seals::header;
    /// A content point, a file's first leaf or KiB, its size and which leaf in JSON, that leaf → what is sealed in it.
    aceso_seal_leaf(point, first, about, leaf) => seals::leaf;
    /// A content point, a file's first leaf or KiB, its size and the longest record in JSON → a task's number.
    aceso_unseal_begin(point, first, about) => seals::unseal_begin;
    /// A task and the next leaf → what stands before the record, once it is known.
    aceso_unseal_leaf(task, leaf) => seals::unseal_leaf;
    /// A task → at most 1 MiB of the record; nothing where the next leaf is wanted.
    aceso_unseal_read(task) => seals::unseal_read;
    /// A task → header and what stands before the record, if all of it was there.
    aceso_unseal_finish(task) => seals::unseal_finish;
    /// A task that is given up.
    aceso_task_drop(task) => seals::give_up;

    /// A master secret → a key store's record.
    aceso_store_new(master) => stores::new;
    /// A store's record → version and images.
    aceso_store_list(record) => stores::list;
    /// A store's record, an image's name, its nonce → the record with it.
    aceso_store_add(record, image, nonce) => stores::add;
    /// A store's record, an image's name → the record without its nonce.
    aceso_store_erase(record, image) => stores::erase;
    /// A store's record, a name, another one → the record in which what had the one has the other.
    aceso_store_rename(record, from, to) => stores::rename;
    /// A store's record, an image's name → her secret key of it.
    aceso_store_key(record, image) => stores::key;
    /// A store's record, an image's name → the secp256k1 secret of the account that registers it (32 bytes).
    aceso_store_account(record, image) => stores::account;
    /// A store's record, a nonce → the same for an image that will get this nonce.
    aceso_store_account_of(record, nonce) => stores::account_of;
    /// A store's record, a content point, its owner, 32 random bytes → a sealed file.
    aceso_store_seal(record, point, owner, salt) => stores::seal;
    /// A sealed store, its content point, the least version (u64, big-endian) → its record.
    aceso_store_open(file, point, least) => stores::open;
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
