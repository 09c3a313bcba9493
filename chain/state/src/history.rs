//! Reads at heights below the latest: what every change since then replaced.
//!
//! The latest table holds each value once. A version that changes a key notes the value it replaced. So the value at a
//! height is the earliest note made after it, else the latest value: a value that never changes is never stored twice.
//!
//! The notes of a recent version are one row ([`crate::notes`]); once [`RECENT`] versions have followed they become rows of
//! their own, under the key and the version, so that looking far back costs no more than looking back. Where fewer
//! heights are kept none of them ever does.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::ops::{Bound, Range};

use crate::disk::{Rows, Table, View};
use crate::error::StateError;
use crate::keys;
use crate::notes::{self, Notes, Replaced};
use crate::snapshot::{Entry, Order};
use crate::window::{StaleRows, made_useless};

/// Versions whose notes are one row: what is looked for at an old height may be in each of them.
pub(crate) const RECENT: u64 = 128;

/// Adds the rows of a version's notes, which come sorted, and names them among those that it will make useless.
pub(crate) fn put(version: u64, noted: &[Replaced<'_>], rows: &mut Rows, stale: &mut StaleRows) {
    if noted.is_empty() {
        return;
    }
    match notes::encode(noted) {
        Some(all) => {
            stale.add(Table::History, keys::notes(version));
            rows.put(Table::History, keys::notes(version), all);
        }
        None => {
            for (component, key, value) in noted {
                let row = keys::history(*component, key, version);
                stale.add(Table::History, row.clone());
                rows.put(Table::History, row, encode(value.as_deref()));
            }
        }
    }
}

/// Makes rows of their own of a version's notes, if they are one row.
pub(crate) fn age(view: &View, version: u64, rows: &mut Rows) -> Result<(), StateError> {
    let row = keys::notes(version);
    let Some(notes) = one(view, version)? else { return Ok(()) };
    let mut stale = StaleRows(made_useless(view, version)?);
    stale.0.retain(|(table, named)| (*table, &**named) != (Table::History, &row));
    for place in 0..notes.len() {
        let (component, key, value) = notes.at(place)?;
        let row = keys::history(component, key, version);
        stale.add(Table::History, row.clone());
        rows.put(Table::History, row, encode(value));
    }
    rows.put(Table::Stale, keys::stale(version), stale.encode());
    rows.remove(Table::History, row);
    Ok(())
}

/// Puts what a row of the history tells back into the latest table.
pub(crate) fn undo(view: &View, row: &[u8], rows: &mut Rows) -> Result<(), StateError> {
    let missing = || StateError::corrupt("a replaced value that is listed is not there");
    let mut back = |component, key: &[u8], value: Option<Vec<u8>>| match value {
        Some(value) => rows.put(Table::Latest, keys::latest(component, key), value),
        None => rows.remove(Table::Latest, keys::latest(component, key)),
    };
    if let Some(version) = keys::version_of_notes(row) {
        let notes = one(view, version)?.ok_or_else(missing)?;
        for place in 0..notes.len() {
            let (component, key, value) = notes.at(place)?;
            back(component, key, value.map(<[u8]>::to_vec));
        }
        return Ok(());
    }
    let (component, key) = row.first().zip(keys::key_of_history(row)).ok_or_else(|| no_key(row))?;
    back(*component, &key, decode(view.get(Table::History, row)?.ok_or_else(missing)?)?);
    Ok(())
}

/// What a replaced value looks like in a row of its own: `00` for none, `01` and the bytes.
fn encode(replaced: Option<&[u8]>) -> Vec<u8> {
    match replaced {
        None => vec![0],
        Some(value) => [&[1], value].concat(),
    }
}

fn decode(mut row: Vec<u8>) -> Result<Option<Vec<u8>>, StateError> {
    match row.first() {
        Some(0) if row.len() == 1 => Ok(None),
        Some(1) => {
            row.remove(0);
            Ok(Some(row))
        }
        _ => Err(StateError::corrupt(format!("a replaced value of {} bytes has no known form", row.len()))),
    }
}

fn no_key(row: &[u8]) -> StateError {
    StateError::corrupt(format!("a history row of {} bytes has no key", row.len()))
}

/// The notes of a version, if they are one row.
fn one(view: &View, version: u64) -> Result<Option<Notes>, StateError> {
    recent(view, version..version.saturating_add(1)).next().transpose()
}

/// The notes of versions in a range that are one row each, the oldest first.
fn recent(view: &View, versions: Range<u64>) -> impl Iterator<Item = Result<Notes, StateError>> + use<> {
    let (lower, upper) = (keys::notes(versions.start), keys::notes(versions.end.max(versions.start)));
    view.shared(Table::History, Bound::Included(lower), Bound::Excluded(upper)).map(|row| {
        let (row, notes) = row?;
        Notes::new(keys::version_of_notes(&row).ok_or_else(|| no_key(&row))?, notes)
    })
}

/// The value of a key at `version`, in a view of a later one.
pub(crate) fn value_at(view: &View, component: u8, key: &[u8], version: u64) -> Result<Option<Vec<u8>>, StateError> {
    let next = version.saturating_add(1);
    let row = first_row(view, component, key, next)?;
    let until = row.as_ref().map_or(u64::MAX, |changed| changed.version);
    for notes in recent(view, next..until) {
        if let Some(replaced) = notes?.get(component, key)? {
            return Ok(replaced);
        }
    }
    match row {
        Some(changed) => Ok(changed.value),
        None => view.get(Table::Latest, &keys::latest(component, key)),
    }
}

/// The first change of a key from version `from` on that has a row of its own.
fn first_row(view: &View, component: u8, key: &[u8], from: u64) -> Result<Option<Changed>, StateError> {
    let lower = Bound::Included(keys::history(component, key, from));
    let upper = Bound::Included(keys::history(component, key, u64::MAX));
    let Some(row) = view.range(Table::History, lower, upper).next() else { return Ok(None) };
    let (row, replaced) = row?;
    let version = keys::version_of_history(&row).ok_or_else(|| no_key(&row))?;
    Ok(Some(Changed { key: key.to_vec(), version, value: decode(replaced)? }))
}

/// A key that changed after a version.
#[derive(Clone)]
struct Changed {
    key: Vec<u8>,
    /// The first one that changed it.
    version: u64,
    /// What that one replaced.
    value: Option<Vec<u8>>,
}

/// Keys that changed after a version, by rows of their own. They are read lazily; a key that changed often costs two
/// look-ups, not one per change.
struct ByRows {
    view: View,
    component: u8,
    from: u64,
    order: Order,
    /// Rows that are still to come.
    lower: Bound<Vec<u8>>,
    upper: Bound<Vec<u8>>,
}

impl Iterator for ByRows {
    type Item = Result<Changed, StateError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

impl ByRows {
    fn step(&mut self) -> Result<Option<Changed>, StateError> {
        loop {
            let mut rows = self.view.range(Table::History, self.lower.clone(), self.upper.clone());
            let row = match self.order {
                Order::Ascending => rows.next(),
                Order::Descending => rows.next_back(),
            };
            let Some(row) = row else { return Ok(None) };
            let (row, _) = row?;
            let key = keys::key_of_history(&row).ok_or_else(|| no_key(&row))?;
            match self.order {
                Order::Ascending => {
                    self.lower = Bound::Excluded(keys::history(self.component, &key, u64::MAX));
                }
                Order::Descending => {
                    self.upper = Bound::Excluded(keys::history_key(self.component, &key));
                }
            }
            if let Some(changed) = first_row(&self.view, self.component, &key, self.from)? {
                return Ok(Some(changed));
            }
        }
    }
}

/// Keys that changed after a version, by notes: what is still to come of each version's, the oldest first.
struct ByNotes {
    order: Order,
    notes: Vec<(Notes, Range<usize>)>,
}

impl Iterator for ByNotes {
    type Item = Result<Changed, StateError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

impl ByNotes {
    fn new(
        view: &View,
        component: u8,
        from: u64,
        (start, end): (Option<&[u8]>, Option<&[u8]>),
        order: Order,
    ) -> Result<Self, StateError> {
        let mut all = Vec::new();
        for notes in recent(view, from..u64::MAX) {
            let notes = notes?;
            let first = notes.place(component, start.unwrap_or_default())?;
            let last = match end {
                Some(end) => notes.place(component, end)?,
                None => notes.place(component + 1, &[])?,
            };
            if first < last {
                all.push((notes, first..last));
            }
        }
        Ok(Self { order, notes: all })
    }

    fn step(&mut self) -> Result<Option<Changed>, StateError> {
        let order = self.order;
        let place = |left: &Range<usize>| match order {
            Order::Ascending => left.start,
            Order::Descending => left.end.saturating_sub(1),
        };
        self.notes.retain(|(_, left)| !left.is_empty());
        let mut first: Option<Changed> = None;
        for (notes, left) in &self.notes {
            let (_, key, value) = notes.at(place(left))?;
            // The oldest one that has the key tells what it had.
            if first.as_ref().is_none_or(|first| order.compare(key, &first.key).is_lt()) {
                first = Some(Changed { key: key.to_vec(), version: notes.version(), value: value.map(<[u8]>::to_vec) });
            }
        }
        let Some(found) = &first else { return Ok(None) };
        for (notes, left) in &mut self.notes {
            if notes.at(place(left))?.1 == found.key {
                match order {
                    Order::Ascending => left.start += 1,
                    Order::Descending => left.end -= 1,
                }
            }
        }
        Ok(first)
    }
}

/// The entries of a range at an old height: the latest ones, corrected by the history.
pub(crate) struct RangeAt<L: Iterator> {
    order: Order,
    latest: Peekable<L>,
    /// Keys that changed since, from both kinds of notes.
    changed: [Peekable<Changes>; 2],
    failed: bool,
}

type Changes = Box<dyn Iterator<Item = Result<Changed, StateError>> + Send>;

impl<L: Iterator<Item = Result<Entry, StateError>>> RangeAt<L> {
    pub(crate) fn new(
        view: View,
        component: u8,
        version: u64,
        (start, end): (Option<&[u8]>, Option<&[u8]>),
        order: Order,
        latest: L,
    ) -> Self {
        let from = version.saturating_add(1);
        let by_notes: Changes = match ByNotes::new(&view, component, from, (start, end), order) {
            Ok(notes) => Box::new(notes),
            Err(error) => Box::new(std::iter::once(Err(error))),
        };
        let lower = start.map_or_else(|| vec![component], |key| keys::history_key(component, key));
        let upper = end.map_or_else(|| vec![component + 1], |key| keys::history_key(component, key));
        let (lower, upper) = (Bound::Included(lower), Bound::Excluded(upper));
        let by_rows: Changes = Box::new(ByRows { view, component, from, order, lower, upper });
        Self { order, latest: latest.peekable(), changed: [by_rows.peekable(), by_notes.peekable()], failed: false }
    }

    /// The next key that changed: of both kinds of notes the one that comes first, and of one key the older note. It is
    /// left there.
    fn changed(&mut self) -> Result<Option<&Changed>, StateError> {
        let mut first: Option<&Changed> = None;
        for changes in &mut self.changed {
            if let Some(Err(error)) = changes.next_if(Result::is_err) {
                return Err(error);
            }
            if let Some(Ok(changed)) = changes.peek() {
                let before = |first: &&Changed| {
                    self.order.compare(&changed.key, &first.key).then(changed.version.cmp(&first.version)).is_lt()
                };
                if first.as_ref().is_none_or(before) {
                    first = Some(changed);
                }
            }
        }
        Ok(first)
    }

    fn step(&mut self) -> Result<Option<Entry>, StateError> {
        loop {
            let order = self.order;
            let Some(Changed { key, value, .. }) = self.changed()?.cloned() else {
                return self.latest.next().transpose();
            };
            let place = match self.latest.peek() {
                Some(Err(_)) => Ordering::Less,
                None => Ordering::Greater,
                Some(Ok((latest, _))) => order.compare(latest, &key),
            };
            if place == Ordering::Less {
                return self.latest.next().transpose();
            }
            if place == Ordering::Equal {
                self.latest.next();
            }
            for changes in &mut self.changed {
                changes.next_if(|changed| changed.as_ref().is_ok_and(|changed| changed.key == key));
            }
            if let Some(value) = value {
                return Ok(Some((key, value)));
            }
        }
    }
}

impl<L: Iterator<Item = Result<Entry, StateError>>> Iterator for RangeAt<L> {
    type Item = Result<Entry, StateError>;

    /// After an error there is nothing more.
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.step().transpose();
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::notes::NOTES_MAX;
    use crate::{Options, Store};

    type Model = BTreeMap<(&'static str, Vec<u8>), Vec<u8>>;
    const NAMES: &[&str] = &["bank", "wasm"];

    fn open(dir: &Path, keep: u64) -> Store {
        Store::open(dir, Options::new(NAMES, keep)).unwrap()
    }

    /// Writes of a version: some keys at every one, some seldom, some come and go, and now and then a long value.
    fn writes(version: u64) -> BTreeMap<(&'static str, Vec<u8>), Option<Vec<u8>>> {
        let mut writes = BTreeMap::new();
        for n in 0..8 {
            let key = format!("key/{}", (version * version * 7 + n * 31) % 61).into_bytes();
            let value = (!(version + n).is_multiple_of(3)).then(|| version.to_be_bytes().to_vec());
            writes.insert((NAMES[usize::from(n % 4 == 0)], key), value);
        }
        if version.is_multiple_of(37) {
            writes.insert(("bank", b"key/long".to_vec()), Some(version.to_be_bytes().repeat(NOTES_MAX / 8)));
        }
        if version.is_multiple_of(10) { BTreeMap::new() } else { writes }
    }

    fn commit(store: &Store, models: &mut Vec<Model>) {
        let version = models.len() as u64;
        let (mut changes, mut model) = (crate::Changes::new(), models.last().unwrap().clone());
        for ((component, key), value) in writes(version) {
            match value {
                Some(value) => {
                    changes.set(component, key.clone(), value.clone()).unwrap();
                    model.insert((component, key), value);
                }
                None => {
                    changes.remove(component, &key);
                    model.remove(&(component, key));
                }
            }
        }
        store.commit(store.stage(version, &changes).unwrap()).unwrap();
        models.push(model);
    }

    /// All values and ranges at all heights, both ways.
    fn check(store: &Store, models: &[Model], heights: impl Iterator<Item = u64>) {
        for height in heights {
            let (snapshot, model) = (store.snapshot_at(height).unwrap(), &models[usize::try_from(height).unwrap()]);
            for component in NAMES {
                for key in (0..61).map(|n| format!("key/{n}").into_bytes()).chain([b"key/long".to_vec(), b"k".to_vec()])
                {
                    let want = model.get(&(*component, key.clone())).cloned();
                    assert_eq!(snapshot.get(component, &key).unwrap(), want, "{height}");
                }
                for (start, end) in [(None, None), (Some(&b"key/2"[..]), None), (Some(b"key/13"), Some(&b"key/40"[..]))]
                {
                    let is_in = |key: &[u8]| start.is_none_or(|start| key >= start) && end.is_none_or(|end| key < end);
                    let want: Vec<_> = model
                        .iter()
                        .filter(|((of, key), _)| of == component && is_in(key))
                        .map(|((_, key), value)| (key.clone(), value.clone()))
                        .collect();
                    let read =
                        |order| snapshot.range(component, start, end, order).collect::<Result<Vec<_>, _>>().unwrap();
                    let mut back = read(Order::Descending);
                    back.reverse();
                    assert!(read(Order::Ascending) == want && back == want, "{height}");
                }
            }
        }
    }

    fn count(store: &Store, is: impl Fn(&[u8]) -> bool) -> usize {
        let rows = store.view().range(Table::History, Bound::Unbounded, Bound::Excluded(vec![0xff]));
        rows.filter(|row| is(&row.as_ref().unwrap().0)).count()
    }

    #[test]
    fn every_height_is_as_it_was_by_either_kind_of_notes() {
        let dir = tempfile::tempdir().unwrap();
        let (store, mut models) = (open(dir.path(), 1_000), vec![Model::new()]);
        (0..300).for_each(|_| commit(&store, &mut models));
        let is_notes = |row: &[u8]| keys::version_of_notes(row).is_some();
        let recent = (300 - RECENT + 1..=300).filter(|version| !version.is_multiple_of(10));
        // Of these one replaces a long value, and another the long one of that.
        assert_eq!(count(&store, is_notes), recent.filter(|version| ![185, 222, 259, 296].contains(version)).count());
        assert!(count(&store, |row| !is_notes(row)) > 1_000);
        check(&store, &models, (1..=300).step_by(29).chain([171, 172, 173, 299, 300]));
        // Back over the border between the two, and on again.
        assert_eq!(store.roll_back(170).unwrap(), 130);
        assert_eq!(count(&store, is_notes), 0);
        models.truncate(131);
        check(&store, &models, (1..=130).step_by(31));
        (0..140).for_each(|_| commit(&store, &mut models));
        check(&store, &models, (1..=270).step_by(41));
        drop(store);
        let store = open(dir.path(), 100);
        (0..140).for_each(|_| commit(&store, &mut models));
        assert_eq!(store.oldest(), 310);
        check(&store, &models, (310..=410).step_by(19));
        assert_eq!(count(&store, |row| !is_notes(row) && keys::version_of_history(row) <= Some(310)), 0);
    }

    #[test]
    fn notes_that_are_damaged_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let (store, mut models) = (open(dir.path(), 100), vec![Model::new()]);
        (0..9).for_each(|_| commit(&store, &mut models));
        let mut rows = Rows::default();
        rows.put(Table::History, keys::notes(5), vec![0, 0, 1]);
        store.head().disk(dir.path()).unwrap().write(9, rows).unwrap();
        store.set_head(crate::store::Head { view: store.head().disk(dir.path()).unwrap().view(), ..store.head() });
        let snapshot = store.snapshot_at(3).unwrap();
        let told = snapshot.get("bank", b"absent").unwrap_err().to_string();
        assert!(told.starts_with("state is corrupt: the notes of height 5 have no known form"), "{told}");
        assert!(snapshot.range("bank", None, None, Order::Ascending).any(|entry| entry.is_err()));
        assert!(store.roll_back(6).is_err());
    }
}
