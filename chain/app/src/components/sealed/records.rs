//! Sealed records: one row for all files that are sealed under one point, found by owner and CID.

use aceso_types::{BlobId, guest::ImageInfo, query::RecordRow};

use crate::{
    components::{SEALED, reads, sealed::keys},
    error::Outcome,
    store::{Read, damaged},
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

/// What contracts learn of a sealed file; nothing once its record has ended.
pub(crate) fn info(state: &mut impl Read, owner: &str, cid: &BlobId) -> Outcome<Option<ImageInfo>> {
    let Some(row) = of_file(state, owner, cid)?.filter(|row| row.retired == 0) else { return Ok(None) };
    let text = cid.to_string();
    let Some(file) = row.files.into_iter().find(|file| file.cid == text) else { return Ok(None) };
    let origin = row.origin.as_ref().map(reads::origin_of).transpose()?;
    let (modality, body_part) = (file.modality, file.body_part);
    Ok(Some(ImageInfo { owner: row.owner, guard: row.guard, origin, modality, body_part }))
}
