//! Entry points, then what each message does.

use aceso_contract::Query;
use aceso_interface::{
    Hash, Image, Model, NotAnAddress, address,
    consent::{Decision, Grant, HiddenGrant, MayViewResponse, Opening, PURPOSES, Rule},
    limit,
};
use aceso_types::guest::{Answer, PermitRequest};
#[cfg(not(feature = "library"))]
use cosmwasm_std::entry_point;
use cosmwasm_std::{
    Addr, Api, Binary, Deps, DepsMut, Empty, Env, Event, MessageInfo, Order, Response, StdError, StdResult, Storage,
    to_json_binary,
};
use cw_storage_plus::Bound;

use crate::{
    error::ContractError,
    helpers::{Ask, Yes, bounded, holds, is_over, of_image, weigh},
    msg::{
        CheckResponse, ExecuteMsg, GrantState, GrantsResponse, HiddenResponse, HiddenState, InstantiateMsg, MigrateMsg,
        Of, QueryMsg,
    },
    state::{
        BY_ACTOR, BY_IMAGE, BY_PATIENT, GRANTS, HIDDEN, HIDDEN_BY_PATIENT, IMAGES_MAX, LAST, LIST_MAX, PER_IMAGE_MAX,
    },
};

/// The contract's name in its version record.
pub const NAME: &str = "aceso-consent";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Sets the guard up.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn instantiate(
    deps: DepsMut<'_, Query>,
    _env: Env,
    info: MessageInfo,
    _msg: InstantiateMsg,
) -> Result<Response, ContractError> {
    no_coins(&info)?;
    cw2::set_contract_version(deps.storage, NAME, VERSION)?;
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
    no_coins(&info)?;
    match msg {
        ExecuteMsg::Grant { images, rule, sealed } => grant(deps, env, info, images, rule, sealed),
        ExecuteMsg::GrantHidden { images, rule, not_after } => grant_hidden(deps, env, info, images, rule, not_after),
        ExecuteMsg::Revoke { grant } => revoke(deps, env, info, grant),
        ExecuteMsg::Use { image, model, purpose, actor, owner, opening } => {
            let asked = Asked { image, model, purpose, actor, owner, opening };
            use_(deps, env, info, &asked)
        }
    }
}

/// Answers a question.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn query(deps: Deps<'_, Query>, env: Env, msg: QueryMsg) -> StdResult<Binary> {
    match msg {
        QueryMsg::Grant { grant } => to_json_binary(&grant_state(deps, env, grant)?),
        QueryMsg::Grants { of, start_after, limit } => to_json_binary(&grants(deps, env, of, start_after, limit)?),
        QueryMsg::Hidden { grant } => to_json_binary(&hidden_state(deps, &env, grant)?),
        QueryMsg::HiddenGrants { patient, start_after, limit } => {
            to_json_binary(&hidden_grants(deps, &env, &patient, start_after, limit)?)
        }
        QueryMsg::Check { image, model, purpose, actor, caller, owner, opening } => {
            let asked = Asked { image, model, purpose, actor, owner, opening };
            to_json_binary(&check(deps, env, &asked, &caller)?)
        }
        QueryMsg::MayView { image, account } => to_json_binary(&may_view(deps, env, image, &account)?),
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

fn grant(
    deps: DepsMut<'_, Query>,
    env: Env,
    info: MessageInfo,
    images: Vec<Image>,
    rule: Rule,
    sealed: bool,
) -> Result<Response, ContractError> {
    let now = env.block.time.seconds();
    bounded_list("images", images.len(), IMAGES_MAX, 1)?;
    for image in &images {
        check_image(deps.as_ref(), &env.contract.address, &info.sender, image, sealed)?;
    }
    let actors = check_rule(deps.api, &rule, now)?;
    let owner = if sealed { info.sender.as_str() } else { "" };
    for image in &images {
        make_room(deps.storage, owner, image, now)?;
    }

    let id = next_number(deps.storage)?;
    for image in &images {
        BY_IMAGE.save(deps.storage, (owner, &image.to_bytes(), id), &Empty {})?;
    }
    for actor in &actors {
        BY_ACTOR.save(deps.storage, (actor, id), &Empty {})?;
    }
    BY_PATIENT.save(deps.storage, (&info.sender, id), &Empty {})?;
    let patient = info.sender.to_string();
    let event = Event::new("grant")
        .add_attribute("grant", id.to_string())
        .add_attribute("patient", &patient)
        .add_attribute("decision", if matches!(rule.decision, Decision::Permit { .. }) { "permit" } else { "deny" })
        .add_attributes(images.iter().map(|image| ("image", image.to_string())))
        .add_attributes(actors.iter().map(|actor| ("actor", actor.to_string())));
    GRANTS.save(deps.storage, id, &Grant { id, patient, images, sealed, rule, granted_at: now, revoked_at: None })?;
    Ok(Response::new()
        .add_attribute("action", "grant")
        .add_attribute("grant", id.to_string())
        .add_event(event)
        .set_data(to_json_binary(&id)?))
}

/// Takes digests and an end. That they are of her own images and of a rule is seen when they are opened; until then
/// nothing can be done with them, so nothing needs to be known.
fn grant_hidden(
    deps: DepsMut<'_, Query>,
    env: Env,
    info: MessageInfo,
    images: Vec<Hash>,
    rule: Hash,
    not_after: u64,
) -> Result<Response, ContractError> {
    let now = env.block.time.seconds();
    bounded_list("images", images.len(), IMAGES_MAX, 1)?;
    if not_after <= now {
        return Err(ContractError::PeriodOver { not_after, now });
    }
    let id = next_number(deps.storage)?;
    HIDDEN_BY_PATIENT.save(deps.storage, (&info.sender, id), &Empty {})?;
    let patient = info.sender.to_string();
    let attributes = [("action", "grant_hidden".to_owned()), ("grant", id.to_string()), ("patient", patient.clone())];
    let hidden = HiddenGrant { id, patient, images, rule, not_after, granted_at: now, revoked_at: None };
    HIDDEN.save(deps.storage, id, &hidden)?;
    Ok(Response::new().add_attributes(attributes).set_data(to_json_binary(&id)?))
}

/// Grants are counted from 1, hidden ones and others together: the chain counts their uses by number.
fn next_number(storage: &mut dyn Storage) -> StdResult<u64> {
    let id = LAST.load(storage)?.saturating_add(1);
    LAST.save(storage, &id)?;
    Ok(id)
}

/// A patient speaks for images that she registered herself, with this contract as guard.
fn check_image(
    deps: Deps<'_, Query>,
    guard: &Addr,
    sender: &Addr,
    image: &Image,
    sealed: bool,
) -> Result<(), ContractError> {
    let known = if sealed {
        let unknown = || ContractError::NotSealed { image: Box::new(*image), sender: sender.to_string() };
        aceso_contract::sealed_info(&deps.querier, sender.as_str(), image)?.ok_or_else(unknown)?
    } else {
        aceso_contract::image_info(&deps.querier, image)?.ok_or(ContractError::UnknownImage(*image))?
    };
    if known.owner != sender.as_str() {
        return Err(ContractError::NotOwner { image: Box::new(*image), sender: sender.to_string() });
    }
    if known.guard != guard.as_str() {
        return Err(ContractError::NotGuarded(*image));
    }
    Ok(())
}

/// Checks a rule's every field; answers its actors.
fn check_rule(api: &dyn Api, rule: &Rule, now: u64) -> Result<Vec<Addr>, ContractError> {
    bounded_list("actors", rule.actors.len(), LIST_MAX, 1)?;
    bounded_list("contracts", rule.via.len(), LIST_MAX, 0)?;
    bounded_list("purposes", rule.purposes.len(), LIST_MAX, 1)?;
    bounded_list("models", rule.models.len(), LIST_MAX, 0)?;
    let actors = rule.actors.iter().map(|actor| address(api, actor)).collect::<Result<_, NotAnAddress>>()?;
    for contract in &rule.via {
        address(api, contract)?;
    }
    if let Some(other) = rule.purposes.iter().find(|purpose| !PURPOSES.contains(&purpose.as_str())) {
        return Err(ContractError::UnknownPurpose(bounded(other)));
    }
    let Rule { not_before, not_after, .. } = *rule;
    if not_before >= not_after {
        return Err(ContractError::EmptyPeriod { not_before, not_after });
    }
    if not_after <= now {
        return Err(ContractError::PeriodOver { not_after, now });
    }
    if matches!(rule.decision, Decision::Permit { max_uses: 0 }) {
        return Err(ContractError::NoUses);
    }
    Ok(actors)
}

/// Where an image has as many grants as are weighed, those that are over are weighed no longer.
fn make_room(storage: &mut dyn Storage, owner: &str, image: &Image, now: u64) -> Result<(), ContractError> {
    let weighed = of_image(storage, owner, image)?;
    if weighed.len() < PER_IMAGE_MAX {
        return Ok(());
    }
    let over: Vec<u64> = weighed.iter().filter(|grant| is_over(grant, now)).map(|grant| grant.id).collect();
    if over.is_empty() {
        return Err(ContractError::Crowded(*image));
    }
    for id in over {
        BY_IMAGE.remove(storage, (owner, &image.to_bytes(), id));
    }
    Ok(())
}

fn revoke(deps: DepsMut<'_, Query>, env: Env, info: MessageInfo, id: u64) -> Result<Response, ContractError> {
    let now = env.block.time.seconds();
    let may = |patient: &str, revoked_at: Option<u64>| {
        if patient != info.sender.as_str() {
            return Err(ContractError::NotPatient { grant: id, sender: info.sender.to_string() });
        }
        revoked_at.map_or(Ok(()), |at| Err(ContractError::AlreadyRevoked { grant: id, at }))
    };
    if let Some(mut hidden) = HIDDEN.may_load(deps.storage, id)? {
        may(&hidden.patient, hidden.revoked_at)?;
        hidden.revoked_at = Some(now);
        HIDDEN.save(deps.storage, id, &hidden)?;
    } else {
        let mut grant = GRANTS.may_load(deps.storage, id)?.ok_or(ContractError::UnknownGrant(id))?;
        may(&grant.patient, grant.revoked_at)?;
        grant.revoked_at = Some(now);
        GRANTS.save(deps.storage, id, &grant)?;
    }
    Ok(Response::new()
        .add_attribute("action", "revoke")
        .add_attribute("grant", id.to_string())
        .add_attribute("patient", info.sender))
}

/// What a reading contract asks for.
struct Asked {
    image: Image,
    model: Model,
    purpose: String,
    actor: String,
    owner: Option<String>,
    opening: Option<Box<Opening>>,
}

impl Asked {
    fn ask<'a>(&'a self, caller: &'a Addr, actor: &'a Addr, now: u64) -> Ask<'a> {
        Ask {
            caller,
            actor,
            image: self.image,
            owner: self.owner.as_deref().unwrap_or_default(),
            opening: self.opening.as_deref(),
            model: self.model,
            purpose: &self.purpose,
            now,
        }
    }
}

/// Weighs, answers the chain, and only then errors: a no must reach the journal.
fn use_(deps: DepsMut<'_, Query>, env: Env, info: MessageInfo, asked: &Asked) -> Result<Response, ContractError> {
    let actor = address(deps.api, &asked.actor)?;
    let ask = asked.ask(&info.sender, &actor, env.block.time.seconds());
    let answer = weigh(deps.as_ref(), &env.contract.address, &ask)?;

    let permit = |grant: String, answer| PermitRequest {
        caller: info.sender.to_string(),
        actor: actor.to_string(),
        image: *ask.image,
        owner: ask.owner.into(),
        model: *ask.model,
        purpose: bounded(ask.purpose),
        grant,
        answer,
    };
    match answer {
        Ok(Yes { grant, max_uses }) => {
            let request = permit(grant.to_string(), Answer::Permit { max_uses });
            aceso_contract::permit(&request).map_err(ContractError::Host)?;
            Ok(Response::new()
                .add_attribute("action", "use")
                .add_attribute("grant", request.grant)
                .add_attribute("image", ask.image.to_string())
                .add_attribute("model", ask.model.to_string())
                .add_attribute("purpose", request.purpose)
                .add_attribute("actor", request.actor))
        }
        Err(refusal) => {
            let grant = refusal.grant().map(|grant| grant.to_string()).unwrap_or_default();
            let request = permit(grant, Answer::Deny { reason: refusal.to_string() });
            aceso_contract::permit(&request).map_err(ContractError::Host)?;
            Err(refusal.into())
        }
    }
}

fn grant_state(deps: Deps<'_, Query>, env: Env, id: u64) -> StdResult<GrantState> {
    let grant =
        GRANTS.may_load(deps.storage, id)?.ok_or_else(|| StdError::msg(ContractError::UnknownGrant(id).to_string()))?;
    with_uses(deps, &env, grant)
}

fn grants(
    deps: Deps<'_, Query>,
    env: Env,
    of: Of,
    start_after: Option<u64>,
    asked: Option<u32>,
) -> StdResult<GrantsResponse> {
    let (after, order) = (start_after.map(Bound::exclusive), Order::Ascending);
    let numbers: Vec<u64> = match of {
        Of::Patient(patient) => {
            let patient = deps.api.addr_validate(&patient)?;
            BY_PATIENT
                .prefix(&patient)
                .keys(deps.storage, after, None, order)
                .take(limit(asked))
                .collect::<Result<_, _>>()
        }
        Of::Actor(actor) => {
            let actor = deps.api.addr_validate(&actor)?;
            BY_ACTOR.prefix(&actor).keys(deps.storage, after, None, order).take(limit(asked)).collect()
        }
        Of::Image(image) => {
            let prefix = BY_IMAGE.prefix(("", &image.to_bytes()));
            prefix.keys(deps.storage, after, None, order).take(limit(asked)).collect()
        }
        Of::Sealed { owner, image } => {
            let prefix = BY_IMAGE.prefix((&owner, &image.to_bytes()));
            prefix.keys(deps.storage, after, None, order).take(limit(asked)).collect()
        }
    }?;
    let state = |number| with_uses(deps, &env, GRANTS.load(deps.storage, number)?);
    Ok(GrantsResponse { grants: numbers.into_iter().map(state).collect::<StdResult<_>>()? })
}

fn with_uses(deps: Deps<'_, Query>, env: &Env, grant: Grant) -> StdResult<GrantState> {
    let uses = aceso_contract::uses(&deps.querier, env.contract.address.as_str(), &grant.id.to_string())?;
    Ok(GrantState { grant, uses })
}

fn hidden_state(deps: Deps<'_, Query>, env: &Env, id: u64) -> StdResult<HiddenState> {
    let hidden = HIDDEN.may_load(deps.storage, id)?;
    let grant = hidden.ok_or_else(|| StdError::msg(ContractError::UnknownGrant(id).to_string()))?;
    let uses = aceso_contract::uses(&deps.querier, env.contract.address.as_str(), &id.to_string())?;
    Ok(HiddenState { grant, uses })
}

fn hidden_grants(
    deps: Deps<'_, Query>,
    env: &Env,
    patient: &str,
    start_after: Option<u64>,
    asked: Option<u32>,
) -> StdResult<HiddenResponse> {
    let patient = deps.api.addr_validate(patient)?;
    let after = start_after.map(Bound::exclusive);
    let numbers = HIDDEN_BY_PATIENT.prefix(&patient).keys(deps.storage, after, None, Order::Ascending);
    let grants = numbers.take(limit(asked)).map(|number| hidden_state(deps, env, number?));
    Ok(HiddenResponse { grants: grants.collect::<StdResult<_>>()? })
}

fn check(deps: Deps<'_, Query>, env: Env, asked: &Asked, caller: &str) -> StdResult<CheckResponse> {
    let (actor, caller) = (deps.api.addr_validate(&asked.actor)?, deps.api.addr_validate(caller)?);
    let ask = asked.ask(&caller, &actor, env.block.time.seconds());
    Ok(match weigh(deps, &env.contract.address, &ask)? {
        Ok(yes) => CheckResponse { grant: Some(yes.grant), reason: None },
        Err(refusal) => CheckResponse { grant: None, reason: Some(refusal.to_string()) },
    })
}

fn may_view(deps: Deps<'_, Query>, env: Env, image: Image, account: &str) -> StdResult<MayViewResponse> {
    let owns = aceso_contract::image_info(&deps.querier, &image)?.is_some_and(|known| known.owner == account);
    let now = env.block.time.seconds();
    let grants = of_image(deps.storage, "", &image)?;
    let says = |permit: bool| {
        grants.iter().filter(|grant| holds(grant, now)).any(|grant| {
            matches!(grant.rule.decision, Decision::Permit { .. }) == permit
                && grant.rule.actors.iter().any(|actor| actor == account)
        })
    };
    Ok(MayViewResponse { may_view: owns || says(true) && !says(false) })
}

fn bounded_list(what: &'static str, got: usize, max: usize, min: usize) -> Result<(), ContractError> {
    if got < min {
        return Err(ContractError::Missing(what));
    }
    if got > max {
        return Err(ContractError::TooMany { what, max, got });
    }
    Ok(())
}

fn no_coins(info: &MessageInfo) -> Result<(), ContractError> {
    if info.funds.is_empty() { Ok(()) } else { Err(ContractError::Coins) }
}
