//! What the state says of the transcripts of blocks: a digest for each height that has read.

use aceso_state::Order;
use aceso_types::Digest;

use crate::{
    components::{READS, reads::keys},
    error::Outcome,
    store::{Part, Read, Write, damaged},
};

/// The digest of a block's transcript; none if the block has not read.
pub(crate) fn digest(state: &mut impl Read, height: u64) -> Outcome<Option<Digest>> {
    let key = keys::transcript(height);
    state.get(READS, &key)?.map(|row| of(&key, &row)).transpose()
}

/// The latest block that has read, and its digest.
pub(crate) fn latest(state: &mut impl Read) -> Outcome<Option<(u64, Digest)>> {
    let part = Part { order: Order::Descending, ..Part::first(keys::transcripts(), 1) };
    let Some((key, row)) = state.page(READS, &part)?.pop() else { return Ok(None) };
    let height = keys::height_of(&key).ok_or_else(|| damaged(READS, &key))?;
    Ok(Some((height, of(&key, &row)?)))
}

/// Notes the digest of a block's transcript.
pub(crate) fn put(state: &mut impl Write, height: u64, digest: &Digest) -> Outcome<()> {
    state.set(READS, keys::transcript(height), digest.0.into())
}

fn of(key: &[u8], row: &[u8]) -> Outcome<Digest> {
    Ok(Digest::try_from(row).map_err(|_| damaged(READS, key))?)
}
