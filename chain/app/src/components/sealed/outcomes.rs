//! Whether what a proposer says of jobs, roots and members holds: one pure function of the state before the block.
//!
//! Statements are looked at one after the other, then all their signatures with one product of pairings.

use std::collections::BTreeMap;

use aceso_types::{
    Manifest,
    guest::Answers,
    msg::{Conflict, JobOutcome, MsgAttest, RootSigned},
    query::{JobRow, JobStatus},
    sealed::{INLINE_BYTES_MAX, Outcome as Came, Statement},
    signers::places,
};

use crate::{
    attest::{self, ROOTS_MAX, Signed},
    chain::Chain,
    code::{Code, Fault},
    components::{
        SEALED, models,
        sealed::{jobs, keys, roots},
    },
    error::Outcome,
    store::{Read, damaged},
};

/// Most conflicts of one item.
pub(super) const CONFLICTS_MAX: usize = 32;
/// Blocks after its end in which a job's members can be shown to have signed against it.
const CONFLICT_AGE: u64 = 1_000;

/// An outcome that holds.
pub(crate) struct Settled {
    pub(super) row: JobRow,
    pub(super) statement: Statement,
    pub(super) outcome: Came,
    /// Who signed it: places among the members.
    pub(super) places: Vec<usize>,
    pub(super) author: String,
    /// As far as it is disclosed.
    pub(super) answers: Answers,
    pub(super) said: JobOutcome,
}

/// A member that signed against an outcome.
pub(crate) struct Against {
    pub(super) job: u64,
    pub(super) place: u32,
    /// The validator's number.
    pub(super) number: u32,
    /// What it signed.
    pub(super) outcome: Vec<u8>,
}

/// An item whose statements hold.
#[derive(Default)]
pub(crate) struct Checked {
    pub(super) outcomes: Vec<Settled>,
    pub(super) roots: Vec<RootSigned>,
    pub(super) conflicts: Vec<Against>,
}

impl Checked {
    /// The gas that the item declares: that of the callbacks.
    pub(crate) fn gas(&self) -> u64 {
        self.outcomes.iter().map(|one| one.row.callback_gas).fold(0, u64::saturating_add)
    }
}

/// Checks all that an item says of sealed reads. A refusal names what does not hold.
pub(crate) fn check(state: &mut impl Read, chain: &Chain, height: u64, attest: &MsgAttest) -> Outcome<Checked> {
    let MsgAttest { outcomes, roots, conflicts, .. } = attest;
    let most = usize::try_from(chain.params.sealed_closed_max).unwrap_or(usize::MAX);
    for (what, count, most) in [
        ("outcomes", outcomes.len(), most),
        ("roots", roots.len(), ROOTS_MAX),
        ("conflicts", conflicts.len(), CONFLICTS_MAX),
    ] {
        if count > most {
            return Err(refuse(format!("it has {count} {what}, and at most {most} are allowed")).into());
        }
    }
    if !outcomes.is_sorted_by(|one, next| one.job < next.job) {
        return Err(refuse("outcomes are not in the order of their jobs, each once").into());
    }
    if !roots.is_sorted_by(|one, next| one.number < next.number) {
        return Err(refuse("roots are not in the order of their numbers, each once").into());
    }
    let mut checked = Checked { roots: roots.clone(), ..Checked::default() };
    let mut signed = Vec::with_capacity(outcomes.len() + roots.len() + conflicts.len());
    for said in outcomes {
        let (settled, signature) = settled(state, chain, height, said)?;
        checked.outcomes.push(settled);
        signed.push(signature);
    }
    for said in roots {
        signed.push(roots::check(state, said)?);
    }
    let fresh: BTreeMap<u64, &Settled> = checked.outcomes.iter().map(|one| (one.row.job, one)).collect();
    let mut last = None;
    for said in conflicts {
        let (against, signature) = against(state, height, &fresh, said)?;
        let at = Some((against.job, against.place));
        if at <= last {
            return Err(refuse("conflicts are not in the order of their jobs and places, each once").into());
        }
        last = at;
        checked.conflicts.push(against);
        signed.push(signature);
    }
    match attest::check_all(&signed) {
        Ok(()) => Ok(checked),
        Err((at, error)) => {
            let name = match (at.checked_sub(outcomes.len()), outcomes.get(at)) {
                (_, Some(said)) => format!("job {}", said.job),
                (Some(at), None) => roots.get(at).map_or("a conflict".into(), |said| format!("root {}", said.number)),
                (None, None) => "a statement".into(),
            };
            Err(refuse(format!("{name}: {error}")).into())
        }
    }
}

fn refuse(words: impl std::fmt::Display) -> Fault {
    Code::AttestInvalid.because(words)
}

/// An open job that may still close at a height, with what its members sign; none where it may not.
pub(super) fn closable(
    state: &mut impl Read,
    chain: &Chain,
    height: u64,
    job: u64,
) -> Outcome<Option<(JobRow, Statement)>> {
    let row = jobs::get(state, job)?.filter(|row| jobs::is_open(row) && row.deadline > height);
    let Some(row) = row else { return Ok(None) };
    let statement = jobs::statement(&row)?;
    // A chain that goes on with another one's state does not sign in its name.
    Ok((statement.chain_id == chain.id).then_some((row, statement)))
}

/// Whether an outcome is an answer to what was asked, as far as that can be seen without the input: a result has the length
/// that the model gives it, and stands where one of that length stands.
pub(super) fn is_answer(row: &JobRow, statement: &Statement, outcome: &Came) -> bool {
    let stands = match outcome {
        Came::Sealed { .. } => row.result_bytes <= INLINE_BYTES_MAX as u64,
        Came::Stored { size, .. } => *size == row.result_bytes,
        _ => true,
    };
    stands && outcome.fits(&statement.disclosure)
}

/// One outcome, all but its signature.
fn settled(state: &mut impl Read, chain: &Chain, height: u64, said: &JobOutcome) -> Outcome<(Settled, Signed)> {
    let refuse = |what: String| refuse(format_args!("job {}: {what}", said.job));
    let Some((row, statement)) = closable(state, chain, height, said.job)? else {
        return Err(refuse("not open".into()).into());
    };
    let outcome = Came::decode(&said.outcome).map_err(|e| refuse(e.to_string()))?;
    if !is_answer(&row, &statement, &outcome) {
        return Err(refuse("the outcome is no answer to what was asked".into()).into());
    }
    let Some(places) = places(&said.signers, row.members.len()) else {
        return Err(refuse("the signers' bits do not fit the committee".into()).into());
    };
    let signers = || places.iter().filter_map(|place| row.members.get(*place));
    if !jobs::is_enough(&row, signers().map(|one| one.power).sum()) {
        return Err(refuse("not more than two thirds of the committee's power".into()).into());
    }
    let model = models::get(state, &statement.model)?.ok_or_else(|| damaged(SEALED, &keys::job(said.job)))?;
    let answers = told(&models::manifest(&model)?, &outcome).map_err(refuse)?;
    let keys = signers().map(|one| one.bls_key.clone()).collect();
    let signed = Signed { keys, message: statement.sign_bytes(&outcome), signature: said.signature.clone() };
    let author = model.author;
    Ok((Settled { row, statement, outcome, places, author, answers, said: said.clone() }, signed))
}

/// What an outcome tells everyone, in the manifest's words.
fn told(manifest: &Manifest, outcome: &Came) -> Result<Answers, String> {
    match outcome {
        Came::Open { outputs, .. } => aceso_inference::answers(manifest, outputs).map_err(|e| e.to_string()),
        Came::Predicate { findings, .. } => Ok(Answers { findings: findings.clone(), ..Answers::default() }),
        Came::Failed(_) | Came::Sealed { .. } | Came::Stored { .. } => Ok(Answers::default()),
    }
}

/// A member's own word against the outcome of a job that closed lately or closes with this item.
fn against(
    state: &mut impl Read,
    height: u64,
    fresh: &BTreeMap<u64, &Settled>,
    said: &Conflict,
) -> Outcome<(Against, Signed)> {
    let Some(share) = &said.share else { return Err(refuse("a conflict has no share").into()) };
    let refuse = |what: &str| refuse(format_args!("conflict over job {}: {what}", share.job));
    let stored = match fresh.get(&share.job) {
        Some(_) => None,
        None => jobs::get(state, share.job)?.filter(|row| is_recent(row, height)),
    };
    let Some(row) = fresh.get(&share.job).map(|one| &one.row).or(stored.as_ref()) else {
        return Err(refuse("it has no outcome, or has had it for too long").into());
    };
    let agreed = fresh.get(&share.job).map(|one| &one.said).or(row.outcome.as_ref());
    if agreed.is_none_or(|agreed| agreed.outcome == share.outcome) {
        return Err(refuse("the share agrees").into());
    }
    if is_true(row, &share.outcome) {
        return Err(refuse("a dispute has shown that the share is right").into());
    }
    let member = row.members.get(usize::try_from(said.place).unwrap_or(usize::MAX));
    let Some(member) = member else { return Err(refuse("there is no such member").into()) };
    if state.get(SEALED, &keys::wrong(share.job, said.place))?.is_some() {
        return Err(refuse("the member is known to be wrong").into());
    }
    let outcome = Came::decode(&share.outcome).map_err(|e| refuse(&e.to_string()))?;
    let statement = jobs::statement(row)?;
    let message = statement.sign_bytes(&outcome);
    let signed = Signed { keys: vec![member.bls_key.clone()], message, signature: share.signature.clone() };
    let against = Against { job: share.job, place: said.place, number: member.number, outcome: share.outcome.clone() };
    Ok((against, signed))
}

/// Whether a dispute has shown that members should have signed this, who signed something else.
pub(super) fn is_true(row: &JobRow, outcome: &[u8]) -> bool {
    row.disputed.as_ref().is_some_and(|found| found.wrong && found.outcome == outcome)
}

/// Whether a job has had its outcome for no longer than conflicts over it count.
pub(super) fn is_recent(row: &JobRow, height: u64) -> bool {
    row.status() == JobStatus::Done && row.closed.saturating_add(CONFLICT_AGE) >= height
}
