//! `env.db_*`: the contract's own storage.

use super::declare;
use crate::limits::{DB_KEY_MAX, DB_VALUE_MAX, ITERATORS_MAX};
use crate::memory::Host;
use crate::{HostError, Order, VmError, price};

declare! { "env";
    "db_read" = db_read(key: u32) -> u32;
    "db_write" = db_write(key: u32, value: u32) -> ();
    "db_remove" = db_remove(key: u32) -> ();
    "db_scan" = db_scan(start: u32, end: u32, order: i32) -> u32;
    "db_next" = db_next(iterator: u32) -> u32;
    "db_next_key" = db_next_key(iterator: u32) -> u32;
    "db_next_value" = db_next_value(iterator: u32) -> u32;
}

/// `db_read(key: region) -> region`
///
/// Returns the value, or null if the key has none. The contract keeps the key and owns the value.
fn db_read(host: &mut Host<'_>, key: u32) -> Result<u32, VmError> {
    let key = host.read_region("key", key, DB_KEY_MAX)?;
    host.charge(price::DB_READ.of(price::KEY_PREFIX + key.len() as u64))?;

    let Some(value) = host.ask(|backend| backend.get(&key))? else { return Ok(0) };
    host.charge(price::DB_READ.each.saturating_mul(value.len() as u64))?;

    host.hand_over(&value)
}

/// `db_write(key: region, value: region)`
///
/// The contract keeps both.
fn db_write(host: &mut Host<'_>, key: u32, value: u32) -> Result<(), VmError> {
    let key = host.read_region("key", key, DB_KEY_MAX)?;
    let value = host.read_region("value", value, DB_VALUE_MAX)?;
    host.charge(price::DB_WRITE.of(price::KEY_PREFIX + key.len() as u64 + value.len() as u64))?;

    host.ask(|backend| backend.set(&key, &value))
}

/// `db_remove(key: region)`
///
/// The contract keeps the key.
fn db_remove(host: &mut Host<'_>, key: u32) -> Result<(), VmError> {
    let key = host.read_region("key", key, DB_KEY_MAX)?;
    host.charge(price::DB_REMOVE)?;

    host.ask(|backend| backend.remove(&key))
}

/// `db_scan(start: region, end: region, order: i32) -> iterator`
///
/// Opens an iterator over `start..end`; a null pointer leaves that side open. Order 1 goes up, 2 down.
fn db_scan(host: &mut Host<'_>, start: u32, end: u32, order: i32) -> Result<u32, VmError> {
    let start = host.read_optional_region("start", start, DB_KEY_MAX)?;
    let end = host.read_optional_region("end", end, DB_KEY_MAX)?;
    let order = match order {
        1 => Order::Ascending,
        2 => Order::Descending,
        other => return Err(VmError::Order(other)),
    };
    host.charge(price::DB_NEXT.base)?;

    if host.frame().iterators >= ITERATORS_MAX {
        return Err(VmError::TooManyIterators { limit: ITERATORS_MAX });
    }
    host.frame().iterators += 1;
    host.ask(|backend| backend.scan(start.as_deref(), end.as_deref(), order))
}

/// `db_next(iterator) -> region`
///
/// Returns key and value of the next entry as two sections, both empty at the end. The contract owns the region.
fn db_next(host: &mut Host<'_>, iterator: u32) -> Result<u32, VmError> {
    let (key, value) = step(host, iterator)?.unwrap_or_default();

    host.hand_over(&sections(&[&key, &value]))
}

/// `db_next_key(iterator) -> region`
///
/// Returns the next entry's key, or null at the end. The contract owns the region.
fn db_next_key(host: &mut Host<'_>, iterator: u32) -> Result<u32, VmError> {
    let Some((key, _)) = step(host, iterator)? else { return Ok(0) };

    host.hand_over(&key)
}

/// `db_next_value(iterator) -> region`
///
/// Returns the next entry's value, or null at the end. The contract owns the region.
fn db_next_value(host: &mut Host<'_>, iterator: u32) -> Result<u32, VmError> {
    let Some((_, value)) = step(host, iterator)? else { return Ok(0) };

    host.hand_over(&value)
}

/// A key and its value.
type Pair = (Vec<u8>, Vec<u8>);

/// The next entry, paid for: the step before it is made, the bytes when they are known.
fn step(host: &mut Host<'_>, iterator: u32) -> Result<Option<Pair>, VmError> {
    host.charge(price::DB_NEXT.base)?;
    let limit = host.frame().limit;
    let entry = host.ask_gently(|backend| backend.next(iterator))?.map_err(|error| match error {
        HostError::NotFound => VmError::UnknownIterator(iterator),
        other => VmError::from_host(other, limit),
    })?;
    if let Some((key, value)) = &entry {
        let bytes = price::KEY_PREFIX + key.len() as u64 + value.len() as u64;
        host.charge(price::DB_NEXT.each.saturating_mul(bytes))?;
    }
    Ok(entry)
}

/// Several byte strings in one: each is followed by its length as a big-endian `u32`.
fn sections(parts: &[&[u8]]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        packed.extend_from_slice(part);
        packed.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    }
    packed
}

/// The byte strings in one, read from its end; none if the lengths do not add up or there are more than the limit.
pub(super) fn unpack(packed: &[u8], limit: usize) -> Option<Vec<&[u8]>> {
    let mut parts = Vec::new();
    let mut rest = packed;
    while let Some((before, length)) = rest.split_last_chunk::<4>() {
        if parts.len() == limit {
            return None;
        }
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (left, part) = before.split_at_checked(before.len().checked_sub(length)?)?;
        parts.push(part);
        rest = left;
    }
    parts.reverse();
    rest.is_empty().then_some(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{sections, unpack};

    proptest! {
        #[test]
        fn sections_come_back(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8)) {
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let packed = sections(&parts);
            prop_assert_eq!(unpack(&packed, 8), Some(parts));
        }

        #[test]
        fn other_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some(parts) = unpack(&bytes, 16) {
                prop_assert_eq!(sections(&parts), bytes);
            }
        }
    }
}
