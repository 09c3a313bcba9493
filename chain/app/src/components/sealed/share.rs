//! Shares of members that are no validators any more: in transactions, without a fee, until the deadline.
//!
//! What makes such a transaction free makes it rare: before it enters a mempool, the share is checked and laid down, and
//! a member lays one down for each job.

use aceso_types::{
    msg::{MsgSubmitShare, MsgSubmitShareResponse, Share},
    sealed::Outcome as Came,
};

use crate::{
    attest::{self, Signed},
    code::{Code, Fault},
    components::{
        SEALED,
        sealed::{keys, outcomes},
        validators,
    },
    error::Outcome,
    event::Event,
    gas,
    run::{Mode, Run},
    store::{Read, Write},
    tx::{decode::Tx, msg::Msg},
};

/// Most gas of a transaction that pays nothing: what a share of the largest outcome takes.
const FREE_GAS_MAX: u64 = 500_000;

/// Whether a transaction needs no fee.
pub(crate) fn is_free(tx: &Tx) -> bool {
    matches!(tx.msgs.as_slice(), [Msg::SubmitShare(_)]) && tx.gas_limit() <= FREE_GAS_MAX
}

/// Takes a transaction's share in, with its authentication.
pub(crate) fn take(run: &mut Run<'_>, tx: &Tx) -> Outcome<()> {
    match tx.msgs.as_slice() {
        [Msg::SubmitShare(msg)] => lay_down(run, msg),
        msgs if msgs.iter().any(|msg| matches!(msg, Msg::SubmitShare(_))) => {
            Err(Code::ShareRefused.because("a share comes in a transaction of its own").into())
        }
        _ => Ok(()),
    }
}

fn lay_down(run: &mut Run<'_>, msg: &MsgSubmitShare) -> Outcome<()> {
    let operator = run.chain.address(&msg.operator)?;
    let Some(share) = &msg.share else { return Err(Code::ShareRefused.because("there is none").into()) };
    let refuse = |what: String| -> Fault { Code::ShareRefused.because(format_args!("job {}: {what}", share.job)) };
    let (chain, height) = (run.chain.clone(), run.block.height.0);
    let Some((row, statement)) = outcomes::closable(run, &chain, height, share.job)? else {
        return Err(refuse("not open".into()).into());
    };
    let theirs = (0_u32..).zip(&row.members).filter(|(_, one)| one.operator == operator.as_str());
    let mut theirs: Vec<_> = theirs.collect();
    if theirs.is_empty() {
        return Err(refuse(format!("{operator} is no member")).into());
    }
    let decided = validators::decided(run)?;
    theirs.retain(|(_, one)| decided.members.iter().all(|each| each.number != one.number));
    if theirs.is_empty() {
        return Err(refuse(format!("{operator} is a validator, whose share comes with its vote")).into());
    }
    let outcome = Came::decode(&share.outcome).map_err(|e| refuse(e.to_string()))?;
    if !outcomes::is_answer(&row, &statement, &outcome) {
        return Err(refuse("the outcome is no answer to what was asked".into()).into());
    }
    let message = statement.sign_bytes(&outcome);
    for (place, member) in theirs {
        run.meter.spend(gas::SHARE, "share")?;
        let keys = vec![member.bls_key.clone()];
        let signed = Signed { keys, message, signature: share.signature.clone() };
        // As with signatures of accounts: what was checked when it came in is not checked again after each block.
        if run.mode != Mode::Recheck && attest::check_all(&[signed]).is_err() {
            continue;
        }
        let key = keys::share(share.job, place);
        if run.get(SEALED, &key)?.is_some() {
            return Err(refuse(format!("{operator} has submitted one already")).into());
        }
        return run.put(SEALED, key, share);
    }
    Err(refuse(format!("the signature is not that of {operator}'s key in the committee")).into())
}

/// `MsgSubmitShare`: it is laid down already.
pub(crate) fn submit(run: &mut Run<'_>, msg: &MsgSubmitShare) -> Outcome<MsgSubmitShareResponse> {
    let job = msg.share.as_ref().map_or(0, |Share { job, .. }| *job);
    run.emit(Event::new("submit_share").with("job", job.to_string()).with("operator", msg.operator.as_str()));
    Ok(MsgSubmitShareResponse {})
}
