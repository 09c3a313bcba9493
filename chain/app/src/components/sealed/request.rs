//! Requests: what somebody asks of a committee becomes a job, or is answered from what is known.
//!
//! Everything that can refuse a request does so before anything is written. From then on it is like any message: if what
//! sent it fails, job, escrow and count are undone together. Nobody has seen anything yet, so nothing has to stay.

use aceso_types::{
    Height,
    guest::Answered,
    journal::{Entry, Event as What},
    msg::{MsgRequestRead, MsgRequestReadResponse},
    query::{GrantRow, JobRow, JobStatus, ReviewRow},
    receipt::Consent,
    sealed::{Disclosure, Statement, consent_digest},
};

use crate::{
    code::Code,
    coin::Coins,
    components::{
        SEALED, bank,
        sealed::{
            authorise::{self, Allowed},
            bits::{self, About},
            committee::Committee,
            grants, jobs, keys, results, reviews, tell,
        },
    },
    error::Outcome,
    event::Event,
    gas,
    run::Run,
    store::Write,
};

/// `MsgRequestRead`.
pub(crate) fn request(run: &mut Run<'_>, msg: &MsgRequestRead) -> Outcome<MsgRequestReadResponse> {
    let mut allowed = authorise::check(run, msg)?;
    authorise::consume_permit(run, msg, &allowed)?;
    // What the callback may use is paid now, in the price of whoever asks.
    run.meter.spend(msg.callback_gas, "callback")?;
    let consent = used(run, msg, &mut allowed)?;
    if let Disclosure::Predicate(findings) = &allowed.disclosure {
        let (cid, model) = (allowed.image.to_string(), allowed.model.to_string());
        let about = About { owner: &allowed.record.owner, cid: &cid, frame: allowed.frame, model: &model };
        // Whoever wants to know whose pixels it was has to be told by members: the input goes by another name for each
        // requester, so that nobody matches records, and the chain cannot make one of another.
        if let Some(known) = bits::known(run, about, findings)?.filter(|_| !msg.identify) {
            return answer(run, msg, allowed, &consent, known);
        }
        bits::ask(run, about, findings, allowed.terms.bits)?;
    }
    open(run, msg, allowed, &consent)
}

/// Counts the use of the grant.
fn used(run: &mut Run<'_>, msg: &MsgRequestRead, allowed: &mut Allowed) -> Outcome<Consent> {
    let uses = allowed.grant.uses.saturating_add(1);
    allowed.grant = GrantRow { uses, ..allowed.grant.clone() };
    grants::put(run, &allowed.grant)?;
    let said = grants::said(&allowed.grant)?;
    Ok(Consent {
        guard: allowed.record.guard.clone(),
        grant: format!("{}/{}", said.granter, said.grant),
        actor: allowed.actor.clone(),
        purpose: msg.purpose.clone(),
        r#use: uses,
    })
}

/// Answers with bits that were disclosed before: no job, no price.
fn answer(
    run: &mut Run<'_>,
    msg: &MsgRequestRead,
    mut allowed: Allowed,
    consent: &Consent,
    (findings, read): (Vec<Answered>, u64),
) -> Outcome<MsgRequestReadResponse> {
    review(run, msg, &mut allowed, 0)?;
    journal(run, &allowed, consent, 0)?;
    let fee = format!("0{}", run.chain.denom);
    run.emit(event(&allowed, consent, 0).with("read", read.to_string()).with("fee", fee.as_str()));
    if msg.callback_gas > 0 {
        let known = tell::Known { findings, read, consent };
        tell::known(run, &allowed, known, msg.callback_gas)?;
    }
    Ok(MsgRequestReadResponse { job: 0, fee: 0.to_string() })
}

/// Makes a job.
fn open(
    run: &mut Run<'_>,
    msg: &MsgRequestRead,
    mut allowed: Allowed,
    consent: &Consent,
) -> Outcome<MsgRequestReadResponse> {
    let chain = run.chain.clone();
    let most = chain.params.sealed_jobs_max;
    if jobs::opened(run)? >= most {
        return Err(Code::JobsFull.because(format_args!("{most} are open")).into());
    }
    let work = if matches!(allowed.disclosure, Disclosure::Predicate(_)) { gas::JOB } else { gas::JOB_OUTPUTS };
    run.meter.spend(work, "outcome and receipt")?;
    let said = grants::said(&allowed.grant)?.clone();
    let committee = Committee::of(run, &said)?;
    let accept = msg.accept.as_ref().map(|demands| normal(run, demands)).transpose()?;
    if let Some(demands) = &accept {
        committee.accept(demands)?;
    }
    let job = run.count(SEALED, keys::jobs())?;
    let statement = Statement {
        chain_id: chain.id.clone(),
        job,
        requested: Height(run.block.height.0),
        committee: committee.digest(),
        model: allowed.model,
        pipeline: allowed.manifest.pipeline.digest(),
        image: allowed.image,
        frame: allowed.frame,
        owner: allowed.record.owner.clone(),
        requester: allowed.requester.to_string(),
        consent: consent_digest(consent),
        disclosure: allowed.disclosure.clone(),
    };
    let price = u128::from(allowed.manifest.price.amount);
    let reward = u128::from(chain.params.sealed_reward).saturating_mul(committee.members.len() as u128);
    let keep = match results::is_kept(&allowed) {
        true => results::price(&chain, allowed.row.result_bytes).saturating_mul(committee.members.len() as u128),
        false => 0,
    };
    let amount = price.saturating_add(reward).saturating_add(keep);
    let held = Coins::one(&chain.denom, amount);
    if !held.is_empty() {
        bank::send(run, &allowed.requester, &chain.escrow, &held)?;
    }
    let row = JobRow {
        job,
        status: JobStatus::Open.into(),
        statement: statement.encode(),
        consent: consent.encode(),
        record: allowed.record.record,
        granter: said.granter,
        grant: said.grant,
        root: committee.root,
        members: committee.members,
        total: committee.total,
        deadline: msg.deadline,
        callback_gas: msg.callback_gas,
        price: price.to_string(),
        reward: reward.to_string(),
        accept,
        read: 0,
        closed: 0,
        outcome: None,
        disputed: None,
        keep: if keep == 0 { String::new() } else { keep.to_string() },
        result_bytes: if allowed.disclosure == Disclosure::Sealed { allowed.row.result_bytes } else { 0 },
    };
    jobs::open(run, &row, allowed.requester.as_str())?;
    review(run, msg, &mut allowed, job)?;
    journal(run, &allowed, consent, job)?;
    let fee = format!("{amount}{}", chain.denom);
    let event = event(&allowed, consent, job)
        .with("members", row.members.len().to_string())
        .with("deadline", row.deadline.to_string())
        .with("fee", fee.as_str());
    run.emit(event);
    Ok(MsgRequestReadResponse { job, fee: amount.to_string() })
}

/// The policy with addresses as the state has them.
fn normal(run: &Run<'_>, demands: &aceso_types::msg::Acceptance) -> Outcome<aceso_types::msg::Acceptance> {
    let list = |list: &[String]| -> Outcome<Vec<String>> {
        list.iter().map(|one| Ok(run.chain.address(one)?.into())).collect()
    };
    let (required, excluded) = (list(&demands.required)?, list(&demands.excluded)?);
    Ok(aceso_types::msg::Acceptance { required, excluded, ..demands.clone() })
}

/// An emergency leaves an item for the patient to review.
fn review(run: &mut Run<'_>, msg: &MsgRequestRead, allowed: &mut Allowed, job: u64) -> Outcome<()> {
    if !allowed.terms.emergency {
        return Ok(());
    }
    let said = grants::said(&allowed.grant)?;
    let item = ReviewRow {
        actor: allowed.actor.clone(),
        granter: said.granter.clone(),
        grant: said.grant,
        reason: msg.reason.clone(),
        job,
        ..ReviewRow::default()
    };
    reviews::add(run, &mut allowed.record, item).map(drop)
}

fn journal(run: &mut Run<'_>, allowed: &Allowed, consent: &Consent, job: u64) -> Outcome<()> {
    let said = grants::said(&allowed.grant)?;
    let event = What::Requested {
        job,
        owner: allowed.record.owner.clone(),
        frame: allowed.frame,
        granter: said.granter.clone(),
        grant: said.grant,
        actor: consent.actor.clone(),
        purpose: consent.purpose.clone(),
        r#use: consent.r#use,
    };
    let (height, tx, caller) = (run.block.height, run.tx.index, allowed.requester.to_string());
    run.tx.requests.push(Entry { height, tx, image: allowed.image, model: allowed.model, caller, event });
    Ok(())
}

fn event(allowed: &Allowed, consent: &Consent, job: u64) -> Event {
    Event::new("request_read")
        .with("job", job.to_string())
        .with("requester", allowed.requester.as_str())
        .with("actor", consent.actor.as_str())
        .with("owner", allowed.record.owner.as_str())
        .with("image", allowed.image.to_string())
        .with_frame(allowed.frame)
        .with("model", allowed.model.to_string())
        .with("grant", consent.grant.as_str())
        .with("purpose", consent.purpose.as_str())
}
