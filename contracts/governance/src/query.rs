//! What each question is answered with.

use aceso_interface::limit;
use cosmwasm_std::{Deps, Env, Order, StdError, StdResult, Storage};
use cw_storage_plus::Bound;
use cw_utils::ThresholdResponse;

use crate::{
    error::ContractError,
    msg::{
        ProposalListResponse, ProposalResponse, VoteInfo, VoteListResponse, VoteResponse, Voter, VoterListResponse,
        VoterResponse,
    },
    state::{BALLOTS, Ballot, PROPOSALS, Proposal, RULES, TOTAL, VOTERS},
    tally::status,
};

/// The rules of proposals to come.
pub(crate) fn threshold(deps: Deps<'_>) -> StdResult<ThresholdResponse> {
    Ok(RULES.load(deps.storage)?.threshold.to_response(TOTAL.load(deps.storage)?))
}

/// One proposal.
pub(crate) fn proposal(deps: Deps<'_>, env: &Env, id: u64) -> StdResult<ProposalResponse> {
    Ok(shown(env, id, known(deps, id)?))
}

/// A page of proposals in an order, beginning behind `after`.
pub(crate) fn proposals(
    deps: Deps<'_>,
    env: &Env,
    after: Option<u64>,
    asked: Option<u32>,
    order: Order,
) -> StdResult<ProposalListResponse> {
    let bound = after.map(Bound::exclusive);
    let (min, max) = if matches!(order, Order::Ascending) { (bound, None) } else { (None, bound) };
    let rows = PROPOSALS.range(deps.storage, min, max, order).take(limit(asked));
    let proposals = rows.map(|row| row.map(|(id, proposal)| shown(env, id, proposal)));
    Ok(ProposalListResponse { proposals: proposals.collect::<StdResult<_>>()? })
}

/// How an account voted.
pub(crate) fn vote(deps: Deps<'_>, id: u64, voter: &str) -> StdResult<VoteResponse> {
    known(deps, id)?;
    let voter = deps.api.addr_validate(voter)?;
    let ballot = BALLOTS.may_load(deps.storage, (id, &voter))?;
    Ok(VoteResponse { vote: ballot.map(|ballot| info(id, voter.into(), ballot)) })
}

/// A page of votes.
pub(crate) fn votes(deps: Deps<'_>, id: u64, after: Option<String>, asked: Option<u32>) -> StdResult<VoteListResponse> {
    known(deps, id)?;
    let after = after.map(|voter| deps.api.addr_validate(&voter)).transpose()?;
    let after = after.as_ref().map(Bound::exclusive);
    let rows = BALLOTS.prefix(id).range(deps.storage, after, None, Order::Ascending).take(limit(asked));
    let votes = rows.map(|row| row.map(|(voter, ballot)| info(id, voter.into(), ballot)));
    Ok(VoteListResponse { votes: votes.collect::<StdResult<_>>()? })
}

/// What an account weighs now.
pub(crate) fn voter(deps: Deps<'_>, address: &str) -> StdResult<VoterResponse> {
    let address = deps.api.addr_validate(address)?;
    Ok(VoterResponse { weight: VOTERS.may_load(deps.storage, &address)? })
}

/// A page of members.
pub(crate) fn voters(deps: Deps<'_>, after: Option<String>, asked: Option<u32>) -> StdResult<VoterListResponse> {
    let after = after.map(|voter| deps.api.addr_validate(&voter)).transpose()?;
    let after = after.as_ref().map(Bound::exclusive);
    let rows = VOTERS.range(deps.storage, after, None, Order::Ascending).take(limit(asked));
    let voters = rows.map(|row| row.map(|(addr, weight)| Voter { addr: addr.into(), weight }));
    Ok(VoterListResponse { voters: voters.collect::<StdResult<_>>()? })
}

/// The weights of all members.
pub(crate) fn weights(storage: &dyn Storage) -> impl Iterator<Item = StdResult<u64>> {
    VOTERS.range(storage, None, None, Order::Ascending).map(|row| row.map(|(_, weight)| weight))
}

fn known(deps: Deps<'_>, id: u64) -> StdResult<Proposal> {
    let missing = || StdError::msg(ContractError::UnknownProposal(id).to_string());
    PROPOSALS.may_load(deps.storage, id)?.ok_or_else(missing)
}

fn info(proposal_id: u64, voter: String, ballot: Ballot) -> VoteInfo {
    VoteInfo { proposal_id, voter, vote: ballot.vote, weight: ballot.weight }
}

fn shown(env: &Env, id: u64, proposal: Proposal) -> ProposalResponse {
    let status = status(&proposal, &env.block);
    let Proposal { title, description, msgs, expires, threshold, total_weight, proposer, .. } = proposal;
    let threshold = threshold.to_response(total_weight);
    ProposalResponse { id, title, description, msgs, status, expires, threshold, proposer, deposit: None }
}
