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
    store::{Part, Read, Write, damaged},
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
    Ok(())
}

/// Takes a job out of the lists of open ones, with all shares that were submitted for it. `row` is as it stays.
pub(super) fn close(state: &mut impl Write, row: &JobRow) -> Outcome<()> {
    let opened = opened(state)?.saturating_sub(1);
    state.set(SEALED, keys::opened(), opened.to_be_bytes().into())?;
    for key in lists(row) {
        state.remove(SEALED, &key)?;
    }
    for (key, _) in state.page(SEALED, &Part::first(keys::shares_of(row.job), row.members.len()))? {
        state.remove(SEALED, &key)?;
    }
    state.put(SEALED, keys::job(row.job), row)
}

/// The keys under which an open job stands.
fn lists(row: &JobRow) -> Vec<Vec<u8>> {
    let job = row.job;
    let mut lists = vec![keys::open(job), keys::deadline(row.deadline, job), keys::under(row.record, job)];
    lists.extend(row.members.iter().map(|member| keys::work(&member.bls_key, job)));
    lists
}

/// A job that is open.
pub(crate) fn is_open(row: &JobRow) -> bool {
    row.status() == JobStatus::Open
}
