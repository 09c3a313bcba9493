//! Sponsors: accounts that pay the fees of others, so that a patient needs no coins (SDK `x/feegrant`).
//!
//! Rows are the SDK's `Grant`. An allowance that is used up or over is removed; those that nobody uses any more are
//! swept, a bounded number a block.

mod allowance;
mod keys;

use cosmos_sdk_proto::cosmos::feegrant::v1beta1::{Grant, MsgGrantAllowance, MsgPruneAllowances, MsgRevokeAllowance};

use self::allowance::Left;
pub(crate) use self::allowance::{Allowance, unix_nanos};
use crate::{
    address::Address,
    code::Code,
    coin::Coins,
    components::{SPONSOR, accounts},
    error::Outcome,
    event::Event,
    run::Run,
    store::{Part, Read, Write},
};

/// Most allowances that one block sweeps (SDK `EndBlocker`).
const SWEEP_MAX: usize = 200;
/// Most that `MsgPruneAllowances` sweeps (SDK `msg_server.go`).
const PRUNE_MAX: usize = 75;
/// SDK gas of each comparison of a message with a filter (SDK `filtered_fee.go`).
const FILTER: u64 = 10;

/// Prefixes of lists, for queries.
pub(crate) mod lists {
    pub(crate) use super::keys::{allowances, given_by};
}

/// An allowance, if there is one.
pub(crate) fn get(state: &mut impl Read, granter: &str, grantee: &str) -> Outcome<Option<Grant>> {
    state.row(SPONSOR, &keys::allowance(grantee, granter))
}

/// `MsgGrantAllowance`.
pub(crate) fn grant_msg(run: &mut Run<'_>, msg: &MsgGrantAllowance) -> Outcome<()> {
    let chain = run.chain.clone();
    let (granter, grantee) = (chain.address(&msg.granter)?, chain.address(&msg.grantee)?);
    if get(run, granter.as_str(), grantee.as_str())?.is_some() {
        return Err(Code::InvalidRequest.because("fee allowance already exists").into());
    }
    accounts::ensure(run, &grantee)?;
    let allowance = Allowance::decode(msg.allowance.as_ref())?;
    let expires = allowance.expires();
    if expires.is_some_and(|end| end < u128::from(run.block.nanos)) {
        return Err(Code::InvalidRequest.because("expiration is before current block time").into());
    }
    if let Some(end) = expires {
        run.set(SPONSOR, keys::expiry(end, grantee.as_str(), granter.as_str()), b"1".to_vec())?;
    }
    run.set(SPONSOR, keys::given(granter.as_str(), grantee.as_str()), b"1".to_vec())?;
    put(run, granter.as_str(), grantee.as_str(), &allowance)?;
    run.emit(said("set_feegrant", &granter, &grantee));
    Ok(())
}

/// `MsgRevokeAllowance`.
pub(crate) fn revoke_msg(run: &mut Run<'_>, msg: &MsgRevokeAllowance) -> Outcome<()> {
    let chain = run.chain.clone();
    let (granter, grantee) = (chain.address(&msg.granter)?, chain.address(&msg.grantee)?);
    let allowance = need(run, &granter, &grantee)?;
    revoke(run, &granter, &grantee, &allowance)
}

/// `MsgPruneAllowances`.
pub(crate) fn prune_msg(run: &mut Run<'_>, msg: &MsgPruneAllowances) -> Outcome<()> {
    let now = run.block.nanos;
    sweep(run, now, PRUNE_MAX)?;
    run.emit(Event::new("prune_feegrant").with("pruner", msg.pruner.as_str()));
    Ok(())
}

/// Lets `granter` pay a fee of `grantee`'s, or says why it does not.
pub(crate) fn pay(run: &mut Run<'_>, granter: &Address, grantee: &Address, fee: &Coins, urls: &[&str]) -> Outcome<()> {
    let accepted = accept(run, granter, grantee, fee, urls);
    accepted.map_err(|stop| stop.within(format_args!("{granter} does not allow to pay fees for {grantee}")))
}

fn accept(run: &mut Run<'_>, granter: &Address, grantee: &Address, fee: &Coins, urls: &[&str]) -> Outcome<()> {
    let allowance = need(run, granter, grantee)?;
    let looks = if allowance.filters() > 0 { allowance.filters().saturating_add(urls.len()) } else { 0 };
    run.meter.spend(FILTER.saturating_mul(looks as u64), "check msg")?;
    match allowance.clone().accept(fee, urls, run.block.nanos)? {
        Left::Nothing => {
            revoke(run, granter, grantee, &allowance)?;
            run.emit(said("use_feegrant", granter, grantee));
        }
        Left::Some(left) => {
            run.emit(said("use_feegrant", granter, grantee));
            put(run, granter.as_str(), grantee.as_str(), &left)?;
            run.emit(said("update_feegrant", granter, grantee));
        }
    }
    Ok(())
}

/// Sweeps allowances that are over, after a block's transactions.
pub(crate) fn end_block(state: &mut impl Write, nanos: u64) -> Outcome<()> {
    sweep(state, nanos, SWEEP_MAX)
}

fn sweep(state: &mut impl Write, nanos: u64, most: usize) -> Outcome<()> {
    for (key, _) in state.page(SPONSOR, &Part::first(keys::expiries(), most))? {
        let Some((end, grantee, granter)) = keys::expired(&key) else { continue };
        if end >= u128::from(nanos) {
            break;
        }
        state.remove(SPONSOR, &keys::allowance(grantee, granter))?;
        state.remove(SPONSOR, &keys::given(granter, grantee))?;
        state.remove(SPONSOR, &key)?;
    }
    Ok(())
}

fn need(state: &mut impl Read, granter: &Address, grantee: &Address) -> Outcome<Allowance> {
    match get(state, granter.as_str(), grantee.as_str())? {
        Some(grant) => Ok(Allowance::decode(grant.allowance.as_ref())?),
        None => Err(Code::NotFound.because("fee-grant not found").into()),
    }
}

fn put(state: &mut impl Write, granter: &str, grantee: &str, allowance: &Allowance) -> Outcome<()> {
    let row = Grant { granter: granter.into(), grantee: grantee.into(), allowance: Some(allowance.encode()) };
    state.put(SPONSOR, keys::allowance(grantee, granter), &row)
}

fn revoke(run: &mut Run<'_>, granter: &Address, grantee: &Address, allowance: &Allowance) -> Outcome<()> {
    run.remove(SPONSOR, &keys::allowance(grantee.as_str(), granter.as_str()))?;
    run.remove(SPONSOR, &keys::given(granter.as_str(), grantee.as_str()))?;
    if let Some(end) = allowance.expires() {
        run.remove(SPONSOR, &keys::expiry(end, grantee.as_str(), granter.as_str()))?;
    }
    run.emit(said("revoke_feegrant", granter, grantee));
    Ok(())
}

fn said(kind: &'static str, granter: &Address, grantee: &Address) -> Event {
    Event::new(kind).with("granter", granter.as_str()).with("grantee", grantee.as_str())
}
