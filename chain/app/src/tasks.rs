//! What the chain waits for from a member of its committees: shares of open jobs, and its word for roots.
//!
//! A node asks after each block, for each of its attestation keys. What it answers with goes into its vote extensions
//! ([`crate::attest::extension`]) for as long as the job is among its tasks.

use aceso_types::{
    Digest, Manifest,
    msg::{Recipient, SealedFile},
    query::{GrantRow, JobRow, MemberRow, ModelRow, RecordRow},
    sealed::Statement,
};

use crate::{
    components::{
        SEALED, models,
        sealed::{jobs, keys, records, roots},
    },
    error::Outcome,
    store::{Part, Read, damaged},
};

/// Tasks that a member is told of at a time: the oldest.
pub const TASKS_MAX: usize = 256;
/// Bytes of a point of G1.
const POINT: usize = 48;

/// A job that waits for a member's share, with all that it takes but the bytes of file and model.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The job. What is held for it tells its priority.
    pub job: JobRow,
    /// What the members sign together with the outcome.
    pub statement: Statement,
    /// The member among the job's members, from 0.
    pub member: usize,
    /// The record that is read.
    pub record: RecordRow,
    /// The file of it.
    pub file: SealedFile,
    /// The account and the epoch whose reader key opens `ciphertext`.
    pub opener: Recipient,
    /// The record's key, wrapped for `opener`: two points of G1, 96 bytes.
    pub ciphertext: Vec<u8>,
    /// The model.
    pub manifest: Manifest,
}

/// The open jobs that have the holder of this attestation key as a member, oldest first.
pub(crate) fn open(state: &mut impl Read, bls_key: &[u8]) -> Outcome<Vec<Task>> {
    let mut tasks = Vec::new();
    for (key, _) in state.page(SEALED, &Part::first(keys::work_of(bls_key), TASKS_MAX))? {
        let job = keys::job_of(&key).ok_or_else(|| damaged(SEALED, &key))?;
        let row = jobs::need(state, job)?;
        tasks.extend(task(state, row, bls_key)?);
    }
    Ok(tasks)
}

/// The task of a member; none where the row names no such member.
fn task(state: &mut impl Read, job: JobRow, bls_key: &[u8]) -> Outcome<Option<Task>> {
    let Some((member, row)) = find(&job, bls_key) else { return Ok(None) };
    let place = usize::try_from(row.place).unwrap_or(usize::MAX);
    let statement = jobs::statement(&job)?;
    let key = keys::grant(&job.granter, job.grant);
    let grant = state.row::<GrantRow>(SEALED, &key)?.and_then(|row| row.grant);
    let grant = grant.ok_or_else(|| damaged(SEALED, &key))?;
    let opener = grant.recipients.get(place).cloned().ok_or_else(|| damaged(SEALED, &key))?;
    let second = place.saturating_add(1).saturating_mul(POINT);
    let points = [0, second].map(|at| grant.wrap.get(at..at.saturating_add(POINT)));
    let [Some(first), Some(second)] = points else { return Err(damaged(SEALED, &key).into()) };
    let record = records::get(state, job.record)?.ok_or_else(|| damaged(SEALED, &keys::record(job.record)))?;
    let cid = statement.image.to_string();
    let file = record.files.iter().find(|file| file.cid == cid).cloned();
    let file = file.ok_or_else(|| damaged(SEALED, &keys::record(job.record)))?;
    let model: Option<ModelRow> = models::get(state, &statement.model)?;
    let model = model.ok_or_else(|| damaged(SEALED, &keys::job(job.job)))?;
    let (ciphertext, manifest) = ([first, second].concat(), models::manifest(&model)?);
    Ok(Some(Task { job, statement, member, record, file, opener, ciphertext, manifest }))
}

fn find<'a>(job: &'a JobRow, bls_key: &[u8]) -> Option<(usize, &'a MemberRow)> {
    job.members.iter().enumerate().find(|(_, member)| member.bls_key == bls_key)
}

/// Roots that too few have signed, with what there is to sign, as far as the holder of this attestation key may: it
/// stands in the root before.
pub(crate) fn unsigned(state: &mut impl Read, bls_key: &[u8]) -> Outcome<Vec<(u64, Digest)>> {
    let mut unsigned = Vec::new();
    for (root, previous) in roots::unsigned(state)? {
        if previous.keys.iter().any(|one| one.key == bls_key) {
            unsigned.push((root.number, root.digest()));
        }
    }
    Ok(unsigned)
}
