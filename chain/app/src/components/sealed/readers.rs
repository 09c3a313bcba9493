//! Readers' keys: one for each epoch of an account, each proven to be its holder's.

use aceso_types::{
    msg::{MsgRegisterReader, MsgRegisterReaderResponse},
    query::ReaderRow,
    sealed::reader_context,
};

use crate::{
    code::Code,
    components::{SEALED, sealed::keys},
    error::Outcome,
    event::Event,
    gas, grants,
    run::Run,
    store::{Read, Write},
};

/// A key by account and epoch.
pub(crate) fn get(state: &mut impl Read, account: &str, epoch: u64) -> Outcome<Option<ReaderRow>> {
    state.row(SEALED, &keys::reader(account, epoch))
}

/// The key that an account has registered last.
pub(crate) fn latest(state: &mut impl Read, account: &str) -> Outcome<Option<ReaderRow>> {
    match state.counter(SEALED, &keys::epochs(account))?.checked_sub(1) {
        Some(epoch) => get(state, account, epoch),
        None => Ok(None),
    }
}

/// The key that there must be, and into which something may still be wrapped that lasts until `until`.
pub(super) fn usable(state: &mut impl Read, account: &str, epoch: u64, until: u64) -> Outcome<ReaderRow> {
    let Some(row) = get(state, account, epoch)? else {
        return Err(Code::ReaderUnknown.because(format_args!("{account} has no key of epoch {epoch}")).into());
    };
    if row.expires < until {
        let words = format_args!("the key of {account} of epoch {epoch} ends at {}, before {until}", row.expires);
        return Err(Code::ReaderRefused.because(words).into());
    }
    Ok(row)
}

/// `MsgRegisterReader`.
pub(crate) fn register(run: &mut Run<'_>, msg: &MsgRegisterReader) -> Outcome<MsgRegisterReaderResponse> {
    run.meter.spend(gas::READER, "proof of a reader's key")?;
    let account = run.chain.address(&msg.account)?.to_string();
    let next = run.counter(SEALED, &keys::epochs(&account))?;
    if msg.epoch != next {
        let words = format_args!("epoch {} of {account}, and {next} is next", msg.epoch);
        return Err(Code::ReaderRefused.because(words).into());
    }
    let now = run.block.seconds();
    if msg.expires <= now {
        let words = format_args!("a key that ends at {}, and it is {now}", msg.expires);
        return Err(Code::ReaderRefused.because(words).into());
    }
    let context = reader_context(&run.chain.id, &account, msg.epoch, msg.expires);
    grants::check_possession(&msg.key, &context.0, &msg.possession).map_err(|e| Code::ProofRefused.because(e))?;
    let row = ReaderRow { account, epoch: msg.epoch, key: msg.key.clone(), expires: msg.expires };
    run.put(SEALED, keys::reader(&row.account, row.epoch), &row)?;
    run.count(SEALED, keys::epochs(&row.account))?;
    run.emit(
        Event::new("register_reader")
            .with("account", row.account)
            .with("epoch", row.epoch.to_string())
            .with("key", hex::encode(&row.key))
            .with("expires", row.expires.to_string()),
    );
    Ok(MsgRegisterReaderResponse {})
}
