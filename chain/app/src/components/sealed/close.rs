//! The end of a job: with an outcome, receipt and fees; or without one, and all is given back.

use std::collections::BTreeMap;

use aceso_types::{
    Height, ReadId, Receipt, TxIndex,
    genesis::Params,
    guest::{Answers, Ended, ReadDone},
    msg::Share,
    query::{JobRow, JobStatus},
    receipt::{Committee, Outcome as Said, SealedRead, VERSION},
    sealed::{Disclosure, Outcome as Came},
};

use crate::{
    chain::Chain,
    components::{
        SEALED, bank, reads,
        sealed::{
            bits::{self, About},
            conduct::Notes,
            grants, jobs, keys,
            outcomes::{Against, Checked, Settled},
            results, roots,
            tell::{self, Telling},
        },
    },
    error::Outcome,
    event::Event,
    run::Run,
    store::{Part, Read, Write, damaged, decode},
};

/// Open jobs that are looked at in one go when a grant is taken back.
const LOOKED_AT: usize = 64;

/// Puts a checked item into effect. Answers whom to tell; nobody is called before all is settled, so that no contract can
/// come between.
pub(crate) fn settle(
    state: &mut impl Write,
    chain: &Chain,
    height: u64,
    checked: Checked,
    events: &mut Vec<Event>,
) -> Outcome<Vec<Telling>> {
    let (mut notes, mut tellings) = (Notes::default(), Vec::new());
    for settled in checked.outcomes {
        tellings.extend(with_outcome(state, chain, height, settled, &mut notes, events)?);
    }
    for against in checked.conflicts {
        let Against { job, place, number, outcome } = against;
        events.extend(notes.against(state, &chain.params, number, (job, place), &outcome)?);
    }
    for said in &checked.roots {
        events.push(roots::signed(state, said)?);
    }
    notes.write(state)?;
    Ok(tellings)
}

/// Closes a job with its outcome.
fn with_outcome(
    state: &mut impl Write,
    chain: &Chain,
    height: u64,
    settled: Settled,
    notes: &mut Notes,
    events: &mut Vec<Event>,
) -> Outcome<Option<Telling>> {
    let Settled { row, statement, outcome, places, author, answers, said } = settled;
    let Answers { scores, findings, readings } = answers;
    let receipt = Receipt {
        version: VERSION,
        chain_id: chain.id.clone(),
        height: Height(height),
        tx: TxIndex(0),
        read: ReadId::default(),
        reader: statement.requester.clone(),
        model: statement.model,
        pipeline: statement.pipeline,
        image: statement.image,
        frame: statement.frame,
        pixels: None,
        consent: Some(jobs::consent(&row)?),
        disclosure: statement.disclosure.clone(),
        outcome: Said {
            digest: outcome.digest(),
            scores: scores.clone(),
            findings: findings.clone(),
            readings: readings.clone(),
        },
        committee: Committee { digest: statement.committee, power: jobs::power(&row), total: row.total },
        sealed: Some(SealedRead {
            job: row.job,
            requested: statement.requested,
            owner: statement.owner.clone(),
            outcome: outcome.clone(),
            root: row.root,
            members: row.members.iter().map(|one| one.number).collect(),
            signers: said.signers.clone(),
            signature: said.signature.clone(),
        }),
    };
    let (read, event) = reads::record(state, receipt)?;
    events.push(event);
    if let Disclosure::Predicate(asked) = &statement.disclosure {
        let (cid, model) = (statement.image.to_string(), statement.model.to_string());
        let about = About { owner: &statement.owner, cid: &cid, frame: statement.frame, model: &model };
        match &outcome {
            Came::Predicate { findings, .. } => bits::disclose(state, about, findings, read.0)?,
            _ => bits::give_back(state, about, asked)?,
        }
    }
    for (place, member) in row.members.iter().enumerate() {
        notes.member(member.number, places.contains(&place));
    }
    events.extend(told_otherwise(state, &chain.params, &row, &said.outcome, notes)?);
    let failed = matches!(outcome, Came::Failed(_));
    let fee = pay(state, chain, &row, &statement.requester, &author, (&places, failed), events)?;
    let ended = match &outcome {
        Came::Failed(failure) => Ended::Failed(*failure),
        _ => Ended::Done,
    };
    events.push(ended_event(&row, &statement.requester, &ended, fee, chain).with("read", read.to_string()));
    if let Came::Stored { blob, size, .. } = &outcome {
        events.push(results::keep(state, chain, height, &row, &places, (blob, *size))?);
    }
    let row = JobRow { status: JobStatus::Done.into(), read: read.0, closed: height, outcome: Some(said), ..row };
    jobs::close(state, &row)?;
    if row.callback_gas == 0 {
        return Ok(None);
    }
    let input = outcome.input();
    let origin = match input.is_some_and(|input| input.vouched) {
        true => tell::vouched(state, row.record)?,
        false => None,
    };
    let commitment = outcome.commitment().copied();
    let done = ReadDone {
        read: Some(read),
        claim: input.map(|input| input.claim),
        origin,
        scores,
        findings,
        readings,
        commitment,
        ..tell::done(state, &row, &statement, ended, fee)?
    };
    Telling::new(&statement.requester, row.callback_gas, done).map(Some)
}

/// Members that left and submitted another outcome than the one that was agreed upon.
fn told_otherwise(
    state: &mut impl Write,
    params: &Params,
    row: &JobRow,
    agreed: &[u8],
    notes: &mut Notes,
) -> Outcome<Vec<Event>> {
    let mut events = Vec::new();
    for (key, share) in state.page(SEALED, &Part::first(keys::shares_of(row.job), row.members.len()))? {
        let share: Share = decode(SEALED, &key, &share)?;
        let place = keys::job_of(&key).and_then(|place| u32::try_from(place).ok());
        let place = place.ok_or_else(|| damaged(SEALED, &key))?;
        let member = row.members.get(usize::try_from(place).unwrap_or(usize::MAX));
        if let Some(member) = member.filter(|_| share.outcome != agreed) {
            events.extend(notes.against(state, params, member.number, (row.job, place), &share.outcome)?);
        }
    }
    Ok(events)
}

/// Pays who signed and, unless nothing could be read, the model's author; gives the rest back. Answers what it cost.
fn pay(
    state: &mut impl Write,
    chain: &Chain,
    row: &JobRow,
    requester: &str,
    author: &str,
    (places, failed): (&[usize], bool),
    events: &mut Vec<Event>,
) -> Outcome<u128> {
    let (price, reward, keep) = jobs::held(row)?;
    let all = reward.saturating_add(keep);
    // Of what cannot be read nothing is kept.
    let earned = if failed { reward } else { all };
    let each = earned.checked_div(row.members.len() as u128).unwrap_or_default();
    let mut shares: BTreeMap<&str, u128> = BTreeMap::new();
    for member in places.iter().filter_map(|place| row.members.get(*place)) {
        *shares.entry(&member.operator).or_default() += each;
    }
    if !failed {
        *shares.entry(author).or_default() += price;
    }
    let fee: u128 = shares.values().sum();
    *shares.entry(requester).or_default() += price.saturating_add(all).saturating_sub(fee);
    for (to, amount) in shares {
        events.extend(bank::pay(state, &chain.escrow, &chain.address(to)?, &chain.denom, amount)?);
    }
    Ok(fee)
}

/// Closes a job that has no outcome: everything goes back, and the contract that asked is told at a block's end.
pub(super) fn without_outcome(
    state: &mut impl Write,
    chain: &Chain,
    height: u64,
    row: JobRow,
    (status, ended): (JobStatus, Ended),
) -> Outcome<Vec<Event>> {
    let statement = jobs::statement(&row)?;
    if let Disclosure::Predicate(asked) = &statement.disclosure {
        let (cid, model) = (statement.image.to_string(), statement.model.to_string());
        let about = About { owner: &statement.owner, cid: &cid, frame: statement.frame, model: &model };
        bits::give_back(state, about, asked)?;
    }
    let (price, reward, keep) = jobs::held(&row)?;
    let requester = chain.address(&statement.requester)?;
    let amount = price.saturating_add(reward).saturating_add(keep);
    let mut events = bank::pay(state, &chain.escrow, &requester, &chain.denom, amount)?;
    events.push(ended_event(&row, requester.as_str(), &ended, 0, chain));
    let row = JobRow { status: status.into(), closed: height, ..row };
    jobs::close(state, &row)?;
    if row.callback_gas > 0 {
        let done = tell::done(state, &row, &statement, ended, 0)?;
        tell::queue(state, &Telling::new(requester.as_str(), row.callback_gas, done)?)?;
    }
    Ok(events)
}

fn ended_event(row: &JobRow, requester: &str, ended: &Ended, fee: u128, chain: &Chain) -> Event {
    let ended = match ended {
        Ended::Done => "done",
        Ended::Failed(_) => "failed",
        Ended::Expired => "expired",
        Ended::Cancelled => "cancelled",
        Ended::Broken => "broken",
    };
    Event::new("sealed_read")
        .with("job", row.job.to_string())
        .with("requester", requester)
        .with("ended", ended)
        .with("fee", format!("{fee}{}", chain.denom))
}

/// Closes jobs whose deadline has come, the earliest deadline first, a bounded number.
pub(crate) fn expire(state: &mut impl Write, chain: &Chain, height: u64) -> Outcome<Vec<Event>> {
    if !is_late(state, height)? {
        // However many wait, a block in which none is due looks at one.
        return Ok(Vec::new());
    }
    let most = usize::try_from(chain.params.sealed_closed_max).unwrap_or(usize::MAX);
    let mut events = Vec::new();
    for (key, _) in state.page(SEALED, &Part::first(keys::deadlines(), most))? {
        if keys::second_of(&key).is_none_or(|at| at > height) {
            break;
        }
        let job = keys::job_of(&key).ok_or_else(|| damaged(SEALED, &key))?;
        let row = jobs::need(state, job)?;
        events.extend(without_outcome(state, chain, height, row, (JobStatus::Expired, Ended::Expired))?);
    }
    Ok(events)
}

/// Whether a deadline has come and the job is still open.
pub(crate) fn is_late(state: &mut impl Read, height: u64) -> Outcome<bool> {
    let first = state.page(SEALED, &Part::first(keys::deadlines(), 1))?;
    Ok(first.iter().any(|(key, _)| keys::second_of(key).is_some_and(|at| at <= height)))
}

/// Calls off what is open under a record that has ended, or under one grant of it and what was passed on from that. Who
/// takes back pays for it.
pub(crate) fn cancelled(run: &mut Run<'_>, record: u64, grant: Option<(&str, u64)>) -> Outcome<()> {
    let (chain, height) = (run.chain.clone(), run.block.height.0);
    let mut part = Part::first(keys::all_under(record), LOOKED_AT);
    loop {
        let entries = run.page(SEALED, &part)?;
        let Some((last, _)) = entries.last() else { return Ok(()) };
        part.after = Some(last.clone());
        for (key, _) in &entries {
            let job = keys::job_of(key).ok_or_else(|| damaged(SEALED, key))?;
            let row = jobs::need(run, job)?;
            if let Some(grant) = grant
                && !comes_from(run, &row, grant)?
            {
                continue;
            }
            let events = without_outcome(run, &chain, height, row, (JobStatus::Cancelled, Ended::Cancelled))?;
            events.into_iter().for_each(|event| run.emit(event));
        }
    }
}

/// Whether a job stands under a grant, or under one that was passed on from it.
fn comes_from(run: &mut Run<'_>, row: &JobRow, (granter, number): (&str, u64)) -> Outcome<bool> {
    let own = grants::get(run, &row.granter, row.grant)?;
    let own = own.ok_or_else(|| damaged(SEALED, &keys::grant(&row.granter, row.grant)))?;
    for one in grants::lineage(run, own)? {
        let said = grants::said(&one)?;
        if (said.granter.as_str(), said.grant) == (granter, number) {
            return Ok(true);
        }
    }
    Ok(false)
}
