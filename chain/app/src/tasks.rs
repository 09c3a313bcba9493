//! What the chain waits for from a member of its committees: shares of open jobs, its word for roots, and that it keeps the
//! files that it may be asked to read.
//!
//! A node asks after each block, for each of its attestation keys. What it answers with goes into its vote extensions
//! ([`crate::attest::extension`]) for as long as the job is open.

use aceso_types::{
    BlobId, Digest, Manifest,
    msg::{MsgGrant, Recipient, SealedFile},
    query::{GrantRow, JobRow, MemberRow, ModelRow, RecordRow},
    sealed::Statement,
};

use crate::{
    components::{
        SEALED, models,
        sealed::{jobs, keys, records, roots},
    },
    error::Outcome,
    store::{Read, damaged},
};

/// Jobs of one page of a member's. Whoever wants them all asks for the next page after the last job of this one.
pub const TASKS_PAGE: usize = 1_024;
/// Bytes of a point of G1.
const POINT: usize = 48;

/// A job that waits for a member's share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenJob {
    /// Its number.
    pub job: u64,
    /// What it pays to its members and to the model's author, in the chain's coin. Who pays more is served first.
    pub fee: u128,
}

/// A job that waits for a member's share, with all that it takes but the bytes of file and model.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The job.
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

/// A page of the open jobs that have the holder of this attestation key as a member, oldest first. No more than it takes to
/// tell which of them goes first: a node asks after each block, and knows most of them.
pub(crate) fn open(state: &mut impl Read, bls_key: &[u8], after: Option<u64>) -> Outcome<Vec<OpenJob>> {
    let page = jobs::work_of(state, bls_key, after, TASKS_PAGE)?;
    Ok(page.into_iter().map(|(job, fee)| OpenJob { job, fee }).collect())
}

/// The task of a member; none where the job is closed, or has no such member.
pub(crate) fn task(state: &mut impl Read, job: u64, bls_key: &[u8]) -> Outcome<Option<Task>> {
    let Some(job) = jobs::get(state, job)?.filter(jobs::is_open) else { return Ok(None) };
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

/// A grant that is neither taken back nor over at a second of Unix time.
pub fn lasting(row: &GrantRow, now: u64) -> Option<&MsgGrant> {
    row.grant.as_ref().filter(|grant| row.revoked == 0 && grant.expires > now)
}

/// The files, with their sizes as registered, that each member of a grant's committee keeps at a second of Unix time: those
/// of its record, while both hold. Of a grant to readers nobody keeps any.
pub fn kept(row: &GrantRow, record: &RecordRow, now: u64) -> Vec<(BlobId, u64)> {
    match lasting(row, now) {
        Some(grant) if grant.committee && record.retired == 0 => {
            record.files.iter().filter_map(|file| Some((file.cid.parse().ok()?, file.size))).collect()
        }
        _ => Vec::new(),
    }
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
