//! The authority changes parameters: those of the application and those of the engine.

use aceso_types::{
    genesis::Params,
    msg::{MsgUpdateParams, MsgUpdateParamsResponse},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    chain::{self, Consensus},
    code::{Code, Fault},
    components::{
        validators::{self, Table},
        wasm::access,
    },
    error::Outcome,
    event::Event,
    run::Run,
    tx::decode::TX_BYTES_MAX,
};

/// Least gas of a block: what a proposal of the authority and its execution need.
const BLOCK_GAS_MIN: i64 = 10_000_000;
/// Least bytes of a block: room for an attestation item and for transactions.
const BLOCK_BYTES_MIN: u64 = 256 << 10;

/// `MsgUpdateParams`. The changes hold from the next block on.
pub(crate) fn update_msg(run: &mut Run<'_>, msg: &MsgUpdateParams) -> Outcome<MsgUpdateParamsResponse> {
    run.chain.need_authority(&msg.authority)?;
    let mut event = Event::new("update_params");
    let (old, engine) = (chain::params(run)?, chain::consensus(run)?);
    let mut params: Params = merged(&old, &msg.params, &mut event)?;
    access::check(&mut params, &run.chain.prefix)?;
    params.check().map_err(|reason| Code::ParamsRefused.because(reason))?;
    validators::check_spread(&params, &Table::default(), &validators::decided(run)?)?;
    let consensus: Consensus = merged(&engine, &msg.consensus, &mut event)?;
    if consensus != engine {
        check(&engine, &consensus)?;
    }
    chain::put_params(run, &params)?;
    chain::put_consensus(run, &consensus)?;
    run.emit(event);
    Ok(MsgUpdateParamsResponse {})
}

/// A row with some of its fields changed. Fields that it does not have are refused by name.
fn merged<T: Serialize + DeserializeOwned>(old: &T, changes: &[u8], event: &mut Event) -> Result<T, Fault> {
    let refuse = |what: String| Code::ParamsRefused.because(what);
    let mut row = serde_json::to_value(old).map_err(|e| refuse(e.to_string()))?;
    if !changes.is_empty() {
        let changes = serde_json::from_slice(changes).map_err(|e| refuse(format!("the changes do not decode: {e}")))?;
        let (Value::Object(changes), Some(row)) = (changes, row.as_object_mut()) else {
            return Err(refuse("the changes are no JSON object".into()));
        };
        for (name, value) in changes {
            event.attributes.push((name.chars().take(64).collect(), value.to_string().chars().take(64).collect()));
            if row.insert(name.clone(), value).is_none() {
                let name: String = name.chars().take(64).collect();
                return Err(refuse(format!("there is no parameter {name:?}")));
            }
        }
    }
    serde_json::from_value(row).map_err(|e| refuse(e.to_string()))
}

/// What the engine would stop at, and what nobody could go on with (CometBFT `types/params.go`).
fn check(old: &Consensus, new: &Consensus) -> Result<(), Fault> {
    let refuse = |what: String| Err(Code::ParamsRefused.because(what));
    let Consensus { block_bytes, block_gas, evidence_age_blocks, evidence_age_seconds, evidence_bytes, .. } = *new;
    if !(BLOCK_BYTES_MIN..=TX_BYTES_MAX as u64).contains(&block_bytes) {
        return refuse(format!("block_bytes is {block_bytes}, not {BLOCK_BYTES_MIN} to {TX_BYTES_MAX}"));
    }
    if block_gas != -1 && block_gas < BLOCK_GAS_MIN {
        return refuse(format!("block_gas is {block_gas}, not -1 or at least {BLOCK_GAS_MIN}"));
    }
    if evidence_age_blocks == 0 || i64::try_from(evidence_age_blocks).is_err() {
        return refuse(format!("evidence_age_blocks is {evidence_age_blocks}, not a positive number"));
    }
    // The engine counts nanoseconds in a signed number.
    let seconds_max = i64::MAX as u64 / 1_000_000_000;
    if !(1..=seconds_max).contains(&evidence_age_seconds) {
        return refuse(format!("evidence_age_seconds is {evidence_age_seconds}, not 1 to {seconds_max}"));
    }
    let bytes_max = i64::try_from(block_bytes).unwrap_or(i64::MAX);
    if !(0..=bytes_max).contains(&evidence_bytes) {
        return refuse(format!("evidence_bytes is {evidence_bytes}, not 0 to block_bytes, {bytes_max}"));
    }
    if old.extensions_from != new.extensions_from {
        return refuse("extensions_from is settled in genesis".into());
    }
    Ok(())
}
