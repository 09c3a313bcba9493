//! Claims for sealed images, from the request to the last coin.
//!
//! [`claim`] asks the guard and then the chain, which takes price and reward out of the contract; in the reply
//! [`requested`] knows what was taken and sets aside what the claim can cost at most: its price, what the author's fee is
//! above the author's share, and the members' reward. [`decide`] hears the end. A claim that is paid gives back what it
//! did not cost; one that is not gives back all but the fee. Whatever happens, each coin that was set aside is paid, owed
//! or back in the escrow.
//!
//! A callback whose work fails would leave a claim open for ever, so nothing in it can fail that somebody else decides:
//! transfers are either left to [`settle`] or caught by [`not_sent`].

use aceso_contract::{Disclosure as Disclosed, Ended, Query, ReadDone, ReadRequest};
use aceso_interface::{
    Model, address,
    consent::{GuardExecuteMsg, Opening},
    insurance::{
        ClaimStatus, Closed, Cover, Disclosure, Finding, Paid, Payment, Payout, Policy, Sealed, SealedClaim, WHOLE,
    },
    limit,
};
use aceso_types::{Height, msg, sealed};
use cosmwasm_std::{
    BankMsg, Binary, Coin, CosmosMsg, Deps, DepsMut, Empty, Env, MessageInfo, Order, Response, StdError, StdResult,
    Storage, SubMsg, SubMsgResult, Uint128, to_json_binary, wasm_execute,
};
use cw_storage_plus::Bound;

use crate::{
    books::{bear, give_back, set_aside},
    contract::{REPLY_NOT_SENT, REPLY_REQUESTED, load as policy},
    error::ContractError,
    helpers::{
        Seen, at_most, claim_paid, cost, has_origin, image_not_paid_before, in_force, never_again, only_insurer,
        payments, study_paid,
    },
    msg::Config,
    picture::Picture,
    state::{Asked, CONFIG, DUE, OPEN_IMAGES, OPERATORS_MAX, RELEASE_BLOCKS, RESERVED, SEALED, SEALED_BY_POLICY},
};

/// What the patient's two grants need to be used: the chain's, which wraps the key, and a hidden one of the guard.
pub(crate) struct Opened {
    pub(crate) granter: String,
    pub(crate) grant: u64,
    pub(crate) terms: Binary,
    pub(crate) opening: Option<Box<Opening>>,
}

/// Checks a policy's terms for sealed images.
pub(crate) fn check_plan(deps: Deps<'_, Query>, plan: &Sealed, covers: &[Cover]) -> Result<(), ContractError> {
    let accept = &plan.accept;
    if !(1..=128).contains(&accept.members_min) || accept.power_min_bps > WHOLE {
        return Err(ContractError::Acceptance);
    }
    at_most("required operators", accept.required.len(), OPERATORS_MAX)?;
    at_most("excluded operators", accept.excluded.len(), OPERATORS_MAX)?;
    for operator in accept.required.iter().chain(&accept.excluded) {
        address(deps.api, operator)?;
    }
    if let Some(both) = accept.required.iter().find(|one| accept.excluded.contains(one)) {
        return Err(ContractError::RequiredAndExcluded(both.clone()));
    }
    if plan.blocks == 0 || plan.callback_gas == 0 {
        return Err(ContractError::NoTime);
    }
    let Disclosure::Predicate { findings } = &plan.disclosure else { return Ok(()) };
    if !(1..=sealed::PREDICATE_MAX).contains(&findings.len()) {
        return Err(ContractError::Findings(findings.len()));
    }
    for &Cover { model, .. } in covers {
        let known = aceso_contract::model_info(&deps.querier, &model)?.ok_or(ContractError::UnknownModel(model))?;
        // Each is found after the one before it.
        let mut left = known.findings.iter();
        if !findings.iter().all(|one| left.any(|other| other == one)) {
            return Err(ContractError::NoFinding { model, findings: findings.clone() });
        }
    }
    Ok(())
}

/// Checks a claim, asks the guard, and asks the chain for the read.
#[allow(clippy::too_many_arguments, reason = "the fields of the message, each once")]
pub(crate) fn claim(
    mut deps: DepsMut<'_, Query>,
    env: Env,
    info: MessageInfo,
    id: u64,
    picture: Picture,
    model: Model,
    purpose: String,
    opened: Opened,
) -> Result<Response, ContractError> {
    let Picture { image, frame } = picture;
    let policy = policy(deps.storage, id)?;
    in_force(&policy, env.block.time.seconds())?;
    let plan = policy.terms.sealed.as_ref().ok_or(ContractError::NotForSealed(id))?;
    let member = policy.terms.member.as_str();
    let known = aceso_contract::sealed_info(&deps.querier, member, &image)?;
    let known = known.ok_or(ContractError::NotSealed { policy: id, image })?;
    if known.guard.is_empty() {
        return Err(ContractError::Unguarded(image));
    }
    let cover = policy.terms.covers.iter().find(|cover| cover.model == model);
    let price = cover.ok_or(ContractError::NotCovered { policy: id, model })?.price;
    has_origin(&policy, image, &known)?;
    image_not_paid_before(deps.storage, &policy, picture, model)?;
    if let Some(job) = OPEN_IMAGES.may_load(deps.storage, (member, model.as_bytes(), &picture.key()))? {
        return Err(ContractError::ClaimOpen { picture, job });
    }
    bear(deps.branch(), &env, &policy)?;
    let fee = aceso_contract::model_info(&deps.querier, &model)?.ok_or(ContractError::UnknownModel(model))?.price;

    let actor = info.sender.to_string();
    let deadline = env.block.height.saturating_add(plan.blocks);
    let asked = Asked {
        policy: id,
        image,
        frame,
        model,
        purpose: purpose.clone(),
        actor: actor.clone(),
        price,
        author_fee: fee.amount.into(),
        deadline,
    };
    let terms = sealed::Terms::decode(&opened.terms).map_err(|e| ContractError::Terms(e.to_string()))?;
    let Opened { granter, grant, opening, .. } = opened;
    let request = ReadRequest {
        actor: actor.clone(),
        model: *model,
        owner: member.into(),
        image: *image,
        frame: *frame,
        granter,
        grant,
        terms,
        purpose: purpose.clone(),
        disclosure: match &plan.disclosure {
            Disclosure::Predicate { findings } => Disclosed::Predicate(findings.clone()),
            Disclosure::Sealed {} => Disclosed::Sealed,
        },
        accept: msg::Acceptance {
            members_min: plan.accept.members_min,
            power_min_bps: plan.accept.power_min_bps,
            required: plan.accept.required.clone(),
            excluded: plan.accept.excluded.clone(),
        },
        deadline: Height(deadline),
        callback_gas: plan.callback_gas,
        reason: String::new(),
        // A bit that somebody else has let out is no reason to pay: whose pixels it is about only a committee can say here.
        identify: true,
    };
    let request = aceso_contract::request_read(&env.contract.address, request)?;
    let request = SubMsg::reply_on_success(CosmosMsg::Any(request), REPLY_REQUESTED);
    let ask = GuardExecuteMsg::Use { image, model, purpose, actor, owner: Some(member.into()), opening };
    // In this order: the permit lives until the end of the transaction. A refusal of either undoes both.
    Ok(Response::new()
        .add_message(wasm_execute(known.guard, &ask, vec![])?)
        .add_submessage(request.with_payload(to_json_binary(&asked)?))
        .add_attribute("action", "claim")
        .add_attribute("policy", id.to_string())
        .add_attribute("image", image.to_string())
        .add_attribute("model", model.to_string()))
}

/// The chain has made a job: sets aside what the claim can cost, and writes it down.
pub(crate) fn requested(
    deps: DepsMut<'_, Query>,
    env: Env,
    asked: Asked,
    result: SubMsgResult,
) -> Result<Response, ContractError> {
    let answer = result.into_result().map_err(StdError::msg)?;
    let answer = aceso_contract::requested(&answer.msg_responses)?;
    let job = answer.job.ok_or(ContractError::NoJob)?;
    let policy = policy(deps.storage, asked.policy)?;
    let held = Uint128::new(answer.fee);
    let author_fee = asked.author_fee.min(held);
    let reward = held.checked_sub(author_fee).map_err(StdError::from)?;
    let reserved = cost(&policy.terms.split, asked.price, author_fee)?.checked_add(reward).map_err(StdError::from)?;
    set_aside(deps.storage, policy.id, reserved)?;
    let kept = RESERVED.may_load(deps.storage, policy.id)?.unwrap_or_default();
    RESERVED.save(deps.storage, policy.id, &kept.checked_add(reserved).map_err(StdError::from)?)?;

    let claim = SealedClaim {
        policy: policy.id,
        job,
        image: asked.image,
        frame: asked.frame,
        model: asked.model,
        actor: asked.actor,
        purpose: asked.purpose,
        price: asked.price,
        held,
        author_fee,
        reserved,
        deadline: asked.deadline,
        time: env.block.time.seconds(),
        status: ClaimStatus::Open {},
    };
    OPEN_IMAGES.save(deps.storage, open_key(&policy, &claim, &picture(&claim).key()), &job)?;
    SEALED_BY_POLICY.save(deps.storage, (policy.id, job), &Empty {})?;
    SEALED.save(deps.storage, job, &claim)?;
    Ok(Response::new().add_attribute("job", job.to_string()).set_data(to_json_binary(&job)?))
}

fn picture(claim: &SealedClaim) -> Picture {
    Picture { image: claim.image, frame: claim.frame }
}

fn open_key<'a>(policy: &'a Policy, claim: &'a SealedClaim, picture: &'a [u8]) -> (&'a str, &'a [u8], &'a [u8]) {
    (policy.terms.member.as_str(), claim.model.as_bytes().as_slice(), picture)
}

/// A claim by its job.
pub(crate) fn load(storage: &dyn Storage, job: u64) -> Result<SealedClaim, ContractError> {
    SEALED.may_load(storage, job)?.ok_or(ContractError::UnknownJob(job))
}

/// The chain has told what became of the read.
pub(crate) fn decide(deps: DepsMut<'_, Query>, done: ReadDone) -> Result<Response, ContractError> {
    let mut claim = open(deps.storage, done.job)?;
    let policy = policy(deps.storage, claim.policy)?;
    let asked = (*claim.image, *claim.frame, *claim.model, policy.terms.member.as_str());
    if (done.image, done.frame, done.model, done.owner.as_str()) != asked {
        return Err(ContractError::OtherRead(done.job));
    }
    let fee = done.fee.parse::<u128>().ok().map(Uint128::new).filter(|fee| *fee <= claim.held);
    let fee = fee.ok_or(ContractError::FeeAboveHeld { job: done.job, got: done.fee.clone(), held: claim.held })?;
    let read = done.read.map(|read| read.0);
    let judged = judge(deps.storage, &policy, &claim, &done)?;
    let config = CONFIG.load(deps.storage)?;
    let response = Response::new().add_attribute("action", "decide").add_attribute("job", done.job.to_string());
    match judged {
        Err(reason) => {
            claim.status = ClaimStatus::Closed { reason, read, fee };
            close(deps.storage, &policy, &claim, fee)?;
            Ok(response.add_attribute("paid", "0"))
        }
        Ok((read, identity)) => {
            let study = done.origin.as_ref().map(|origin| origin.study);
            never_again(deps.storage, &policy, read, picture(&claim), claim.model, &identity, study)?;
            let institution = done.origin.as_ref().map(|origin| origin.institution.as_str());
            let seen = Seen { read, institution, author: &done.author, owner: &done.owner };
            let paid = payments(&config, &policy.terms.split, claim.price, claim.author_fee.min(fee), &seen)?;
            let total = paid.iter().try_fold(Uint128::zero(), |sum, one| sum.checked_add(one.amount));
            let total = total.map_err(StdError::from)?;
            let messages = pay(deps.storage, &config, &policy, &paid)?;
            claim.status = ClaimStatus::Paid(Box::new(Paid {
                read,
                claim: identity.into(),
                study: study.map(Into::into),
                institution: institution.map(Into::into),
                findings: done.findings.into_iter().map(|one| Finding { id: one.id, present: one.present }).collect(),
                commitment: done.commitment.map(Into::into),
                members: done.members,
                power: done.power,
                total: done.total,
                fee,
                paid,
            }));
            close(deps.storage, &policy, &claim, total.checked_add(fee).map_err(StdError::from)?)?;
            Ok(response.add_submessages(messages).add_attribute("paid", total))
        }
    }
}

fn open(storage: &dyn Storage, job: u64) -> Result<SealedClaim, ContractError> {
    let claim = load(storage, job)?;
    if claim.status == (ClaimStatus::Open {}) { Ok(claim) } else { Err(ContractError::ClaimClosed(job)) }
}

/// Whether a read is paid for: the receipt and the identity of what was read, or why not.
fn judge(
    storage: &dyn Storage,
    policy: &Policy,
    claim: &SealedClaim,
    done: &ReadDone,
) -> StdResult<Result<(u64, aceso_types::Digest), Closed>> {
    match done.ended {
        Ended::Done => {}
        Ended::Failed(failure) => return Ok(Err(Closed::Failed { failure: word(&failure)? })),
        Ended::Expired => return Ok(Err(Closed::Expired {})),
        Ended::Cancelled => return Ok(Err(Closed::Cancelled {})),
        Ended::Broken => return Ok(Err(Closed::Broken {})),
    }
    let (Some(read), Some(identity)) = (done.read, done.claim) else { return Ok(Err(Closed::Unidentified {})) };
    let accepted = &policy.terms.origin;
    let vouched = done.origin.as_ref().is_some_and(|origin| accepted.contains(&origin.institution));
    if !accepted.is_empty() && !vouched {
        return Ok(Err(Closed::Unvouched {}));
    }
    let mut before = claim_paid(storage, policy, claim.model, &identity)?;
    if let (None, Some(origin)) = (&before, &done.origin) {
        before = study_paid(storage, policy, claim.model, &origin.study)?;
    }
    Ok(before.map_or(Ok((read.0, identity)), |paid| Err(Closed::PaidBefore { read: paid.read })))
}

/// The chain's word for a failure.
fn word(failure: &aceso_contract::Failure) -> StdResult<String> {
    Ok(cosmwasm_std::to_json_string(failure)?.trim_matches('"').into())
}

/// Sends shares, or owes them.
fn pay(
    storage: &mut dyn Storage,
    config: &Config,
    policy: &Policy,
    paid: &[Payment],
) -> Result<Vec<SubMsg>, ContractError> {
    match policy.terms.sealed.as_ref().map(|plan| &plan.payout) {
        Some(Payout::PerClaim) => Ok(paid.iter().map(|one| send_or_owe(config, one)).collect::<StdResult<_>>()?),
        _ => paid.iter().try_for_each(|payment| owe(storage, payment)).map(|()| Vec::new()),
    }
}

/// Sends a share now. To whom it cannot be sent it is owed: [`not_sent`].
pub(crate) fn send_or_owe(config: &Config, payment: &Payment) -> StdResult<SubMsg> {
    let amount = vec![Coin::new(payment.amount, config.denom.clone())];
    let send = BankMsg::Send { to_address: payment.to.clone(), amount };
    Ok(SubMsg::reply_on_error(send, REPLY_NOT_SENT).with_payload(to_json_binary(payment)?))
}

fn owe(storage: &mut dyn Storage, payment: &Payment) -> Result<(), ContractError> {
    let due = DUE.may_load(storage, &payment.to)?.unwrap_or_default();
    let due = due.checked_add(payment.amount).map_err(StdError::from)?;
    Ok(DUE.save(storage, &payment.to, &due)?)
}

/// A share could not be sent: it is owed.
pub(crate) fn not_sent(deps: DepsMut<'_, Query>, payment: &Payment) -> Result<Response, ContractError> {
    owe(deps.storage, payment)?;
    Ok(Response::new().add_attribute("action", "not_sent").add_attribute("to", &payment.to))
}

/// Ends a claim that has cost `spent`: what else was set aside for it is the policy's again.
fn close(storage: &mut dyn Storage, policy: &Policy, claim: &SealedClaim, spent: Uint128) -> Result<(), ContractError> {
    let back = claim.reserved.checked_sub(spent).map_err(StdError::from)?;
    give_back(storage, policy.id, back)?;
    let kept = RESERVED.load(storage, policy.id)?.checked_sub(claim.reserved).map_err(StdError::from)?;
    RESERVED.save(storage, policy.id, &kept)?;
    OPEN_IMAGES.remove(storage, open_key(policy, claim, &picture(claim).key()));
    Ok(SEALED.save(storage, claim.job, claim)?)
}

/// Sends what is owed, one transfer an account.
pub(crate) fn settle(
    deps: DepsMut<'_, Query>,
    start_after: Option<String>,
    asked: Option<u32>,
) -> Result<Response, ContractError> {
    let config = CONFIG.load(deps.storage)?;
    let after = start_after.as_deref().map(Bound::exclusive);
    let due = DUE.range(deps.storage, after, None, Order::Ascending).take(limit(asked));
    let due = due.collect::<StdResult<Vec<(String, Uint128)>>>()?;
    if due.is_empty() {
        return Err(ContractError::NothingDue);
    }
    let mut response = Response::new().add_attribute("action", "settle");
    for (to, amount) in due {
        DUE.remove(deps.storage, &to);
        let amount = vec![Coin::new(amount, config.denom.clone())];
        response = response.add_message(BankMsg::Send { to_address: to, amount });
    }
    Ok(response)
}

/// Closes a claim of which nothing was heard. What the chain took counts as spent: if it came back, nobody told.
pub(crate) fn release(
    deps: DepsMut<'_, Query>,
    env: Env,
    info: MessageInfo,
    job: u64,
) -> Result<Response, ContractError> {
    only_insurer(&CONFIG.load(deps.storage)?, &info)?;
    let mut claim = open(deps.storage, job)?;
    let from = claim.deadline.saturating_add(RELEASE_BLOCKS);
    if env.block.height < from {
        return Err(ContractError::NotReleasable { job, from, height: env.block.height });
    }
    let policy = policy(deps.storage, claim.policy)?;
    claim.status = ClaimStatus::Closed { reason: Closed::Released {}, read: None, fee: claim.held };
    close(deps.storage, &policy, &claim, claim.held)?;
    Ok(Response::new().add_attribute("action", "release").add_attribute("job", job.to_string()))
}
