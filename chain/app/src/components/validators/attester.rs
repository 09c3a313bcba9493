//! Attestation keys: registered by a validator's operator, one after the other.

use aceso_types::{
    genesis::Attester,
    msg::{MsgRegisterAttester, MsgRegisterAttesterResponse},
};

use crate::{
    address::Address,
    attest,
    code::Code,
    components::{
        VALIDATORS,
        validators::{decided, keys, record, table::put_decided},
    },
    error::Outcome,
    event::Event,
    gas,
    run::Run,
    store::Write,
};

/// `MsgRegisterAttester`.
pub(crate) fn register_msg(run: &mut Run<'_>, msg: &MsgRegisterAttester) -> Outcome<MsgRegisterAttesterResponse> {
    run.meter.spend(gas::POSSESSION, "proof of possession")?;
    let operator = run.chain.address(&msg.operator)?;
    let (key, name) = (&msg.consensus_key, hex::encode(msg.consensus_key.get(..32).unwrap_or_default()));
    let mut table = decided(run)?;
    let Some(member) = table.find_mut(key) else { return Err(Code::ValidatorUnknown.because(name).into()) };
    let mut known = record::need(run, key)?;
    if known.operator != operator.as_str() {
        let holder = if known.operator.is_empty() { "nobody" } else { &known.operator };
        let words = format_args!("{operator} asks, and validator {name} is operated by {holder}");
        return Err(Code::Unauthorized.because(words).into());
    }
    if msg.epoch != known.epochs {
        let words = format_args!("epoch {} of validator {name}, and {} is next", msg.epoch, known.epochs);
        return Err(Code::AttesterRefused.because(words).into());
    }
    attest::check_possession(&msg.bls_key, key, msg.epoch, &msg.possession)
        .map_err(|e| Code::AttesterRefused.because(format_args!("validator {name}: {e}")))?;
    own(run, &msg.bls_key, key)?;
    (member.bls_key, member.epoch) = (msg.bls_key.clone(), msg.epoch);
    put_decided(run, &table)?;
    known.epochs = known.epochs.saturating_add(1);
    record::put(run, &known)?;
    let event = Event::new("register_attester").with("validator", name).with("epoch", msg.epoch.to_string());
    run.emit(event.with("bls_key", hex::encode(&msg.bls_key)));
    Ok(MsgRegisterAttesterResponse { attests_from: run.block.height.0.saturating_add(1) })
}

/// A key is one validator's for ever: else power would be counted twice for one signature's maker.
fn own(state: &mut impl Write, bls_key: &[u8], key: &[u8]) -> Outcome<()> {
    match state.get(VALIDATORS, &keys::attester(bls_key))? {
        Some(owner) if owner != key => {
            let words = format_args!("{} is a key of validator {}", hex::encode(bls_key), hex::encode(&owner));
            Err(Code::AttesterRefused.because(words).into())
        }
        Some(_) => Ok(()),
        None => state.set(VALIDATORS, keys::attester(bls_key), key.to_vec()),
    }
}

/// Notes the key that a genesis names, its proof having been checked.
pub(super) fn note(state: &mut impl Write, prefix: &str, attester: &Attester) -> Outcome<()> {
    let mut known = record::need(state, &attester.consensus_key)?;
    own(state, &attester.bls_key, &attester.consensus_key)?;
    if !attester.operator.is_empty() {
        known.operator = Address::parse(&attester.operator, prefix)?.into();
    }
    known.name = attester.name.clone();
    known.epochs = known.epochs.max(1);
    record::put(state, &known)
}
