//! How validators behave: evidence of misbehavior, votes that they miss, and wrong outcomes that they signed as members
//! of committees, which `components/sealed` records. Each is recorded; each may cut power by the parameters. A cut leaves at
//! least 1: only the authority removes a validator, and it may well stop short of what the power spread asks of the
//! authority's own changes. What was cut for a word that turns out to be true is given back.
//!
//! Missed votes are a bit for each of the latest `downtime_window` blocks. Only validators that missed one of them have
//! a row, and a row is written only when a bit of it changes, so a block does no more work than it has absent voters and
//! validators that were absent lately. Downtime starts the count anew.

use std::collections::{BTreeMap, BTreeSet};

use aceso_types::{
    genesis::{Params, WHOLE_BPS},
    query::MisbehaviorRow,
};
use tendermint::abci::types::{CommitInfo, Misbehavior, MisbehaviorKind};

use crate::{
    components::{
        VALIDATORS,
        validators::{
            TABLE_MAX, Table,
            change::POWER_TOTAL_MAX,
            decided, keys, record,
            table::{address_of, put_decided},
        },
    },
    error::Outcome,
    event::Event,
    store::{Part, Read, Write, damaged, decode},
};

/// The latest blocks that a validator did not vote for.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Missed {
    /// For how many blocks there are bits.
    #[prost(uint64, tag = "1")]
    window: u64,
    /// The block of height h has bit h modulo the window, lowest bit of the first byte first.
    #[prost(bytes = "vec", tag = "2")]
    bits: Vec<u8>,
    /// How many bits are set.
    #[prost(uint64, tag = "3")]
    count: u64,
}

impl Missed {
    fn new(window: u64) -> Self {
        Self { window, bits: vec![0; usize::try_from(window.div_ceil(8)).unwrap_or_default()], count: 0 }
    }

    /// Notes a block; answers whether that changed anything.
    fn note(&mut self, height: u64, missed: bool) -> bool {
        let at = height.checked_rem(self.window).unwrap_or_default();
        let (byte, bit) = (usize::try_from(at / 8).unwrap_or(usize::MAX), 1_u8 << (at % 8));
        let Some(byte) = self.bits.get_mut(byte) else { return false };
        if (*byte & bit != 0) == missed {
            return false;
        }
        *byte ^= bit;
        self.count = if missed { self.count.saturating_add(1) } else { self.count.saturating_sub(1) };
        true
    }
}

/// How many of the blocks that are counted a validator missed.
pub(super) fn missed(state: &mut impl Read, number: u32) -> Outcome<u64> {
    Ok(state.row::<Missed>(VALIDATORS, &keys::missed(number))?.map_or(0, |row| row.count))
}

/// What block `height` says of validators, before its transactions.
pub(crate) fn begin_block(
    state: &mut impl Write,
    params: &Params,
    height: u64,
    last_commit: &CommitInfo,
    misbehavior: &[Misbehavior],
) -> Outcome<Vec<Event>> {
    let before = decided(state)?;
    let mut table = before.clone();
    let mut events = Vec::new();
    for proven in misbehavior {
        events.extend(punish(state, params, height, proven, &mut table)?);
    }
    if !last_commit.votes.is_empty() {
        count(state, params, height, last_commit, &mut table, &mut events)?;
    }
    if table != before {
        put_decided(state, &table)?;
    }
    Ok(events)
}

/// Records one piece of evidence, once.
fn punish(
    state: &mut impl Write,
    params: &Params,
    seen: u64,
    proven: &Misbehavior,
    table: &mut Table,
) -> Outcome<Option<Event>> {
    let kind = match proven.kind {
        MisbehaviorKind::DuplicateVote => "duplicate_vote",
        MisbehaviorKind::LightClientAttack => "light_client_attack",
        MisbehaviorKind::Unknown => "unknown",
    };
    let Some(mut known) = record::by_address(state, &proven.validator.address)? else { return Ok(None) };
    let height = proven.height.value();
    let key = keys::misbehavior(&known.key, height, kind);
    if state.get(VALIDATORS, &key)?.is_some() {
        return Ok(None);
    }
    let cut = cut(table, &known.key, params.misbehavior_power_cut_bps);
    let row = MisbehaviorRow { kind: kind.into(), height, seen, power: proven.validator.power.value(), cut };
    state.put(VALIDATORS, key, &row)?;
    known.misbehaviors = known.misbehaviors.saturating_add(1);
    record::put(state, &known)?;
    let event = Event::new("misbehavior")
        .with("validator", hex::encode(&known.key))
        .with("kind", kind)
        .with("height", height.to_string())
        .with("power_cut", cut.to_string());
    Ok(Some(event))
}

/// Counts who did not vote for the block before this one.
fn count(
    state: &mut impl Write,
    params: &Params,
    height: u64,
    last_commit: &CommitInfo,
    table: &mut Table,
    events: &mut Vec<Event>,
) -> Outcome<()> {
    let (window, voted) = (params.downtime_window, height.saturating_sub(1));
    let mut rows: BTreeMap<u32, Missed> = BTreeMap::new();
    for (key, row) in state.page(VALIDATORS, &Part::first(keys::all_missed(), TABLE_MAX))? {
        let number = keys::number_of(&key).ok_or_else(|| damaged(VALIDATORS, &key))?;
        let row: Missed = decode(VALIDATORS, &key, &row)?;
        // Another window makes other bits: the count begins anew.
        if row.window == window {
            rows.insert(number, row);
        } else {
            state.remove(VALIDATORS, &key)?;
        }
    }
    if window == 0 {
        return Ok(());
    }
    let absent: BTreeSet<[u8; 20]> =
        last_commit.votes.iter().filter(|vote| !vote.sig_info.is_signed()).map(|vote| vote.validator.address).collect();
    if absent.is_empty() && rows.is_empty() {
        return Ok(());
    }
    let absent: BTreeMap<u32, Vec<u8>> = table
        .members
        .iter()
        .filter(|member| absent.contains(&address_of(&member.key)))
        .map(|member| (member.number, member.key.clone()))
        .collect();
    let numbers: BTreeSet<u32> = rows.keys().chain(absent.keys()).copied().collect();
    for number in numbers {
        let missing = absent.get(&number);
        let mut row = rows.remove(&number).unwrap_or_else(|| Missed::new(window));
        if !row.note(voted, missing.is_some()) {
            continue;
        }
        match missing {
            Some(key) if row.count > params.downtime_missed_max => {
                state.remove(VALIDATORS, &keys::missed(number))?;
                events.push(down(state, params, height, key, row.count, table)?);
            }
            _ if row.count == 0 => state.remove(VALIDATORS, &keys::missed(number))?,
            _ => state.put(VALIDATORS, keys::missed(number), &row)?,
        }
    }
    Ok(())
}

/// Records that a validator missed too many votes.
fn down(
    state: &mut impl Write,
    params: &Params,
    height: u64,
    key: &[u8],
    missed: u64,
    table: &mut Table,
) -> Outcome<Event> {
    let cut = cut(table, key, params.downtime_power_cut_bps);
    let mut known = record::need(state, key)?;
    known.downtimes = known.downtimes.saturating_add(1);
    known.last_downtime = height;
    record::put(state, &known)?;
    Ok(Event::new("downtime")
        .with("validator", hex::encode(key))
        .with("missed", missed.to_string())
        .with("window", params.downtime_window.to_string())
        .with("power_cut", cut.to_string()))
}

/// What a wrong outcome has cost a member, and how often the authority had weighed it by then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) power: u64,
    pub(crate) weighed: u64,
}

/// Cuts the power of a member that was wrong, if the parameters say so and it is a validator still.
pub(crate) fn was_wrong(state: &mut impl Write, params: &Params, number: u32) -> Outcome<Option<(Cost, Event)>> {
    let mut table = decided(state)?;
    let key = table.members.iter().find(|member| member.number == number).map(|member| member.key.clone());
    let Some(key) = key else { return Ok(None) };
    let power = cut(&mut table, &key, params.sealed_wrong_power_cut_bps);
    if power == 0 {
        return Ok(None);
    }
    put_decided(state, &table)?;
    let cost = Cost { power, weighed: record::need(state, &key)?.weighed };
    let event = Event::new("wrong_outcome").with("validator", hex::encode(&key));
    Ok(Some((cost, event.with("power_cut", power.to_string()))))
}

/// Gives a member that was right after all the power back that it was cut by: that much, whatever else was cut since. Not
/// where the authority has weighed it since: what the authority says is what it wants, and it knew of the cut.
pub(crate) fn was_right(state: &mut impl Write, number: u32, cost: Cost) -> Outcome<Option<Event>> {
    let mut table = decided(state)?;
    let room = POWER_TOTAL_MAX.saturating_sub(table.total());
    let Some(member) = table.members.iter_mut().find(|member| member.number == number) else { return Ok(None) };
    let key = member.key.clone();
    // Others may have been added meanwhile, so that all of it would be more than the engine can count.
    let power = cost.power.min(room);
    if power == 0 || record::need(state, &key)?.weighed != cost.weighed {
        return Ok(None);
    }
    member.power = member.power.saturating_add(power);
    put_decided(state, &table)?;
    let event = Event::new("right_outcome").with("validator", hex::encode(&key));
    Ok(Some(event.with("power_back", power.to_string())))
}

/// Cuts a validator's power, if it is still one, and answers by how much.
fn cut(table: &mut Table, key: &[u8], bps: u64) -> u64 {
    let Some(member) = table.find_mut(key) else { return 0 };
    let share = u128::from(member.power) * u128::from(bps) / u128::from(WHOLE_BPS);
    let cut = u64::try_from(share).unwrap_or(u64::MAX).min(member.power.saturating_sub(1));
    member.power -= cut;
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::validators::Validator;

    #[test]
    fn a_window_counts_its_latest_blocks() {
        let mut row = Missed::new(10);
        assert!((0..5).all(|height| row.note(height, true)));
        assert!((5..10).all(|height| !row.note(height, false)));
        assert_eq!(row.count, 5);
        // The same places again: what was missed there ten blocks ago counts no more.
        assert!(row.note(10, false) && !row.note(11, true) && row.note(17, true));
        assert_eq!((row.count, row.bits), (5, vec![0b1001_1110, 0]));
        assert!(!Missed::new(0).note(3, true));
    }

    #[test]
    fn a_cut_leaves_a_validator_in_the_table() {
        let mut table =
            Table { members: vec![Validator { key: vec![1], power: 1_000, bls_key: vec![], number: 1, epoch: 0 }] };
        assert_eq!(cut(&mut table, &[1], 500), 50);
        assert_eq!(cut(&mut table, &[1], 10_000), 949);
        assert_eq!(cut(&mut table, &[1], 10_000), 0);
        assert_eq!((table.members[0].power, cut(&mut table, &[2], 500)), (1, 0));
    }
}
