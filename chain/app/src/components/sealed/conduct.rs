//! How validators behave in committees: a record, from which the authority may draw its conclusions.
//!
//! Only a member's own signed word is wrong, once for each job: against what more than two thirds have signed, or with
//! them, where a dispute has shown that they were all wrong; who has said the truth against them is cleared then, and gets
//! back what it was cut by. Not to have signed costs nothing: the member may have been slow, or the proposer may have left
//! it out.

use std::collections::{BTreeMap, BTreeSet};

use aceso_types::{Digest, genesis::Params, query::ConductRow};

use crate::{
    components::{
        SEALED,
        sealed::keys,
        validators::{self, Cost},
    },
    error::Outcome,
    event::Event,
    store::{Read, Write},
};

/// What is known of a validator by its number.
pub(crate) fn get(state: &mut impl Read, number: u32) -> Outcome<Option<ConductRow>> {
    state.row(SEALED, &keys::conduct(number))
}

/// What a member has signed wrongly, as far as anybody knows.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Mark {
    /// A digest of the outcome.
    #[prost(bytes = "vec", tag = "1")]
    said: Vec<u8>,
    /// The power that it cost, and how often the authority had weighed the validator by then.
    #[prost(uint64, tag = "2")]
    power_cut: u64,
    #[prost(uint64, tag = "3")]
    weighed: u64,
}

/// What a block says of validators, written once.
#[derive(Default)]
pub(crate) struct Notes {
    signed: BTreeMap<u32, u64>,
    missed: BTreeMap<u32, u64>,
    wrong: BTreeMap<u32, (u64, u64)>,
    cleared: BTreeMap<u32, u64>,
}

/// What a member is marked with: a digest of the outcome that it signed.
fn said(outcome: &[u8]) -> Vec<u8> {
    Digest::sha3("aceso/said/v1", &[outcome]).0.into()
}

/// What is told of a member of a job.
fn told(what: &'static str, number: u32, (job, place): (u64, u32)) -> Event {
    let event = Event::new(what).with("job", job.to_string()).with("number", number.to_string());
    event.with("place", place.to_string())
}

impl Notes {
    /// Notes whether a member of a job that has an outcome is among those that signed it.
    pub(super) fn member(&mut self, number: u32, has_signed: bool) {
        let notes = if has_signed { &mut self.signed } else { &mut self.missed };
        *notes.entry(number).or_default() += 1;
    }

    /// Notes that a member signed a wrong outcome of a job. The first time for the job it counts, and cuts the power as the
    /// parameters say.
    pub(super) fn against(
        &mut self,
        state: &mut impl Write,
        params: &Params,
        number: u32,
        (job, place): (u64, u32),
        outcome: &[u8],
    ) -> Outcome<Vec<Event>> {
        let key = keys::wrong(job, place);
        if state.get(SEALED, &key)?.is_some() {
            return Ok(Vec::new());
        }
        let mut events = vec![told("member_wrong", number, (job, place))];
        let mut cost = Cost::default();
        if let Some((cut, event)) = validators::was_wrong(state, params, number)? {
            cost = cut;
            events.push(event);
        }
        let mark = Mark { said: said(outcome), power_cut: cost.power, weighed: cost.weighed };
        state.put(SEALED, key, &mark)?;
        let wrong = self.wrong.entry(number).or_default();
        *wrong = (wrong.0 + 1, job);
        Ok(events)
    }

    /// Takes the mark back of a member that was held to be wrong for an outcome that is the true one, with what it cost.
    pub(super) fn clear(
        &mut self,
        state: &mut impl Write,
        number: u32,
        (job, place): (u64, u32),
        outcome: &[u8],
    ) -> Outcome<Vec<Event>> {
        let key = keys::wrong(job, place);
        let mark: Option<Mark> = state.row(SEALED, &key)?;
        let Some(Mark { power_cut, weighed, .. }) = mark.filter(|mark| mark.said == said(outcome)) else {
            return Ok(Vec::new());
        };
        state.remove(SEALED, &key)?;
        self.cleared.insert(number, job);
        let mut events = vec![told("member_cleared", number, (job, place))];
        events.extend(validators::was_right(state, number, Cost { power: power_cut, weighed })?);
        Ok(events)
    }

    /// Writes the rows.
    pub(crate) fn write(self, state: &mut impl Write) -> Outcome<()> {
        let all = self.signed.keys().chain(self.missed.keys()).chain(self.wrong.keys()).chain(self.cleared.keys());
        let numbers: BTreeSet<u32> = all.copied().collect();
        for number in numbers {
            let mut row = get(state, number)?.unwrap_or_default();
            let of = |notes: &BTreeMap<u32, u64>| notes.get(&number).copied().unwrap_or_default();
            row.signed = row.signed.saturating_add(of(&self.signed));
            row.missed = row.missed.saturating_add(of(&self.missed));
            if let Some((count, job)) = self.wrong.get(&number) {
                row.wrong = row.wrong.saturating_add(*count);
                row.last_wrong = *job;
            }
            if let Some(job) = self.cleared.get(&number) {
                row.wrong = row.wrong.saturating_sub(1);
                row.last_wrong = if row.last_wrong == *job { 0 } else { row.last_wrong };
            }
            state.put(SEALED, keys::conduct(number), &row)?;
        }
        Ok(())
    }
}
