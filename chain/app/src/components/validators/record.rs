//! What is known of a validator beside its power: who operates it, how it behaved. Records outlive membership.

use std::collections::BTreeSet;

use aceso_types::query::{MisbehaviorRow, ValidatorRow};

use aceso_state::Order;

use crate::{
    code::Code,
    components::{
        VALIDATORS,
        validators::{Table, conduct, decided, keys, table::address_of},
    },
    error::Outcome,
    store::{Part, Read, Write, decode},
};

/// Misbehavior that is shown of one validator.
const SHOWN_MAX: usize = 50;

/// A validator that is or was.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Record {
    /// The consensus key, ed25519.
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) key: Vec<u8>,
    /// The account that may register its attestation keys; empty for nobody.
    #[prost(string, tag = "2")]
    pub(crate) operator: String,
    /// A name for people.
    #[prost(string, tag = "3")]
    pub(crate) name: String,
    /// How many attestation keys it has registered: the epoch of the next one.
    #[prost(uint64, tag = "4")]
    pub(crate) epochs: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) misbehaviors: u64,
    #[prost(uint64, tag = "6")]
    pub(crate) downtimes: u64,
    /// Where it last missed too many votes; 0 for never.
    #[prost(uint64, tag = "7")]
    pub(crate) last_downtime: u64,
    /// How often the authority has said which power it has.
    #[prost(uint64, tag = "8")]
    pub(crate) weighed: u64,
}

/// The record of a validator, if there is one.
pub(super) fn get(state: &mut impl Read, key: &[u8]) -> Outcome<Option<Record>> {
    state.row(VALIDATORS, &keys::validator(key))
}

/// The record that there must be.
pub(super) fn need(state: &mut impl Read, key: &[u8]) -> Outcome<Record> {
    get(state, key)?.ok_or_else(|| Code::ValidatorUnknown.because(hex::encode(key)).into())
}

/// Makes a record where there is none yet.
pub(super) fn create(state: &mut impl Write, key: &[u8]) -> Outcome<()> {
    if get(state, key)?.is_some() {
        return Ok(());
    }
    state.set(VALIDATORS, keys::address(&address_of(key)), key.to_vec())?;
    put(state, &Record { key: key.to_vec(), ..Record::default() })
}

pub(super) fn put(state: &mut impl Write, record: &Record) -> Outcome<()> {
    state.put(VALIDATORS, keys::validator(&record.key), record)
}

/// The record of a validator by the address that CometBFT has for it.
pub(super) fn by_address(state: &mut impl Read, address: &[u8]) -> Outcome<Option<Record>> {
    match state.get(VALIDATORS, &keys::address(address))? {
        Some(key) => get(state, &key),
        None => Ok(None),
    }
}

/// The operators of validators that are decided and have an attestation key.
pub(crate) fn attesting(state: &mut impl Read) -> Outcome<BTreeSet<String>> {
    let mut operators = BTreeSet::new();
    for member in decided(state)?.members.iter().filter(|one| !one.bls_key.is_empty()) {
        operators.insert(need(state, &member.key)?.operator);
    }
    Ok(operators)
}

/// The part of the rows that holds all records; [`shown`] reads its entries.
pub(crate) fn record_rows() -> Vec<u8> {
    keys::validator(&[])
}

/// A record as queries show it, without its misbehavior.
pub(crate) fn shown(
    state: &mut impl Read,
    row: &(Vec<u8>, Vec<u8>),
    decided: &Table,
    signing: &Table,
) -> Outcome<ValidatorRow> {
    let record: Record = decode(VALIDATORS, &row.0, &row.1)?;
    let member = decided.find(&record.key);
    let missed = match member {
        Some(member) => conduct::missed(state, member.number)?,
        None => 0,
    };
    Ok(ValidatorRow {
        address: hex::encode_upper(address_of(&record.key)),
        power: member.map_or(0, |member| member.power),
        signing_power: signing.find(&record.key).map_or(0, |member| member.power),
        operator: record.operator,
        name: record.name,
        bls_key: member.map(|member| member.bls_key.clone()).unwrap_or_default(),
        next_epoch: record.epochs,
        missed,
        downtimes: record.downtimes,
        last_downtime: record.last_downtime,
        misbehaviors: record.misbehaviors,
        latest_misbehaviors: Vec::new(),
        consensus_key: record.key,
    })
}

/// One validator by its consensus key or its address, with its latest misbehavior.
pub(crate) fn shown_by_name(
    state: &mut impl Read,
    name: &[u8],
    decided: &Table,
    signing: &Table,
) -> Outcome<Option<ValidatorRow>> {
    let record = if name.len() == 20 { by_address(state, name)? } else { get(state, name)? };
    let Some(record) = record else { return Ok(None) };
    let row = (keys::validator(&record.key), prost::Message::encode_to_vec(&record));
    let mut shown = shown(state, &row, decided, signing)?;
    let part = Part { order: Order::Descending, ..Part::first(keys::misbehavior_of(&record.key), SHOWN_MAX) };
    for (key, row) in state.page(VALIDATORS, &part)? {
        shown.latest_misbehaviors.push(decode::<MisbehaviorRow>(VALIDATORS, &key, &row)?);
    }
    Ok(Some(shown))
}
