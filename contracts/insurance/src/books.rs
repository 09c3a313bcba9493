//! The books of escrows: what is set aside, given back, and borne of what the chain has taken.
//!
//! The chain takes the fee of an open read whatever becomes of the transaction. Where it fails, this contract's state knows
//! nothing of it, but the chain remembers whose image it was: the difference to what the member's policies have borne so far
//! ([`lost`]) is taken out of the next policy of hers that is used or emptied, before anything else is. So a policy can
//! neither ask for a read nor be emptied while a coin is missing that its member's reads have cost, and no member's reads
//! lower what stands behind another's.

use aceso_contract::Query;
use aceso_interface::insurance::Policy;
use cosmwasm_std::{Deps, DepsMut, Env, StdError, StdResult, Storage, Uint128};

use crate::{
    error::ContractError,
    state::{BORNE, ESCROW},
};

/// What a policy's escrow holds.
pub(crate) fn escrow(storage: &dyn Storage, id: u64) -> Result<Uint128, ContractError> {
    ESCROW.may_load(storage, id)?.ok_or(ContractError::UnknownPolicy(id))
}

/// Takes what something can cost at most out of a policy's escrow.
pub(crate) fn set_aside(storage: &mut dyn Storage, policy: u64, costs: Uint128) -> Result<(), ContractError> {
    let holds = escrow(storage, policy)?;
    let rest = holds.checked_sub(costs).map_err(|_| ContractError::EscrowTooLow { policy, holds, costs })?;
    Ok(ESCROW.save(storage, policy, &rest)?)
}

/// Puts what something did not cost back into it.
pub(crate) fn give_back(storage: &mut dyn Storage, policy: u64, rest: Uint128) -> Result<(), ContractError> {
    let holds = escrow(storage, policy)?.checked_add(rest).map_err(StdError::from)?;
    Ok(ESCROW.save(storage, policy, &holds)?)
}

/// What the chain has taken for reads of a member's images that none of her policies has borne.
pub(crate) fn lost(deps: Deps<'_, Query>, env: &Env, member: &str) -> StdResult<Uint128> {
    let spent = aceso_contract::spent(&deps.querier, env.contract.address.as_str(), member)?;
    Ok(spent.saturating_sub(BORNE.may_load(deps.storage, member)?.unwrap_or_default()))
}

/// Notes that the member's policies bear a fee.
pub(crate) fn borne(storage: &mut dyn Storage, member: &str, fee: Uint128) -> StdResult<()> {
    let so_far = BORNE.may_load(storage, member)?.unwrap_or_default();
    BORNE.save(storage, member, &so_far.checked_add(fee)?)
}

/// Has a policy bear what its member's reads have lost.
///
/// # Errors
/// [`ContractError::LostMore`] where it cannot.
pub(crate) fn bear(deps: DepsMut<'_, Query>, env: &Env, policy: &Policy) -> Result<(), ContractError> {
    let member = policy.terms.member.as_str();
    let lost = lost(deps.as_ref(), env, member)?;
    if lost.is_zero() {
        return Ok(());
    }
    let holds = escrow(deps.storage, policy.id)?;
    if holds < lost {
        return Err(ContractError::LostMore { policy: policy.id, holds, lost });
    }
    set_aside(deps.storage, policy.id, lost)?;
    Ok(borne(deps.storage, member, lost)?)
}

/// Has a policy that ends bear as much of it as it holds.
pub(crate) fn bear_what_is_there(deps: DepsMut<'_, Query>, env: &Env, policy: &Policy) -> Result<(), ContractError> {
    let member = policy.terms.member.as_str();
    let part = lost(deps.as_ref(), env, member)?.min(escrow(deps.storage, policy.id)?);
    if part.is_zero() {
        return Ok(());
    }
    set_aside(deps.storage, policy.id, part)?;
    Ok(borne(deps.storage, member, part)?)
}
