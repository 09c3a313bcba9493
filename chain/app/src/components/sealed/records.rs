//! Sealed records: one row for all files that are sealed under one point, found by owner and CID.
//!
//! A file is an owner's own: whoever registers the same CID has a record of her own, so that nobody can take another's
//! name. Its proof names the owner, so that nobody can register what another has sealed.

use std::collections::BTreeSet;

use aceso_types::{
    BlobId, Digest,
    guest::ImageInfo,
    msg::{MsgRegisterSealed, MsgRegisterSealedResponse, MsgRetireSealed, MsgRetireSealedResponse, SealedFile},
    query::RecordRow,
    sealed::record_name,
};

use crate::{
    code::{Code, Fault},
    components::{
        SEALED, blobs, reads,
        sealed::{cancelled, keys},
    },
    error::Outcome,
    event::Event,
    gas,
    grants::{self, Registered},
    run::Run,
    store::{Read, Write, damaged},
};

/// A record by its number.
pub(crate) fn get(state: &mut impl Read, number: u64) -> Outcome<Option<RecordRow>> {
    state.row(SEALED, &keys::record(number))
}

/// The record that a file of an owner is in.
pub(crate) fn of_file(state: &mut impl Read, owner: &str, cid: &BlobId) -> Outcome<Option<RecordRow>> {
    let key = keys::file(owner, &cid.to_string());
    let Some(number) = state.get(SEALED, &key)? else { return Ok(None) };
    let number = <[u8; 8]>::try_from(number.as_slice()).map_err(|_| damaged(SEALED, &key))?;
    get(state, u64::from_be_bytes(number))
}

/// The record with this number, which must hold still.
pub(crate) fn holding(state: &mut impl Read, number: u64) -> Outcome<RecordRow> {
    let Some(row) = get(state, number)? else {
        return Err(Code::SealedUnknown.because(format_args!("record {number}")).into());
    };
    if row.retired > 0 {
        let words = format_args!("record {number}, at height {}", row.retired);
        return Err(Code::SealedRetired.because(words).into());
    }
    Ok(row)
}

/// What contracts learn of a sealed file; nothing once its record has ended.
pub(crate) fn info(state: &mut impl Read, owner: &str, cid: &BlobId) -> Outcome<Option<ImageInfo>> {
    let Some(row) = of_file(state, owner, cid)?.filter(|row| row.retired == 0) else { return Ok(None) };
    let text = cid.to_string();
    let Some(file) = row.files.into_iter().find(|file| file.cid == text) else { return Ok(None) };
    let origin = row.origin.as_ref().map(reads::origin_of).transpose()?;
    let (modality, body_part) = (file.modality, file.body_part);
    Ok(Some(ImageInfo { owner: row.owner, guard: row.guard, origin, modality, body_part }))
}

/// The name by which proofs know a record.
pub(crate) fn name(row: &RecordRow) -> String {
    name_of(&row.files)
}

fn name_of(files: &[SealedFile]) -> String {
    let cids: Vec<String> = files.iter().map(|file| file.cid.clone()).collect();
    record_name(&cids)
}

/// `MsgRegisterSealed`.
pub(crate) fn register(run: &mut Run<'_>, msg: &MsgRegisterSealed) -> Outcome<MsgRegisterSealedResponse> {
    let chain = run.chain.clone();
    let owner = chain.address(&msg.owner)?.to_string();
    let mut seen = BTreeSet::new();
    for file in &msg.files {
        check_file(file, chain.params.blob_bytes_max)?;
        if !seen.insert(&file.cid) {
            return Err(Code::SealedRefused.because(format_args!("file {} is named twice", file.cid)).into());
        }
        if let Some(row) = of_file(run, &owner, &blobs::parse(&file.cid)?)?.filter(|row| row.retired == 0) {
            let words = format_args!("{} is in record {} of {owner}", file.cid, row.record);
            return Err(Code::SealedRegistered.because(words).into());
        }
    }
    let guard = reads::guard(run, &chain, &msg.guard)?;
    let origin = msg.origin.clone().map(|signed| reads::check_origin(run, &chain, signed)).transpose()?;
    run.meter.spend(gas::REGISTRATION, "proof of a registration")?;
    let commitment = Digest::try_from(msg.commitment.as_slice())
        .map_err(|e| Code::SealedRefused.because(format_args!("commitment: {e}")))?;
    let cid = name_of(&msg.files);
    let about = Registered { chain_id: &chain.id, cid: &cid, owner: &owner, commitment: &commitment };
    grants::check_registration(&about, &msg.registration).map_err(|e| Code::ProofRefused.because(e))?;
    let row = RecordRow {
        record: run.count(SEALED, keys::records())?,
        owner,
        files: msg.files.clone(),
        guard,
        registration: msg.registration.clone(),
        commitment: msg.commitment.clone(),
        origin,
        height: run.block.height.0,
        retired: 0,
        reviews: 0,
    };
    put(run, &row)?;
    run.set(SEALED, keys::owned(&row.owner, row.record), b"1".to_vec())?;
    for file in &row.files {
        run.set(SEALED, keys::file(&row.owner, &file.cid), row.record.to_be_bytes().into())?;
    }
    run.emit(
        Event::new("register_sealed")
            .with("record", row.record.to_string())
            .with("owner", row.owner)
            .with("cid", cid)
            .with("files", row.files.len().to_string())
            .with("guard", row.guard),
    );
    Ok(MsgRegisterSealedResponse { record: row.record })
}

/// `MsgRetireSealed`.
pub(crate) fn retire(run: &mut Run<'_>, msg: &MsgRetireSealed) -> Outcome<MsgRetireSealedResponse> {
    let sender = run.chain.address(&msg.owner)?;
    let mut row = holding(run, msg.record)?;
    if row.owner != sender.as_str() {
        let words = format_args!("{sender} asks, and record {} is {}'s", row.record, row.owner);
        return Err(Code::Unauthorized.because(words).into());
    }
    row.retired = run.block.height.0;
    put(run, &row)?;
    let event = Event::new("retire_sealed").with("record", row.record.to_string());
    run.emit(event.with("owner", row.owner));
    cancelled(run, row.record, None)?;
    Ok(MsgRetireSealedResponse {})
}

pub(super) fn put(state: &mut impl Write, row: &RecordRow) -> Outcome<()> {
    state.put(SEALED, keys::record(row.record), row)
}

fn check_file(file: &SealedFile, most: u64) -> Result<(), Fault> {
    let refuse = |words: std::fmt::Arguments<'_>| {
        let cid: String = file.cid.chars().take(128).collect();
        Err(Code::SealedRefused.because(format_args!("file {cid}: {words}")))
    };
    let cid = blobs::parse(&file.cid)?.to_string();
    if cid != file.cid {
        return refuse(format_args!("its CID is spelled {cid}"));
    }
    if !(1..=most).contains(&file.size) {
        return refuse(format_args!("{} bytes, and 1 to {most} are allowed", file.size));
    }
    for (what, text) in [("modality", &file.modality), ("body part", &file.body_part)] {
        if !reads::is_code_string(text) {
            let text: String = text.chars().take(32).collect();
            return refuse(format_args!("{what} {text:?} is no DICOM code string"));
        }
    }
    Ok(())
}
