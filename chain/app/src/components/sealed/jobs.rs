//! Jobs: rows, and the lists in which an open one stands until it closes.

use aceso_types::{
    query::{JobRow, JobStatus},
    receipt::Consent,
    sealed::Statement,
    signers,
};

use crate::{
    components::{SEALED, sealed::keys},
    error::Outcome,
    store::{Entry, Part, Read, Write, damaged},
};

/// A job by its number.
pub(crate) fn get(state: &mut impl Read, job: u64) -> Outcome<Option<JobRow>> {
    state.row(SEALED, &keys::job(job))
}

/// The job that there must be.
pub(crate) fn need(state: &mut impl Read, job: u64) -> Outcome<JobRow> {
    Ok(get(state, job)?.ok_or_else(|| damaged(SEALED, &keys::job(job)))?)
}

/// What its members sign, with the outcome.
pub(crate) fn statement(row: &JobRow) -> Outcome<Statement> {
    Ok(Statement::decode(&row.statement).map_err(|_| damaged(SEALED, &keys::job(row.job)))?)
}

/// What allowed it.
pub(crate) fn consent(row: &JobRow) -> Outcome<Consent> {
    Ok(Consent::decode(&row.consent).ok_or_else(|| damaged(SEALED, &keys::job(row.job)))?)
}

/// The power of all its members.
pub(crate) fn power(row: &JobRow) -> u64 {
    row.members.iter().map(|one| one.power).sum()
}

/// Whether members with this power together are more than two thirds.
pub(crate) fn is_enough(row: &JobRow, theirs: u64) -> bool {
    signers::is_enough(theirs, power(row))
}

/// How many are open.
pub(crate) fn opened(state: &mut impl Read) -> Outcome<u64> {
    state.counter(SEALED, &keys::opened())
}

/// Writes a new job into the lists of open ones.
pub(crate) fn open(state: &mut impl Write, row: &JobRow, requester: &str) -> Outcome<()> {
    let job = row.job;
    state.put(SEALED, keys::job(job), row)?;
    state.count(SEALED, keys::opened())?;
    state.set(SEALED, keys::asked(requester, job), b"1".to_vec())?;
    for key in lists(row) {
        state.set(SEALED, key, b"1".to_vec())?;
    }
    let fee = fee(row)?.to_be_bytes();
    for key in work(row) {
        state.set(SEALED, key, fee.into())?;
    }
    Ok(())
}

/// What a job pays to those who work for it and to the model's author: members serve first who pays more.
fn fee(row: &JobRow) -> Outcome<u128> {
    let (price, reward, keep) = held(row)?;
    Ok(price.saturating_add(reward).saturating_add(keep))
}

/// What is held for the author, for the members, and for keeping the result.
pub(super) fn held(row: &JobRow) -> Outcome<(u128, u128, u128)> {
    let amount = |text: &str| text.parse::<u128>().map_err(|_| damaged(SEALED, &keys::job(row.job)));
    let keep = if row.keep.is_empty() { 0 } else { amount(&row.keep)? };
    Ok((amount(&row.price)?, amount(&row.reward)?, keep))
}

/// The open jobs after a number that have the holder of an attestation key as a member, oldest first, at most so many:
/// each with what it pays.
pub(crate) fn work_of(
    state: &mut impl Read,
    bls_key: &[u8],
    after: Option<u64>,
    limit: usize,
) -> Outcome<Vec<(u64, u128)>> {
    let after = after.map(|job| keys::work(bls_key, job));
    let part = Part { after, ..Part::first(keys::work_of(bls_key), limit) };
    let read = |(key, fee): &Entry| -> Outcome<(u64, u128)> {
        let wrong = || damaged(SEALED, key);
        let fee = fee.as_slice().try_into().map_err(|_| wrong())?;
        Ok((keys::job_of(key).ok_or_else(wrong)?, u128::from_be_bytes(fee)))
    };
    state.page(SEALED, &part)?.iter().map(read).collect()
}

/// Takes a job out of the lists of open ones, with all shares that were submitted for it. `row` is as it stays.
pub(super) fn close(state: &mut impl Write, row: &JobRow) -> Outcome<()> {
    let opened = opened(state)?.saturating_sub(1);
    state.set(SEALED, keys::opened(), opened.to_be_bytes().into())?;
    for key in lists(row).into_iter().chain(work(row)) {
        state.remove(SEALED, &key)?;
    }
    for (key, _) in state.page(SEALED, &Part::first(keys::shares_of(row.job), row.members.len()))? {
        state.remove(SEALED, &key)?;
    }
    state.put(SEALED, keys::job(row.job), row)
}

/// The keys under which an open job stands.
fn lists(row: &JobRow) -> [Vec<u8>; 3] {
    [keys::open(row.job), keys::deadline(row.deadline, row.job), keys::under(row.record, row.job)]
}

/// Those under which its members find it.
fn work(row: &JobRow) -> impl Iterator<Item = Vec<u8>> {
    row.members.iter().map(|member| keys::work(&member.bls_key, row.job))
}

/// A job that is open.
pub(crate) fn is_open(row: &JobRow) -> bool {
    row.status() == JobStatus::Open
}
