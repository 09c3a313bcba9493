//! How validators behave in committees: a record, from which the authority may draw its conclusions.
//!
//! Only a member's own signed word against what more than two thirds have signed is wrong, once for each job. Not to have
//! signed costs nothing: the member may have been slow, or the proposer may have left it out.

use std::collections::BTreeMap;

use aceso_types::query::ConductRow;

use crate::{
    components::{SEALED, sealed::keys},
    error::Outcome,
    event::Event,
    store::{Read, Write},
};

/// What is known of a validator by its number.
pub(crate) fn get(state: &mut impl Read, number: u32) -> Outcome<Option<ConductRow>> {
    state.row(SEALED, &keys::conduct(number))
}

/// What a block says of validators, written once.
#[derive(Default)]
pub(crate) struct Notes {
    signed: BTreeMap<u32, u64>,
    missed: BTreeMap<u32, u64>,
    wrong: BTreeMap<u32, (u64, u64)>,
}

impl Notes {
    /// Notes whether a member of a job that has an outcome is among those that signed it.
    pub(super) fn member(&mut self, number: u32, has_signed: bool) {
        let notes = if has_signed { &mut self.signed } else { &mut self.missed };
        *notes.entry(number).or_default() += 1;
    }

    /// Notes that a member signed against a job's outcome. The first time for the job it counts.
    pub(super) fn against(
        &mut self,
        state: &mut impl Write,
        number: u32,
        job: u64,
        place: u32,
    ) -> Outcome<Option<Event>> {
        let mark = keys::wrong(job, place);
        if state.get(SEALED, &mark)?.is_some() {
            return Ok(None);
        }
        state.set(SEALED, mark, b"1".to_vec())?;
        let wrong = self.wrong.entry(number).or_default();
        *wrong = (wrong.0 + 1, job);
        let event = Event::new("member_wrong").with("job", job.to_string()).with("number", number.to_string());
        Ok(Some(event.with("place", place.to_string())))
    }

    /// Writes the rows.
    pub(crate) fn write(self, state: &mut impl Write) -> Outcome<()> {
        let all = self.signed.keys().chain(self.missed.keys()).chain(self.wrong.keys());
        let numbers: std::collections::BTreeSet<u32> = all.copied().collect();
        for number in numbers {
            let mut row = get(state, number)?.unwrap_or_default();
            let of = |notes: &BTreeMap<u32, u64>| notes.get(&number).copied().unwrap_or_default();
            row.signed = row.signed.saturating_add(of(&self.signed));
            row.missed = row.missed.saturating_add(of(&self.missed));
            if let Some((count, job)) = self.wrong.get(&number) {
                row.wrong = row.wrong.saturating_add(*count);
                row.last_wrong = *job;
            }
            state.put(SEALED, keys::conduct(number), &row)?;
        }
        Ok(())
    }
}
