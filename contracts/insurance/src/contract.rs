//! Entry points, then what each message does.
//!
//! A read is one transaction in two steps: [`request_read`] checks what can be known before, sets the cost aside and
//! asks the image's guard; after its yes [`read_and_pay`] reads, checks what the read has shown, pays or refuses, and
//! writes that down. A sealed read takes another way, in `sealed`: its answer comes in a later block, to [`sudo`].

use aceso_contract::{Callback, Query};
use aceso_interface::{
    Frame, Model, address,
    consent::GuardExecuteMsg,
    insurance::{Answer, Claim, Cover, Policy, Refusal, Refused, SealedClaim, Terms},
    limit,
};
use aceso_types::guest::ReadInfo;
#[cfg(not(feature = "library"))]
use cosmwasm_std::entry_point;
use cosmwasm_std::{
    BankMsg, Binary, Coin, Deps, DepsMut, Empty, Env, Event, MessageInfo, Order, Reply, Response, StdError, StdResult,
    Storage, SubMsg, Uint128, from_json, to_json_binary, wasm_execute,
};
use cw_storage_plus::{Bound, Map};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    books::{bear, bear_what_is_there, borne, escrow, give_back, lost, set_aside},
    error::ContractError,
    helpers::{
        Seen, bounded_list, check_split, claim, cost, has_origin, image_not_paid_before, in_force, no_coins,
        only_insurer, payments, refusal, words, write_down, write_refused,
    },
    msg::{
        ClaimsResponse, Config, DueResponse, EscrowResponse, ExecuteMsg, InstantiateMsg, LostResponse, MigrateMsg,
        PoliciesResponse, QueryMsg, RefusedReadsResponse, SealedClaimsResponse,
    },
    picture::Picture,
    sealed,
    state::{
        BY_MEMBER, CLAIMS, CONFIG, DUE, ESCROW, LAST, POLICIES, REFUSED, RESERVED, Request, SEALED, SEALED_BY_POLICY,
    },
};

/// The contract's name in its version record.
pub const NAME: &str = "aceso-insurance";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The reply that follows a guard's yes.
pub const REPLY_PERMITTED: u64 = 1;
/// The reply that follows the chain's answer to a request for a sealed read.
pub const REPLY_REQUESTED: u64 = 2;
/// The reply that follows a transfer that failed.
pub const REPLY_NOT_SENT: u64 = 3;

/// Opens the counter.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn instantiate(
    deps: DepsMut<'_, Query>,
    _env: Env,
    info: MessageInfo,
    msg: InstantiateMsg,
) -> Result<Response, ContractError> {
    no_coins(&info)?;
    let insurer = msg.insurer.map_or(Ok(info.sender), |insurer| address(deps.api, &insurer))?.into();
    let treasury = address(deps.api, &msg.treasury)?.into();
    cw2::set_contract_version(deps.storage, NAME, VERSION)?;
    CONFIG.save(deps.storage, &Config { insurer, treasury, denom: msg.denom })?;
    LAST.save(deps.storage, &0)?;
    Ok(Response::new().add_attribute("action", "instantiate"))
}

/// Does what a message says.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn execute(
    deps: DepsMut<'_, Query>,
    env: Env,
    info: MessageInfo,
    msg: ExecuteMsg,
) -> Result<Response, ContractError> {
    if !matches!(msg, ExecuteMsg::Fund { .. }) {
        no_coins(&info)?;
    }
    match msg {
        ExecuteMsg::CreatePolicy { terms } => create_policy(deps, env, info, terms),
        ExecuteMsg::Fund { policy } => fund(deps, info, policy),
        ExecuteMsg::Withdraw { policy } => withdraw(deps, env, info, policy),
        ExecuteMsg::RequestRead { policy, image, frame, model, purpose } => {
            request_read(deps, env, info, policy, Picture { image, frame }, model, purpose)
        }
        ExecuteMsg::Claim { policy, image, frame, model, purpose, granter, grant, terms, opening } => {
            let opened = sealed::Opened { granter, grant, terms, opening };
            sealed::claim(deps, env, info, policy, Picture { image, frame }, model, purpose, opened)
        }
        ExecuteMsg::Settle { start_after, limit } => sealed::settle(deps, start_after, limit),
        ExecuteMsg::Release { job } => sealed::release(deps, env, info, job),
    }
}

/// Hears from the chain what became of a sealed read. Nobody else can call it with this message.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn sudo(deps: DepsMut<'_, Query>, _env: Env, msg: Callback) -> Result<Response, ContractError> {
    let Callback::AcesoRead(done) = msg;
    sealed::decide(deps, done)
}

/// Goes on where a guard has answered yes, where the chain has taken a request, or where a transfer has failed.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn reply(deps: DepsMut<'_, Query>, env: Env, reply: Reply) -> Result<Response, ContractError> {
    match reply.id {
        REPLY_PERMITTED => read_and_pay(deps, env, from_json(&reply.payload)?),
        REPLY_REQUESTED => sealed::requested(deps, env, from_json(&reply.payload)?, reply.result),
        REPLY_NOT_SENT => sealed::not_sent(deps, &from_json(&reply.payload)?),
        other => Err(ContractError::UnknownReply(other)),
    }
}

/// Answers a question.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn query(deps: Deps<'_, Query>, env: Env, msg: QueryMsg) -> StdResult<Binary> {
    match msg {
        QueryMsg::Config {} => to_json_binary(&CONFIG.load(deps.storage)?),
        QueryMsg::Policy { policy } => to_json_binary(&load(deps.storage, policy).map_err(sentence)?),
        QueryMsg::Policies { member, start_after, limit } => {
            to_json_binary(&PoliciesResponse { policies: list_policies(deps, member, start_after, limit)? })
        }
        QueryMsg::Escrow { policy } => {
            let amount = escrow(deps.storage, policy).map_err(sentence)?;
            let reserved = RESERVED.may_load(deps.storage, policy)?.unwrap_or_default();
            to_json_binary(&EscrowResponse { amount, reserved })
        }
        QueryMsg::Claim { policy, read } => to_json_binary(&CLAIMS.load(deps.storage, (policy, read))?),
        QueryMsg::RefusedRead { policy, read } => to_json_binary(&REFUSED.load(deps.storage, (policy, read))?),
        QueryMsg::RefusedReads { policy, start_after, limit } => {
            to_json_binary(&RefusedReadsResponse { refused: page(deps, &REFUSED, policy, start_after, limit)? })
        }
        QueryMsg::Lost { member } => to_json_binary(&LostResponse { amount: lost(deps, &env, &member)? }),
        QueryMsg::SealedClaim { job } => to_json_binary(&sealed::load(deps.storage, job).map_err(sentence)?),
        QueryMsg::SealedClaims { policy, start_after, limit } => {
            to_json_binary(&SealedClaimsResponse { claims: list_sealed(deps, policy, start_after, limit)? })
        }
        QueryMsg::Due { account } => {
            to_json_binary(&DueResponse { amount: DUE.may_load(deps.storage, &account)?.unwrap_or_default() })
        }
        QueryMsg::Claims { policy, start_after, limit } => {
            to_json_binary(&ClaimsResponse { claims: page(deps, &CLAIMS, policy, start_after, limit)? })
        }
    }
}

/// Takes over from earlier code of the same contract.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn migrate(deps: DepsMut<'_, Query>, _env: Env, _msg: MigrateMsg) -> Result<Response, ContractError> {
    let stored = cw2::get_contract_version(deps.storage)?.contract;
    if stored != NAME {
        return Err(ContractError::OtherContract { stored, expected: NAME });
    }
    cw2::set_contract_version(deps.storage, NAME, VERSION)?;
    Ok(Response::new().add_attribute("action", "migrate"))
}

/// Makes a policy.
fn create_policy(
    deps: DepsMut<'_, Query>,
    env: Env,
    info: MessageInfo,
    terms: Terms,
) -> Result<Response, ContractError> {
    let config = CONFIG.load(deps.storage)?;
    only_insurer(&config, &info)?;
    let member = address(deps.api, &terms.member)?;
    check_period(&terms, env.block.time.seconds())?;
    check_covers(deps.as_ref(), &config, &terms.covers)?;
    bounded_list("institutions", terms.origin.len(), 0)?;
    for institution in &terms.origin {
        address(deps.api, institution)?;
    }
    check_split(deps.as_ref(), &terms.split, !terms.origin.is_empty())?;
    if let Some(plan) = &terms.sealed {
        sealed::check_plan(deps.as_ref(), plan, &terms.covers)?;
    }

    let id = LAST.load(deps.storage)?.saturating_add(1);
    LAST.save(deps.storage, &id)?;
    ESCROW.save(deps.storage, id, &Uint128::zero())?;
    BY_MEMBER.save(deps.storage, (&member, id), &Empty {})?;
    POLICIES.save(deps.storage, id, &Policy { id, terms })?;
    Ok(Response::new()
        .add_attribute("action", "create_policy")
        .add_attribute("policy", id.to_string())
        .add_attribute("member", member)
        .set_data(to_json_binary(&id)?))
}

fn check_period(terms: &Terms, now: u64) -> Result<(), ContractError> {
    let Terms { not_before, not_after, .. } = *terms;
    if not_before >= not_after {
        return Err(ContractError::EmptyPeriod { not_before, not_after });
    }
    if not_after <= now {
        return Err(ContractError::PeriodOver { not_after, now });
    }
    Ok(())
}

/// A policy pays only for models that can be read and whose fee is in the coin that its escrow holds.
fn check_covers(deps: Deps<'_, Query>, config: &Config, covers: &[Cover]) -> Result<(), ContractError> {
    bounded_list("models", covers.len(), 1)?;
    for (at, &Cover { model, price }) in covers.iter().enumerate() {
        let known = aceso_contract::model_info(&deps.querier, &model)?.ok_or(ContractError::UnknownModel(model))?;
        if known.price.denom != config.denom {
            let ours = config.denom.clone();
            return Err(ContractError::PricedOtherwise { model, denom: known.price.denom, ours });
        }
        if price.is_zero() {
            return Err(ContractError::NoPrice(model));
        }
        if covers.iter().skip(at + 1).any(|other| other.model == model) {
            return Err(ContractError::CoveredTwice(model));
        }
    }
    Ok(())
}

/// Puts the coins that came with the message into the escrow.
fn fund(deps: DepsMut<'_, Query>, info: MessageInfo, id: u64) -> Result<Response, ContractError> {
    let config = CONFIG.load(deps.storage)?;
    let holds = escrow(deps.storage, id)?;
    let amount = match info.funds.as_slice() {
        [Coin { denom, amount }] if *denom == config.denom => Uint128::try_from(*amount).map_err(StdError::from)?,
        _ => return Err(ContractError::OtherCoin(config.denom)),
    };
    let holds = holds.checked_add(amount).map_err(StdError::from)?;
    ESCROW.save(deps.storage, id, &holds)?;
    Ok(Response::new()
        .add_attribute("action", "fund")
        .add_attribute("policy", id.to_string())
        .add_attribute("amount", amount)
        .add_attribute("escrow", holds))
}

/// Sends what is left after the period to the insurer. Before, it is promised to the member.
fn withdraw(mut deps: DepsMut<'_, Query>, env: Env, info: MessageInfo, id: u64) -> Result<Response, ContractError> {
    let config = CONFIG.load(deps.storage)?;
    only_insurer(&config, &info)?;
    let policy = load(deps.storage, id)?;
    let (now, not_after) = (env.block.time.seconds(), policy.terms.not_after);
    if now < not_after {
        return Err(ContractError::InForce { policy: id, not_after, now });
    }
    bear_what_is_there(deps.branch(), &env, &policy)?;
    let amount = escrow(deps.storage, id)?;
    if amount.is_zero() {
        return Err(ContractError::Empty(id));
    }
    ESCROW.save(deps.storage, id, &Uint128::zero())?;
    let send = BankMsg::Send { to_address: config.insurer, amount: vec![Coin::new(amount, config.denom)] };
    Ok(Response::new()
        .add_message(send)
        .add_attribute("action", "withdraw")
        .add_attribute("policy", id.to_string())
        .add_attribute("amount", amount))
}

/// Checks a request, sets its cost aside and asks the guard.
fn request_read(
    mut deps: DepsMut<'_, Query>,
    env: Env,
    info: MessageInfo,
    policy: u64,
    picture: Picture,
    model: Model,
    purpose: String,
) -> Result<Response, ContractError> {
    let Picture { image, frame } = picture;
    let policy = load(deps.storage, policy)?;
    in_force(&policy, env.block.time.seconds())?;
    let known = aceso_contract::image_info(&deps.querier, &image)?.ok_or(ContractError::UnknownImage(image))?;
    if known.owner != policy.terms.member {
        return Err(ContractError::NotMembers { policy: policy.id, image });
    }
    if known.guard.is_empty() {
        return Err(ContractError::Unguarded(image));
    }
    let cover = policy.terms.covers.iter().find(|cover| cover.model == model);
    let price = cover.ok_or(ContractError::NotCovered { policy: policy.id, model })?.price;
    has_origin(&policy, image, &known)?;
    image_not_paid_before(deps.storage, &policy, picture, model)?;
    bear(deps.branch(), &env, &policy)?;

    let fee = aceso_contract::model_info(&deps.querier, &model)?.ok_or(ContractError::UnknownModel(model))?.price;
    let fee = Uint128::from(fee.amount);
    set_aside(deps.storage, policy.id, cost(&policy.terms.split, price, fee)?)?;

    let actor = info.sender.to_string();
    let (owner, opening) = (None, None);
    let ask = GuardExecuteMsg::Use { image, model, purpose: purpose.clone(), actor: actor.clone(), owner, opening };
    let payload = to_json_binary(&Request { policy: policy.id, image, frame, model, purpose, actor, price, fee })?;
    let ask = SubMsg::reply_on_success(wasm_execute(known.guard, &ask, vec![])?, REPLY_PERMITTED);
    Ok(Response::new()
        .add_submessage(ask.with_payload(payload))
        .add_attribute("action", "request_read")
        .add_attribute("policy", policy.id.to_string())
        .add_attribute("image", image.to_string())
        .add_attribute("model", model.to_string()))
}

/// Reads with the permit that the guard has given, checks what was seen, and pays or says why not. Nothing that a read can
/// show fails the transaction: the chain keeps the fee in any case, and the books have to know of it.
fn read_and_pay(deps: DepsMut<'_, Query>, env: Env, request: Request) -> Result<Response, ContractError> {
    let config = CONFIG.load(deps.storage)?;
    let policy = load(deps.storage, request.policy)?;
    let read = aceso_contract::read_frame(&request.model, &request.image, *request.frame, &request.purpose)?;
    if read.fee != request.fee.to_string() {
        return Err(ContractError::FeeChanged { expected: request.fee, got: read.fee });
    }
    borne(deps.storage, &policy.terms.member, request.fee)?;
    if let Some(reason) = refusal(deps.storage, &env, &policy, &read)? {
        return refuse(deps, &env, &policy, request, &read, reason);
    }

    let payments = payments(&config, &policy.terms.split, request.price, request.fee, &Seen::of(&read))?;
    let claim = claim(&env, request, read, payments);
    write_down(deps.storage, &env, &policy, &claim)?;
    let sends =
        claim.paid.iter().map(|payment| sealed::send_or_owe(&config, payment)).collect::<StdResult<Vec<_>>>()?;
    Ok(Response::new()
        .add_submessages(sends)
        .add_attribute("action", "claim")
        .add_event(event(&claim))
        .set_data(to_json_binary(&Answer::Paid(Box::new(claim)))?))
}

/// Writes down why a read is not paid for. What was set aside is the policy's again, but for the read's fee.
fn refuse(
    deps: DepsMut<'_, Query>,
    env: &Env,
    policy: &Policy,
    request: Request,
    read: &ReadInfo,
    reason: Refusal,
) -> Result<Response, ContractError> {
    let cost = cost(&policy.terms.split, request.price, request.fee)?;
    give_back(deps.storage, policy.id, cost.checked_sub(request.fee).map_err(StdError::from)?)?;
    let refused = Refused {
        policy: policy.id,
        read: read.read.0,
        image: request.image,
        frame: request.frame,
        pixels: read.pixels.into(),
        model: request.model,
        actor: request.actor,
        purpose: request.purpose,
        reason,
        fee: request.fee,
        height: env.block.height,
        time: env.block.time.seconds(),
    };
    write_refused(deps.storage, env, policy, &refused)?;
    let event = Event::new("refused")
        .add_attribute("policy", refused.policy.to_string())
        .add_attribute("read", refused.read.to_string())
        .add_attribute("image", refused.image.to_string())
        .add_attributes(named(refused.frame))
        .add_attribute("pixels", refused.pixels.to_string())
        .add_attribute("model", refused.model.to_string())
        .add_attribute("actor", &refused.actor)
        .add_attribute("fee", refused.fee)
        .add_attribute("reason", words(&refused));
    Ok(Response::new()
        .add_attribute("action", "refuse")
        .add_event(event)
        .set_data(to_json_binary(&Answer::Refused(Box::new(refused)))?))
}

/// A policy by its number.
pub(crate) fn load(storage: &dyn Storage, id: u64) -> Result<Policy, ContractError> {
    POLICIES.may_load(storage, id)?.ok_or(ContractError::UnknownPolicy(id))
}

fn list_policies(
    deps: Deps<'_, Query>,
    member: Option<String>,
    start_after: Option<u64>,
    asked: Option<u32>,
) -> StdResult<Vec<Policy>> {
    let (after, order) = (start_after.map(Bound::exclusive), Order::Ascending);
    let numbers: Vec<u64> = match member {
        None => POLICIES.keys(deps.storage, after, None, order).take(limit(asked)).collect::<StdResult<_>>()?,
        Some(member) => {
            let member = deps.api.addr_validate(&member)?;
            BY_MEMBER
                .prefix(&member)
                .keys(deps.storage, after, None, order)
                .take(limit(asked))
                .collect::<StdResult<_>>()?
        }
    };
    numbers.into_iter().map(|number| POLICIES.load(deps.storage, number)).collect()
}

/// A page of a policy's reads.
fn page<T: Serialize + DeserializeOwned>(
    deps: Deps<'_, Query>,
    reads: &Map<(u64, u64), T>,
    policy: u64,
    start_after: Option<u64>,
    asked: Option<u32>,
) -> StdResult<Vec<T>> {
    let rows = reads.prefix(policy).range(deps.storage, start_after.map(Bound::exclusive), None, Order::Ascending);
    rows.take(limit(asked)).map(|row| Ok(row?.1)).collect()
}

fn list_sealed(
    deps: Deps<'_, Query>,
    policy: u64,
    start_after: Option<u64>,
    asked: Option<u32>,
) -> StdResult<Vec<SealedClaim>> {
    let after = start_after.map(Bound::exclusive);
    let jobs = SEALED_BY_POLICY.prefix(policy).keys(deps.storage, after, None, Order::Ascending);
    jobs.take(limit(asked)).map(|job| SEALED.load(deps.storage, job?)).collect()
}

fn sentence(error: ContractError) -> StdError {
    StdError::msg(error.to_string())
}

/// The frame as an event names it: not where it is the first.
fn named(frame: Frame) -> Option<(&'static str, String)> {
    (!frame.is_first()).then(|| ("frame", frame.number().to_string()))
}

fn event(claim: &Claim) -> Event {
    let present =
        claim.findings.iter().filter(|finding| finding.present).map(|finding| ("finding", finding.id.clone()));
    let paid = claim.paid.iter().map(|payment| ("paid", format!("{} to {}", payment.amount, payment.to)));
    Event::new("claim")
        .add_attribute("policy", claim.policy.to_string())
        .add_attribute("read", claim.read.to_string())
        .add_attribute("image", claim.image.to_string())
        .add_attributes(named(claim.frame))
        .add_attribute("pixels", claim.pixels.to_string())
        .add_attribute("model", claim.model.to_string())
        .add_attribute("actor", &claim.actor)
        .add_attribute("fee", claim.fee)
        .add_attributes(present)
        .add_attributes(paid)
}
