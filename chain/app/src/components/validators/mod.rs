//! The validators: who may vote with which power, and with which key they attest.
//!
//! There is the table as the authority has made it so far ([`decided`]), and there is the one that signs a height
//! ([`signing`]). The engine hears of a change in the answer to block N, hashes the new set into header N + 1 and lets it
//! sign from N + 2 on. An attestation key needs no such delay: registered in block N it holds for votes of N + 1.
//! So the table that signs height h has the powers decided by block h − 2 and the attestation keys registered by h − 1.
//!
//! | what | checked with |
//! |---|---|
//! | votes of height h with their extensions | the table that signs h |
//! | the attestation item of block h, which adds up votes of h − 1 | the table that signs h − 1 |
//! | who vouches for an open read in block h (its receipt's committee) | the table that signs h |
//! | whether those who attested a blob still hold more than two thirds | the decided table, at once |
//! | whether a change keeps the power spread | the decided table |
//!
//! A table is sorted by consensus key, and its order is that of the bits in an attestation. Each validator has a number
//! that is never given again, so that what one attested is not taken for the word of one that comes back later.
//!
//! Nobody is removed but by the authority: evidence, downtime and wrong outcomes ([`conduct`]) are recorded and may cut
//! power.

mod attester;
mod change;
mod conduct;
mod keys;
mod record;
mod table;

pub(crate) use attester::register_msg;
pub(crate) use change::{check_spread, set_msg};
pub(crate) use conduct::{Cost, begin_block, was_right, was_wrong};
pub(crate) use record::{attesting, record_rows, shown, shown_by_name};
pub(crate) use table::{Table, Validator, decided, operators, signing};

use std::collections::BTreeMap;

use aceso_state::Order;
use aceso_types::genesis::{Attester, GenesisError, Params};
use tendermint::{PublicKey, validator::Update, vote};

use crate::{
    attest,
    components::VALIDATORS,
    error::{AppError, Outcome, Stop},
    store::{Part, Read, Write, damaged},
};

/// Most validators that a table holds.
const TABLE_MAX: usize = 1_000;

/// Writes the first table, in genesis; it signs from the first height on. Every attestation key must come with the
/// proof that its operator holds it.
pub(crate) fn found(
    state: &mut impl Write,
    height: u64,
    powers: &[(Vec<u8>, u64)],
    attesters: &[Attester],
    params: &Params,
    prefix: &str,
) -> Outcome<()> {
    let refuse = |reason: String| AppError::from(GenesisError::Field { field: "attesters", reason });
    let mut table = Table::default();
    for (key, power) in powers {
        let number = table::next_number(state)?;
        table.members.push(Validator { key: key.clone(), power: *power, bls_key: Vec::new(), number, epoch: 0 });
        record::create(state, key)?;
    }
    table.members.sort_by(|a, b| a.key.cmp(&b.key));
    for one in attesters {
        let name = hex::encode(&one.consensus_key);
        let Some(slot) = table.members.iter_mut().find(|member| member.key == one.consensus_key) else {
            return Err(refuse(format!("{name} is no validator")).into());
        };
        attest::check_possession(&one.bls_key, &one.consensus_key, 0, &one.possession)
            .map_err(|e| refuse(format!("{name}: {e}")))?;
        slot.bls_key = one.bls_key.clone();
        attester::note(state, prefix, one).map_err(|stop| match stop {
            Stop::Refused(fault) => refuse(format!("{name}: {fault}")).into(),
            halt => halt,
        })?;
    }
    check_spread(params, &Table::default(), &table)
        .map_err(|fault| AppError::from(GenesisError::Field { field: "validators", reason: fault.text }))?;
    table::put_decided(state, &table)?;
    table::put_signing(state, height, &table)
}

/// Makes a table the one that signs from a first height on, where a state goes on with another chain's.
pub(crate) fn take_over(state: &mut impl Write, height: u64, table: &Table) -> Outcome<()> {
    forget_signing(state)?;
    table::put_signing(state, height, table)
}

/// Forgets which tables sign.
pub(crate) fn forget_signing(state: &mut impl Write) -> Outcome<()> {
    for (key, _) in state.page(VALIDATORS, &Part::first(keys::all_signing(), TABLE_MAX))? {
        state.remove(VALIDATORS, &key)?;
    }
    Ok(())
}

/// A table as a genesis file has it.
pub(crate) fn infos(table: &Table) -> Outcome<Vec<tendermint::validator::Info>> {
    let info = |member: &Validator| {
        let wrong = || damaged(VALIDATORS, &keys::validator(&member.key));
        let key = PublicKey::from_raw_ed25519(&member.key).ok_or_else(wrong)?;
        let power = vote::Power::try_from(member.power).map_err(|_| wrong())?;
        Ok(tendermint::validator::Info::new(key, power))
    };
    table.members.iter().map(info).collect()
}

/// What a block has changed about validators.
pub(crate) struct Changed {
    /// For the engine.
    pub(crate) updates: Vec<Update>,
    /// Whether those who attested blobs may hold another share of the power.
    pub(crate) shares: bool,
    /// Whether anything of the decided table is another than it was at the end of the block before.
    pub(crate) table: bool,
}

/// Settles after a block's transactions which tables sign from the next heights on.
pub(crate) fn end_block(state: &mut impl Write, height: u64) -> Outcome<Changed> {
    let decided = decided(state)?;
    let next = signing(state, height + 1)?;
    let known: BTreeMap<&[u8], &Validator> = decided.members.iter().map(|one| (&one.key[..], one)).collect();
    let mut keyed = next.clone();
    for member in &mut keyed.members {
        if let Some(known) = known.get(&member.key[..]) {
            (member.bls_key, member.epoch) = (known.bls_key.clone(), known.epoch);
        }
    }
    if keyed != next {
        table::put_signing(state, height + 1, &keyed)?;
    }
    if decided != keyed {
        table::put_signing(state, height + 2, &decided)?;
    }
    forget(state, height)?;
    let numbers = |table: &Table| table.members.iter().map(|one| (one.number, one.power)).collect::<Vec<_>>();
    let table = decided != next;
    Ok(Changed { updates: updates(&next, &decided)?, shares: numbers(&next) != numbers(&decided), table })
}

/// Forgets tables that sign no height that the next block looks at.
fn forget(state: &mut impl Write, height: u64) -> Outcome<()> {
    let rows = state.page(VALIDATORS, &Part::first(keys::all_signing(), 8))?;
    for pair in rows.windows(2) {
        let [(old, _), (new, _)] = pair else { continue };
        if keys::height_of(new).is_some_and(|from| from <= height) {
            state.remove(VALIDATORS, old)?;
        }
    }
    Ok(())
}

/// What the engine has to change to get from one table to another.
fn updates(from: &Table, to: &Table) -> Outcome<Vec<Update>> {
    let powers = |table: &Table| -> BTreeMap<Vec<u8>, u64> {
        table.members.iter().map(|one| (one.key.clone(), one.power)).collect()
    };
    let (from, mut to) = (powers(from), powers(to));
    for key in from.keys() {
        to.entry(key.clone()).or_insert(0);
    }
    let changed = to.into_iter().filter(|(key, power)| from.get(key) != Some(power));
    changed
        .map(|(key, power)| {
            // Checked when they came in.
            let wrong = || damaged(VALIDATORS, &keys::validator(&key));
            let pub_key = PublicKey::from_raw_ed25519(&key).ok_or_else(wrong)?;
            Ok(Update { pub_key, power: vote::Power::try_from(power).map_err(|_| wrong())? })
        })
        .collect()
}

/// The last row of a part at or before a key.
fn last_at(state: &mut impl Read, prefix: Vec<u8>, key: Vec<u8>) -> Outcome<Option<(Vec<u8>, Vec<u8>)>> {
    let part = Part { prefix, order: Order::Descending, after: None, from: Some(key), limit: 1 };
    Ok(state.page(VALIDATORS, &part)?.pop())
}
