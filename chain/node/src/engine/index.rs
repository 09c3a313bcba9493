//! Where a transaction is, by hash and by its events; the same for blocks.
//!
//! An index entry's key is `len ‖ key ‖ len ‖ value ‖ height ‖ position`, so that an exact condition is one range and
//! any other condition scans the values of its key. As in CometBFT only attributes that ask for it are indexed, and a
//! search returns what satisfies all conditions; unlike there, one search looks at a bounded number of entries.

use std::collections::BTreeSet;

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use tendermint::{abci::Event, v0_38::abci::response};

use super::{
    header::tx_hash,
    store::{Store, StoreError},
};
use crate::rpc::query_grammar::{Condition, Operator, Query};

/// Height and position in the block.
pub(crate) type Place = (u64, u32);

/// Transaction hash → place.
const TXS: TableDefinition<'_, &[u8], Place> = TableDefinition::new("txs");
/// Place → transaction hash.
const PLACES: TableDefinition<'_, Place, &[u8]> = TableDefinition::new("places");
const TX_EVENTS: TableDefinition<'_, &[u8], ()> = TableDefinition::new("tx_events");
const BLOCK_EVENTS: TableDefinition<'_, &[u8], ()> = TableDefinition::new("block_events");

/// Entries that one search may look at.
const SCAN_MAX: usize = 1_000_000;
/// Longest value that is indexed; a longer one is found by no condition.
const VALUE_MAX: usize = 1024;
/// Longest key that is indexed.
const KEY_MAX: usize = 256;

/// Creates the tables.
pub(super) fn create(txn: &WriteTransaction) -> Result<(), redb::Error> {
    txn.open_table(TXS)?;
    txn.open_table(PLACES)?;
    txn.open_table(TX_EVENTS)?;
    txn.open_table(BLOCK_EVENTS)?;
    Ok(())
}

/// Enters one block.
pub(super) fn write(
    txn: &WriteTransaction,
    height: u64,
    txs: &[Vec<u8>],
    results: &response::FinalizeBlock,
) -> Result<(), redb::Error> {
    let mut hashes = txn.open_table(TXS)?;
    let mut places = txn.open_table(PLACES)?;
    let mut tx_events = txn.open_table(TX_EVENTS)?;
    let mut block_events = txn.open_table(BLOCK_EVENTS)?;
    for (index, (tx, result)) in (0u32..).zip(txs.iter().zip(&results.tx_results)) {
        let (hash, place) = (tx_hash(tx), (height, index));
        // The same bytes can fail in one block after they succeeded in an earlier one; the success is what counts.
        if result.code.is_ok() || hashes.get(hash.as_slice())?.is_none() {
            hashes.insert(hash.as_slice(), place)?;
        }
        places.insert(place, hash.as_slice())?;
        for (key, value) in indexed(&result.events) {
            tx_events.insert(entry(&key, value, place).as_slice(), ())?;
        }
    }
    for (key, value) in indexed(&results.events) {
        block_events.insert(entry(&key, value, (height, 0)).as_slice(), ())?;
    }
    Ok(())
}

/// Takes one block out, given the hashes of its transactions.
pub(super) fn remove(
    txn: &WriteTransaction,
    height: u64,
    hashes: Vec<Vec<u8>>,
    results: &response::FinalizeBlock,
) -> Result<(), redb::Error> {
    let mut table = txn.open_table(TXS)?;
    let mut places = txn.open_table(PLACES)?;
    let mut tx_events = txn.open_table(TX_EVENTS)?;
    let mut block_events = txn.open_table(BLOCK_EVENTS)?;
    let mut orphans = BTreeSet::new();
    for (index, (hash, result)) in (0u32..).zip(hashes.into_iter().zip(&results.tx_results)) {
        let place = (height, index);
        places.remove(place)?;
        for (key, value) in indexed(&result.events) {
            tx_events.remove(entry(&key, value, place).as_slice())?;
        }
        if table.get(hash.as_slice())?.is_some_and(|found| found.value() == place) {
            table.remove(hash.as_slice())?;
            orphans.insert(hash);
        }
    }
    for (key, value) in indexed(&results.events) {
        block_events.remove(entry(&key, value, (height, 0)).as_slice())?;
    }
    // The same bytes may stand in another block, where they failed.
    if !orphans.is_empty() {
        for row in places.iter()? {
            let (place, hash) = row?;
            if orphans.remove(hash.value()) {
                table.insert(hash.value(), place.value())?;
            }
        }
    }
    Ok(())
}

/// The attributes to be indexed, as `type.key` and value.
fn indexed(events: &[Event]) -> impl Iterator<Item = (String, &str)> {
    events.iter().flat_map(|event| {
        event.attributes.iter().filter(|attribute| attribute.index()).filter_map(|attribute| {
            let (key, value) = (attribute.key_str().ok()?, attribute.value_str().ok()?);
            let key = format!("{}.{key}", event.kind);
            (key.len() <= KEY_MAX && value.len() <= VALUE_MAX).then_some((key, value))
        })
    })
}

/// `len ‖ key`: where the entries of a key begin. Lengths are two bytes, which [`KEY_MAX`] and [`VALUE_MAX`] fit.
fn key_prefix(key: &str) -> Vec<u8> {
    let mut bytes = length(key);
    bytes.extend_from_slice(key.as_bytes());
    bytes
}

fn value_prefix(key: &str, value: &str) -> Vec<u8> {
    let mut bytes = key_prefix(key);
    bytes.extend(length(value));
    bytes.extend_from_slice(value.as_bytes());
    bytes
}

fn entry(key: &str, value: &str, (height, index): Place) -> Vec<u8> {
    let mut bytes = value_prefix(key, value);
    bytes.extend(height.to_be_bytes());
    bytes.extend(index.to_be_bytes());
    bytes
}

fn length(text: &str) -> Vec<u8> {
    u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec()
}

/// Value and place of an entry, given the length of its key's prefix.
fn parse(entry: &[u8], prefix: usize) -> Option<(&str, Place)> {
    let rest = entry.get(prefix + 2..)?;
    let (value, place) = rest.split_at_checked(rest.len().checked_sub(12)?)?;
    let (height, index) = place.split_at_checked(8)?;
    let place = (u64::from_be_bytes(height.try_into().ok()?), u32::from_be_bytes(index.try_into().ok()?));
    Some((std::str::from_utf8(value).ok()?, place))
}

impl Store {
    /// Where the transaction with this hash is.
    pub(crate) fn tx(&self, hash: &[u8]) -> Result<Option<Place>, StoreError> {
        let txn = self.begin_read()?;
        let table = txn.open_table(TXS).map_err(|e| self.fail(e))?;
        let place = table.get(hash).map_err(|e| self.fail(e))?.map(|place| place.value());
        Ok(place.filter(|(height, _)| self.is_visible(*height)))
    }

    /// The transactions that a query names, in the order of the chain.
    pub(crate) fn search_txs(&self, query: &Query) -> Result<BTreeSet<Place>, StoreError> {
        let mut budget = SCAN_MAX;
        let mut found: Option<BTreeSet<Place>> = None;
        for condition in query.conditions() {
            let set = match condition.key() {
                "tx.hash" => self.by_hash(condition)?,
                "tx.height" => continue,
                _ => self.scan(TX_EVENTS, condition, &mut budget)?,
            };
            found = Some(intersect(found, set));
        }
        let of_height = |(height, _): &Place| query.height_matches("tx.height", *height) && self.is_visible(*height);
        if let Some(mut found) = found {
            found.retain(of_height);
            return Ok(found);
        }
        let txn = self.begin_read()?;
        let table = txn.open_table(PLACES).map_err(|e| self.fail(e))?;
        let (first, last) = query.height_bounds("tx.height");
        let mut all = BTreeSet::new();
        for row in table.range((first, 0)..=(last, u32::MAX)).map_err(|e| self.fail(e))? {
            spend(&mut budget)?;
            let place = row.map_err(|e| self.fail(e))?.0.value();
            if of_height(&place) {
                all.insert(place);
            }
        }
        Ok(all)
    }

    /// The heights of the blocks that a query names, ascending.
    pub(crate) fn search_blocks(&self, query: &Query) -> Result<BTreeSet<u64>, StoreError> {
        let mut budget = SCAN_MAX;
        let mut found: Option<BTreeSet<Place>> = None;
        for condition in query.conditions() {
            if condition.key() != "block.height" {
                let set = self.scan(BLOCK_EVENTS, condition, &mut budget)?;
                found = Some(intersect(found, set));
            }
        }
        let of_height = |height: &u64| query.height_matches("block.height", *height) && self.is_visible(*height);
        if let Some(found) = found {
            return Ok(found.into_iter().map(|(height, _)| height).filter(of_height).collect());
        }
        let (first, last) = query.height_bounds("block.height");
        let mut all = BTreeSet::new();
        for height in first.max(1)..=last.min(self.height()) {
            spend(&mut budget)?;
            if of_height(&height) {
                all.insert(height);
            }
        }
        Ok(all)
    }

    fn by_hash(&self, condition: &Condition) -> Result<BTreeSet<Place>, StoreError> {
        let hash = match condition.exact_text() {
            Some(text) => hex::decode(text).unwrap_or_default(),
            None => return Ok(BTreeSet::new()),
        };
        Ok(self.tx(&hash)?.into_iter().collect())
    }

    fn scan(
        &self,
        definition: TableDefinition<'_, &'static [u8], ()>,
        condition: &Condition,
        budget: &mut usize,
    ) -> Result<BTreeSet<Place>, StoreError> {
        let prefix = key_prefix(condition.key());
        let start = match (condition.operator(), condition.exact_text()) {
            (Operator::Equal, Some(text)) => value_prefix(condition.key(), text),
            _ => prefix.clone(),
        };
        let txn = self.begin_read()?;
        let table = txn.open_table(definition).map_err(|e| self.fail(e))?;
        let mut found = BTreeSet::new();
        for row in table.range(start.as_slice()..).map_err(|e| self.fail(e))? {
            spend(budget)?;
            let row = row.map_err(|e| self.fail(e))?;
            let key = row.0.value();
            if !key.starts_with(&start) {
                break;
            }
            if let Some((value, place)) = parse(key, prefix.len())
                && condition.matches_indexed(value)
            {
                found.insert(place);
            }
        }
        Ok(found)
    }
}

fn intersect(found: Option<BTreeSet<Place>>, set: BTreeSet<Place>) -> BTreeSet<Place> {
    match found {
        Some(found) => found.intersection(&set).copied().collect(),
        None => set,
    }
}

fn spend(budget: &mut usize) -> Result<(), StoreError> {
    *budget = budget.checked_sub(1).ok_or(StoreError::TooBroad(SCAN_MAX))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_back() {
        let bytes = entry("transfer.recipient", "aceso1x", (7, 3));
        assert_eq!(parse(&bytes, key_prefix("transfer.recipient").len()), Some(("aceso1x", (7, 3))));
        assert_eq!(parse(&bytes[..10], key_prefix("transfer.recipient").len()), None);
    }

    #[test]
    fn one_key_is_no_prefix_of_another() {
        let longer = entry("wasm.action", "x", (1, 0));
        assert!(!longer.starts_with(&key_prefix("wasm.act")));
        assert!(!entry("a.b", "xy", (1, 0)).starts_with(&value_prefix("a.b", "x")));
    }
}
