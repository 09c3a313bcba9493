//! Authorisations: what one account lets another send for it (SDK `x/authz`).
//!
//! Rows are the SDK's `Grant`, one for each granter, grantee and type of message. Who sends [`Exec`] has signed and pays;
//! the messages in it run as their granters', and what they take of a limit is written back first. Who counts as having
//! signed does not change by it: permits and requests ask for signatures of the transaction itself, and messages about
//! people's records are refused here by name ([`msg::refuse_in_person`]).

mod authorization;
mod contract;
mod keys;

use cosmos_sdk_proto::cosmos::authz::v1beta1::{Grant, MsgExecResponse, MsgGrant, MsgRevoke};
use tendermint::Time;
use tendermint_proto::google::protobuf::Timestamp;

use self::authorization::Left;
pub(crate) use self::{
    authorization::Authorization,
    contract::{ContractGrant, Filter, Limit},
};
use crate::{
    address::Address,
    code::{Code, Fault},
    components::{SPONSOR, accounts, bank, sponsor::unix_nanos},
    error::Outcome,
    event::Event,
    run::Run,
    store::{Part, Read, Write},
    tx::{
        dispatch,
        msg::{self, Exec, Msg},
    },
};

/// Most grants that one block sweeps. The SDK sweeps all, however many end together.
const SWEEP_MAX: usize = 200;

/// Prefixes of lists, for queries.
pub(crate) mod lists {
    pub(crate) use super::keys::{between, given_by, held_by, other};
}

/// A grant, if there is one.
pub(crate) fn get(state: &mut impl Read, granter: &str, grantee: &str, url: &str) -> Outcome<Option<Grant>> {
    state.row(SPONSOR, &keys::grant(granter, grantee, url))
}

/// Checks `MsgGrant` as far as it can be checked without the state.
pub(crate) fn check_grant(msg: &MsgGrant, prefix: &str) -> Result<(), Fault> {
    check_parties(&msg.granter, &msg.grantee, prefix)?;
    let grant = msg.grant.clone().unwrap_or_default();
    grant.expiration.as_ref().map(nanos).transpose()?;
    Authorization::decode(grant.authorization.as_ref())?.check(prefix)
}

/// The same for `MsgRevoke`.
pub(crate) fn check_revoke(msg: &MsgRevoke, prefix: &str) -> Result<(), Fault> {
    check_parties(&msg.granter, &msg.grantee, prefix)?;
    if msg.msg_type_url.is_empty() {
        return Err(Code::InvalidRequest.because("missing msg method name"));
    }
    Ok(())
}

/// The same for `MsgExec`, with all that is in it.
pub(crate) fn check_exec(msg: &Exec, prefix: &str) -> Result<(), Fault> {
    Address::parse(&msg.grantee, prefix).map_err(|fault| fault.within("invalid grantee address"))?;
    if msg.msgs.is_empty() {
        return Err(Code::InvalidRequest.because("messages cannot be empty"));
    }
    msg.msgs.iter().enumerate().try_for_each(|(index, msg)| {
        let checked = msg::refuse_in_person(msg.url()).and_then(|()| msg.check(prefix));
        checked.map_err(|fault| fault.within(format_args!("msg {index}")))
    })
}

fn check_parties(granter: &str, grantee: &str, prefix: &str) -> Result<(), Fault> {
    if granter.eq_ignore_ascii_case(grantee) {
        return Err(Code::GranteeIsGranter.plain());
    }
    Address::parse(grantee, prefix).map_err(|fault| fault.within("invalid grantee address"))?;
    Address::parse(granter, prefix).map_err(|fault| fault.within("invalid granter address"))?;
    Ok(())
}

/// `MsgGrant`: takes the place of a grant for the same messages.
pub(crate) fn grant_msg(run: &mut Run<'_>, msg: &MsgGrant) -> Outcome<()> {
    let chain = run.chain.clone();
    let (granter, grantee) = (chain.address(&msg.granter)?, chain.address(&msg.grantee)?);
    let (granter, name) = (granter.as_str(), grantee.as_str());
    let grant = msg.grant.clone().unwrap_or_default();
    let authorization = Authorization::decode(grant.authorization.as_ref())?;
    let url = authorization.url();
    let end = grant.expiration.as_ref().map(nanos).transpose()?;
    if let (Some(end), Some(time)) = (end, &grant.expiration)
        && end <= u128::from(run.block.nanos)
    {
        let now = Timestamp { seconds: i64::try_from(run.block.seconds()).unwrap_or(i64::MAX), nanos: 0 };
        let (now, end) = (date(&now), date(time));
        let words = format_args!("expiration must be after the current block time ({now}), got {end}");
        return Err(Code::InvalidExpiration.because(words).into());
    }
    bank::refuse_modules(run, &grantee)?;
    accounts::ensure(run, &grantee)?;
    let old = get(run, granter, name, url)?.and_then(|old| expires(&old)).filter(|old| Some(*old) != end);
    if let Some(old) = old {
        run.remove(SPONSOR, &keys::expiry(old, granter, name, url))?;
    }
    if let Some(end) = end {
        run.set(SPONSOR, keys::expiry(end, granter, name, url), b"1".to_vec())?;
    }
    run.set(SPONSOR, keys::held(name, granter, url), b"1".to_vec())?;
    run.put(SPONSOR, keys::grant(granter, name, url), &grant)?;
    run.emit(said("Grant", url, granter, name));
    Ok(())
}

/// `MsgRevoke`.
pub(crate) fn revoke_msg(run: &mut Run<'_>, msg: &MsgRevoke) -> Outcome<()> {
    let chain = run.chain.clone();
    let (granter, grantee) = (chain.address(&msg.granter)?, chain.address(&msg.grantee)?);
    match get(run, granter.as_str(), grantee.as_str(), &msg.msg_type_url)? {
        Some(grant) => remove(run, &granter, &grantee, &msg.msg_type_url, &grant),
        None => {
            let url: String = msg.msg_type_url.chars().take(128).collect();
            let words = format_args!("failed to delete grant of {granter} to {grantee} for {url:?}");
            Err(Code::NoAuthorization.because(words).into())
        }
    }
}

/// `MsgExec`: all of its messages or none. A message of the grantee's own needs no grant.
pub(crate) fn exec_msg(run: &mut Run<'_>, exec: &Exec) -> Outcome<MsgExecResponse> {
    let chain = run.chain.clone();
    let grantee = chain.address(&exec.grantee)?;
    // Each of them may be inside another, so they share the contracts' bound on how deep that goes.
    run.deeper(|run| {
        let mut results = Vec::with_capacity(exec.msgs.len());
        for (index, msg) in exec.msgs.iter().enumerate() {
            let granter = chain.address(msg.signer())?;
            if granter != grantee {
                take(run, &granter, &grantee, msg)?;
            }
            let first = run.events.len();
            let response = dispatch::one(run, msg)
                .map_err(|stop| stop.within(format_args!("failed to execute message; message {}", msg.url())))?;
            for event in run.events.iter_mut().skip(first) {
                event.attributes.push(("authz_msg_index".into(), index.to_string()));
            }
            results.push(response.value);
        }
        Ok(MsgExecResponse { results })
    })
}

/// Takes a message off what its granter has allowed the grantee, or says why it is not allowed.
fn take(run: &mut Run<'_>, granter: &Address, grantee: &Address, msg: &Msg) -> Outcome<()> {
    let url = msg.url();
    let Some(grant) = get(run, granter.as_str(), grantee.as_str(), url)? else {
        let words =
            format_args!("failed to get grant with given granter: {granter}, grantee: {grantee} & msgType: {url} ");
        return Err(Code::NoAuthorization.because(words).into());
    };
    if expires(&grant).is_some_and(|end| end < u128::from(run.block.nanos)) {
        return Err(Code::AuthorizationExpired.plain().into());
    }
    match Authorization::decode(grant.authorization.as_ref())?.accept(run, msg)? {
        Left::Same => Ok(()),
        Left::Nothing => remove(run, granter, grantee, url, &grant),
        Left::Less(left) => {
            let key = keys::grant(granter.as_str(), grantee.as_str(), url);
            run.put(SPONSOR, key, &Grant { authorization: Some(left.encode()), ..grant })
        }
    }
}

fn remove(run: &mut Run<'_>, granter: &Address, grantee: &Address, url: &str, grant: &Grant) -> Outcome<()> {
    let (granter, grantee) = (granter.as_str(), grantee.as_str());
    if let Some(end) = expires(grant) {
        run.remove(SPONSOR, &keys::expiry(end, granter, grantee, url))?;
    }
    run.remove(SPONSOR, &keys::held(grantee, granter, url))?;
    run.remove(SPONSOR, &keys::grant(granter, grantee, url))?;
    run.emit(said("Revoke", url, granter, grantee));
    Ok(())
}

/// Sweeps grants that are over, before a block's transactions.
pub(crate) fn begin_block(state: &mut impl Write, now: u64) -> Outcome<()> {
    for (key, _) in state.page(SPONSOR, &Part::first(keys::expiries(), SWEEP_MAX))? {
        let Some((end, granter, grantee, url)) = keys::expired(&key) else { continue };
        if end >= u128::from(now) {
            break;
        }
        state.remove(SPONSOR, &keys::grant(granter, grantee, url))?;
        state.remove(SPONSOR, &keys::held(grantee, granter, url))?;
        state.remove(SPONSOR, &key)?;
    }
    Ok(())
}

/// The nanosecond of Unix time after which a grant no longer holds; none for never.
fn expires(grant: &Grant) -> Option<u128> {
    grant.expiration.as_ref().and_then(|time| nanos(time).ok())
}

/// Nanoseconds of Unix time; what lies before it is over in any case.
fn nanos(time: &Timestamp) -> Result<u128, Fault> {
    let words = format_args!("no time: {}s {}ns", time.seconds, time.nanos);
    let nanos = unix_nanos(time).ok_or_else(|| Code::InvalidExpiration.because(words))?;
    Ok(u128::try_from(nanos).unwrap_or(0))
}

/// A time as the SDK's sentence has it, to the second.
fn date(time: &Timestamp) -> String {
    Time::from_unix_timestamp(time.seconds, 0).map_or_else(|_| time.seconds.to_string(), |time| time.to_rfc3339())
}

/// A typed event of the SDK's: its values are JSON.
fn said(kind: &str, url: &str, granter: &str, grantee: &str) -> Event {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    Event::new(format!("cosmos.authz.v1beta1.Event{kind}"))
        .with("grantee", quoted(grantee))
        .with("granter", quoted(granter))
        .with("msg_type_url", quoted(url))
}
