//! Results that are too long for their outcomes: files that the members who signed them keep for a term.
//!
//! The outcome names the file, so what is signed is one text, and whoever computes another one signs another outcome. The
//! chain never sees the bytes: it says who keeps which file until when, and pays each keeper what a blob of that size costs
//! for the term, out of what the requester has left with the job. Nothing shows whether they do; that they hand the file
//! out is as much in their hands as that they open the record.

use aceso_types::{
    BlobId,
    query::{JobRow, ResultRow},
    sealed::{Disclosure, INLINE_BYTES_MAX},
};

use crate::{
    chain::Chain,
    components::{
        SEALED, blobs,
        sealed::{authorise::Allowed, keys},
    },
    error::Outcome,
    event::Event,
    store::{Part, Read, Write, damaged},
};

/// Whether what was asked for comes to a file of its own.
pub(super) fn is_kept(allowed: &Allowed) -> bool {
    allowed.disclosure == Disclosure::Sealed && allowed.row.result_bytes > INLINE_BYTES_MAX as u64
}

/// What each member who signs gets for keeping a result of so many bytes.
pub(super) fn price(chain: &Chain, bytes: u64) -> u128 {
    blobs::price(chain, bytes, chain.params.sealed_result_blocks)
}

/// Notes that members keep a job's result from now on.
pub(super) fn keep(
    state: &mut impl Write,
    chain: &Chain,
    height: u64,
    job: &JobRow,
    places: &[usize],
    (blob, size): (&BlobId, u64),
) -> Outcome<Event> {
    let mut operators: Vec<String> = Vec::with_capacity(places.len());
    for member in places.iter().filter_map(|place| job.members.get(*place)) {
        if !operators.contains(&member.operator) {
            operators.push(member.operator.clone());
        }
    }
    let (cid, expires) = (blob.to_string(), height.saturating_add(chain.params.sealed_result_blocks));
    for operator in &operators {
        state.set(SEALED, keys::result_of(operator, job.job), cid.clone().into_bytes())?;
    }
    state.set(SEALED, keys::result_ends(expires, job.job), cid.clone().into_bytes())?;
    let row = ResultRow { job: job.job, record: job.record, cid, size, expires, operators };
    state.put(SEALED, keys::result(&row.cid), &row)?;
    Ok(Event::new("result_kept")
        .with("job", row.job.to_string())
        .with("cid", row.cid)
        .with("size", size.to_string())
        .with("expires", expires.to_string()))
}

/// A result by its file.
pub(crate) fn get(state: &mut impl Read, cid: &str) -> Outcome<Option<ResultRow>> {
    state.row(SEALED, &keys::result(cid))
}

/// Forgets the results whose term has ended, the earliest first, a bounded number.
pub(crate) fn expire(state: &mut impl Write, chain: &Chain, height: u64) -> Outcome<()> {
    let most = usize::try_from(chain.params.sealed_closed_max).unwrap_or(usize::MAX);
    let is_due = |key: &[u8]| keys::second_of(key).is_some_and(|at| at <= height);
    let first = state.page(SEALED, &Part::first(keys::results_end(), 1))?;
    if !first.iter().any(|(key, _)| is_due(key)) {
        return Ok(());
    }
    for (key, cid) in state.page(SEALED, &Part::first(keys::results_end(), most))? {
        if !is_due(&key) {
            break;
        }
        let row = std::str::from_utf8(&cid).ok().map(|cid| get(state, cid)).transpose()?.flatten();
        let row = row.ok_or_else(|| damaged(SEALED, &key))?;
        for operator in &row.operators {
            state.remove(SEALED, &keys::result_of(operator, row.job))?;
        }
        state.remove(SEALED, &keys::result(&row.cid))?;
        state.remove(SEALED, &key)?;
    }
    Ok(())
}
