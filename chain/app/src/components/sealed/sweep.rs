//! Jobs whose committee is broken: a look at all open ones after the validators have changed, a bounded number a block.
//!
//! Members that are no validators any more still count if they have submitted their share.

use aceso_types::{guest::Ended, query::JobStatus};

use crate::{
    chain::Chain,
    components::{
        SEALED,
        sealed::{close, jobs, keys},
        validators,
    },
    error::Outcome,
    event::Event,
    store::{Part, Read, Write, damaged},
};

/// Jobs that a block looks at; the rest wait for the next one.
const SWEEP_MAX: usize = 256;

/// The look at jobs after the validators have changed.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Sweep {
    /// The last job that was looked at; 0 for none yet.
    #[prost(uint64, tag = "1")]
    after: u64,
    /// Whether they have changed since, so that it begins again when it is through.
    #[prost(bool, tag = "2")]
    again: bool,
}

/// Begins a look: the validators have changed.
pub(crate) fn begin(state: &mut impl Write) -> Outcome<()> {
    let running: Sweep = state.row(SEALED, &keys::sweep())?.unwrap_or_default();
    state.put(SEALED, keys::sweep(), &Sweep { again: true, ..running })
}

/// Whether such a look is not through yet.
pub(crate) fn is_running(state: &mut impl Read) -> Outcome<bool> {
    Ok(state.get(SEALED, &keys::sweep())?.is_some())
}

/// Looks at the next jobs: what cannot come to an end any more is given back at once.
pub(crate) fn end_block(state: &mut impl Write, chain: &Chain, height: u64) -> Outcome<Vec<Event>> {
    let Some(Sweep { after, again }) = state.row(SEALED, &keys::sweep())? else { return Ok(Vec::new()) };
    // The mark of a look that has not begun says no more than that.
    let again = again && after > 0;
    let decided = validators::decided(state)?;
    let part = Part { after: (after > 0).then(|| keys::open(after)), ..Part::first(keys::all_open(), SWEEP_MAX) };
    let entries = state.page(SEALED, &part)?;
    let (mut events, mut last) = (Vec::new(), 0);
    for (key, _) in &entries {
        let job = keys::job_of(key).ok_or_else(|| damaged(SEALED, key))?;
        last = job;
        let row = jobs::need(state, job)?;
        let mut power: u64 = 0;
        for (place, member) in (0..).zip(&row.members) {
            let is_here = decided.members.iter().any(|one| one.number == member.number);
            if is_here || state.get(SEALED, &keys::share(job, place))?.is_some() {
                power = power.saturating_add(member.power);
            }
        }
        if !jobs::is_enough(&row, power) {
            let ended = (JobStatus::Broken, Ended::Broken);
            events.extend(close::without_outcome(state, chain, height, row, ended)?);
        }
    }
    let next = match entries.len() {
        SWEEP_MAX => Some(Sweep { after: last, again }),
        _ => again.then_some(Sweep { after: 0, again: true }),
    };
    match next {
        Some(next) => state.put(SEALED, keys::sweep(), &next)?,
        None => state.remove(SEALED, &keys::sweep())?,
    }
    Ok(events)
}
