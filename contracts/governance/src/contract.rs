//! Entry points, then what each message does.

#[cfg(not(feature = "library"))]
use cosmwasm_std::entry_point;
use cosmwasm_std::{
    Addr, Api, Binary, CosmosMsg, Deps, DepsMut, Env, MessageInfo, Order, Response, StdResult, Storage, to_json_binary,
    to_json_vec,
};
use cw_utils::{Duration, Expiration, Threshold};

use crate::{
    error::{ContractError, word},
    msg::{ExecuteMsg, InstantiateMsg, MigrateMsg, QueryMsg, Status, Vote, Voter},
    query,
    state::{
        BALLOTS, Ballot, CHANGES, DESCRIPTION_MAX, LAST, MSGS_BYTES_MAX, MSGS_MAX, PERIOD_MAX, PROPOSALS, Proposal,
        RULES, Rules, TITLE_MAX, TOTAL, VOTERS, VOTERS_MAX,
    },
    tally::{Votes, status},
};

/// The contract's name in its version record.
pub const NAME: &str = "aceso-governance";
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Characters of a text that is not an address that an error shows.
const ADDRESS_SHOWN: usize = 90;

/// Sets the contract up.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn instantiate(
    deps: DepsMut<'_>,
    _env: Env,
    info: MessageInfo,
    msg: InstantiateMsg,
) -> Result<Response, ContractError> {
    no_coins(&info)?;
    cw2::set_contract_version(deps.storage, NAME, VERSION)?;
    CHANGES.save(deps.storage, &0)?;
    TOTAL.save(deps.storage, &0)?;
    LAST.save(deps.storage, &0)?;
    let total = set_members(deps.api, deps.storage, &[], &msg.voters)?;
    set_rules(deps.storage, total, msg.threshold, msg.max_voting_period)?;
    Ok(Response::new().add_attribute("action", "instantiate"))
}

/// Does what a message says.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn execute(deps: DepsMut<'_>, env: Env, info: MessageInfo, msg: ExecuteMsg) -> Result<Response, ContractError> {
    no_coins(&info)?;
    match msg {
        ExecuteMsg::Propose { title, description, msgs, latest } => {
            propose(deps, env, info, title, description, msgs, latest)
        }
        ExecuteMsg::Vote { proposal_id, vote } => cast(deps, env, info, proposal_id, vote),
        ExecuteMsg::Execute { proposal_id } => run(deps, env, info, proposal_id),
        ExecuteMsg::Close { proposal_id } => close(deps, env, info, proposal_id),
        ExecuteMsg::UpdateMembers { remove, add } => update_members(deps, env, info, &remove, &add),
        ExecuteMsg::UpdateRules { threshold, max_voting_period } => {
            update_rules(deps, env, info, threshold, max_voting_period)
        }
    }
}

/// Answers a question.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn query(deps: Deps<'_>, env: Env, msg: QueryMsg) -> StdResult<Binary> {
    match msg {
        QueryMsg::Threshold {} => to_json_binary(&query::threshold(deps)?),
        QueryMsg::Proposal { proposal_id } => to_json_binary(&query::proposal(deps, &env, proposal_id)?),
        QueryMsg::ListProposals { start_after, limit } => {
            to_json_binary(&query::proposals(deps, &env, start_after, limit, Order::Ascending)?)
        }
        QueryMsg::ReverseProposals { start_before, limit } => {
            to_json_binary(&query::proposals(deps, &env, start_before, limit, Order::Descending)?)
        }
        QueryMsg::Vote { proposal_id, voter } => to_json_binary(&query::vote(deps, proposal_id, &voter)?),
        QueryMsg::ListVotes { proposal_id, start_after, limit } => {
            to_json_binary(&query::votes(deps, proposal_id, start_after, limit)?)
        }
        QueryMsg::Voter { address } => to_json_binary(&query::voter(deps, &address)?),
        QueryMsg::ListVoters { start_after, limit } => to_json_binary(&query::voters(deps, start_after, limit)?),
    }
}

/// Takes over from earlier code of the same contract.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn migrate(deps: DepsMut<'_>, _env: Env, _msg: MigrateMsg) -> Result<Response, ContractError> {
    let stored = cw2::get_contract_version(deps.storage)?.contract;
    if stored != NAME {
        return Err(ContractError::OtherContract { stored, expected: NAME });
    }
    cw2::set_contract_version(deps.storage, NAME, VERSION)?;
    Ok(Response::new().add_attribute("action", "migrate"))
}

fn propose(
    deps: DepsMut<'_>,
    env: Env,
    info: MessageInfo,
    title: String,
    description: String,
    msgs: Vec<CosmosMsg>,
    latest: Option<Expiration>,
) -> Result<Response, ContractError> {
    let weight = VOTERS.may_load(deps.storage, &info.sender)?;
    let weight = weight.ok_or_else(|| ContractError::NotMember(info.sender.to_string()))?;
    count("bytes of a title", title.len(), 1, TITLE_MAX)?;
    count("bytes of a description", description.len(), 0, DESCRIPTION_MAX)?;
    count("messages", msgs.len(), 1, MSGS_MAX)?;
    count("bytes of messages", to_json_vec(&msgs)?.len(), 0, MSGS_BYTES_MAX)?;
    let Rules { threshold, max_voting_period } = RULES.load(deps.storage)?;
    let expires = end(&env, max_voting_period, latest)?;

    let id = LAST.load(deps.storage)?.saturating_add(1);
    LAST.save(deps.storage, &id)?;
    let mut proposal = Proposal {
        title,
        description,
        msgs,
        status: Status::Open,
        expires,
        threshold,
        total_weight: TOTAL.load(deps.storage)?,
        // What is true before the next change.
        members: CHANGES.load(deps.storage)?.saturating_add(1),
        votes: Votes::default(),
        proposer: info.sender.clone(),
    };
    proposal.votes.add(Vote::Yes, weight);
    proposal.status = status(&proposal, &env.block);
    BALLOTS.save(deps.storage, (id, &info.sender), &Ballot { vote: Vote::Yes, weight })?;
    PROPOSALS.save(deps.storage, id, &proposal)?;
    Ok(said("propose", &info, id).add_attribute("status", word(proposal.status)))
}

/// When voting ends: as asked for, within the rules.
fn end(env: &Env, period: Duration, asked: Option<Expiration>) -> Result<Expiration, ContractError> {
    let latest = period.after(&env.block);
    let end = asked.unwrap_or(latest);
    let within = end.partial_cmp(&latest).is_some_and(|order| order.is_le());
    if within && !end.is_expired(&env.block) {
        return Ok(end);
    }
    Err(ContractError::Expiration { asked: end.to_string(), latest: latest.to_string() })
}

fn cast(deps: DepsMut<'_>, env: Env, info: MessageInfo, id: u64, vote: Vote) -> Result<Response, ContractError> {
    let mut proposal = load(deps.storage, id)?;
    // A vote that cannot change anything any more is still heard while there is time.
    if proposal.expires.is_expired(&env.block) || proposal.status == Status::Executed {
        return Err(ContractError::NotOpen { proposal: id, status: status(&proposal, &env.block) });
    }
    let weight = VOTERS.may_load_at_height(deps.storage, &info.sender, proposal.members)?;
    let voter = info.sender.to_string();
    let weight = weight.ok_or_else(|| ContractError::NotVoter { voter: voter.clone(), proposal: id })?;
    if BALLOTS.has(deps.storage, (id, &info.sender)) {
        return Err(ContractError::Voted { voter, proposal: id });
    }
    BALLOTS.save(deps.storage, (id, &info.sender), &Ballot { vote, weight })?;
    proposal.votes.add(vote, weight);
    proposal.status = status(&proposal, &env.block);
    PROPOSALS.save(deps.storage, id, &proposal)?;
    Ok(said("vote", &info, id).add_attribute("status", word(proposal.status)))
}

fn run(deps: DepsMut<'_>, env: Env, info: MessageInfo, id: u64) -> Result<Response, ContractError> {
    let mut proposal = load(deps.storage, id)?;
    match status(&proposal, &env.block) {
        Status::Passed => proposal.status = Status::Executed,
        status => return Err(ContractError::NotPassed { proposal: id, status }),
    }
    PROPOSALS.save(deps.storage, id, &proposal)?;
    Ok(said("execute", &info, id).add_messages(proposal.msgs))
}

fn close(deps: DepsMut<'_>, env: Env, info: MessageInfo, id: u64) -> Result<Response, ContractError> {
    let mut proposal = load(deps.storage, id)?;
    let now = status(&proposal, &env.block);
    if now != Status::Rejected || proposal.status == Status::Rejected {
        return Err(ContractError::NotClosable { proposal: id, status: now });
    }
    proposal.status = Status::Rejected;
    PROPOSALS.save(deps.storage, id, &proposal)?;
    Ok(said("close", &info, id))
}

fn update_members(
    deps: DepsMut<'_>,
    env: Env,
    info: MessageInfo,
    remove: &[String],
    add: &[Voter],
) -> Result<Response, ContractError> {
    itself(&env, &info)?;
    let total = set_members(deps.api, deps.storage, remove, add)?;
    RULES.load(deps.storage)?.threshold.validate(total)?;
    Ok(Response::new().add_attribute("action", "update_members").add_attribute("total_weight", total.to_string()))
}

fn update_rules(
    deps: DepsMut<'_>,
    env: Env,
    info: MessageInfo,
    threshold: Threshold,
    max_voting_period: Duration,
) -> Result<Response, ContractError> {
    itself(&env, &info)?;
    let total = TOTAL.load(deps.storage)?;
    set_rules(deps.storage, total, threshold, max_voting_period)?;
    Ok(Response::new().add_attribute("action", "update_rules"))
}

fn set_rules(
    storage: &mut dyn Storage,
    total: u64,
    threshold: Threshold,
    max_voting_period: Duration,
) -> Result<(), ContractError> {
    threshold.validate(total)?;
    let (Duration::Height(length) | Duration::Time(length)) = max_voting_period;
    if !(1..=PERIOD_MAX).contains(&length) {
        return Err(ContractError::Period { got: length, max: PERIOD_MAX });
    }
    Ok(RULES.save(storage, &Rules { threshold, max_voting_period })?)
}

/// Removes and adds members, as one change; answers the weight of all.
fn set_members(
    api: &dyn Api,
    storage: &mut dyn Storage,
    remove: &[String],
    add: &[Voter],
) -> Result<u64, ContractError> {
    count("members to remove", remove.len(), 0, VOTERS_MAX)?;
    count("members to add", add.len(), 0, VOTERS_MAX)?;
    let change = CHANGES.load(storage)?.saturating_add(1);
    CHANGES.save(storage, &change)?;
    let mut named = Vec::with_capacity(remove.len() + add.len());
    for text in remove {
        let member = once(&mut named, address(api, text)?)?;
        if VOTERS.may_load(storage, &member)?.is_none() {
            return Err(ContractError::NotMember(member.into()));
        }
        VOTERS.remove(storage, &member, change)?;
    }
    for Voter { addr, weight } in add {
        let member = once(&mut named, address(api, addr)?)?;
        if *weight == 0 {
            return Err(ContractError::Weightless(member.into()));
        }
        VOTERS.save(storage, &member, weight, change)?;
    }
    let weights: Vec<u64> = query::weights(storage).take(VOTERS_MAX + 1).collect::<StdResult<_>>()?;
    count("members", weights.len(), 1, VOTERS_MAX)?;
    let total = weights.iter().try_fold(0_u64, |sum, weight| sum.checked_add(*weight));
    let total = total.ok_or(ContractError::Overflow)?;
    TOTAL.save(storage, &total)?;
    Ok(total)
}

fn once(named: &mut Vec<Addr>, member: Addr) -> Result<Addr, ContractError> {
    if named.contains(&member) {
        return Err(ContractError::Twice(member.into()));
    }
    named.push(member.clone());
    Ok(member)
}

fn load(storage: &dyn Storage, id: u64) -> Result<Proposal, ContractError> {
    PROPOSALS.may_load(storage, id)?.ok_or(ContractError::UnknownProposal(id))
}

fn said(action: &str, info: &MessageInfo, proposal: u64) -> Response {
    Response::new()
        .add_attribute("action", action)
        .add_attribute("sender", info.sender.as_str())
        .add_attribute("proposal_id", proposal.to_string())
}

fn address(api: &dyn Api, text: &str) -> Result<Addr, ContractError> {
    api.addr_validate(text).map_err(|_| ContractError::NotAnAddress(text.chars().take(ADDRESS_SHOWN).collect()))
}

fn itself(env: &Env, info: &MessageInfo) -> Result<(), ContractError> {
    if info.sender == env.contract.address {
        return Ok(());
    }
    Err(ContractError::NotItself { sender: info.sender.to_string() })
}

fn count(what: &'static str, got: usize, min: usize, max: usize) -> Result<(), ContractError> {
    if (min..=max).contains(&got) { Ok(()) } else { Err(ContractError::Count { what, got, min, max }) }
}

fn no_coins(info: &MessageInfo) -> Result<(), ContractError> {
    if info.funds.is_empty() { Ok(()) } else { Err(ContractError::Coins) }
}
