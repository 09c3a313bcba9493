//! Reads at heights below the latest: what every change since then replaced.
//!
//! The latest table holds each value once. A version that changes a key notes the value it replaced, in the history,
//! under the key and its own version. So the value at a height is the earliest note made after it, else the latest
//! value: a value that never changes is never stored twice.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::ops::Bound;

use crate::disk::{Table, View};
use crate::error::StateError;
use crate::keys;
use crate::snapshot::{Entry, Order};

/// What a replaced value looks like on disk: `00` for none, `01` and the bytes.
pub(crate) fn encode(replaced: Option<Vec<u8>>) -> Vec<u8> {
    match replaced {
        None => vec![0],
        Some(mut value) => {
            value.insert(0, 1);
            value
        }
    }
}

pub(crate) fn decode(mut row: Vec<u8>) -> Result<Option<Vec<u8>>, StateError> {
    match row.first() {
        Some(0) if row.len() == 1 => Ok(None),
        Some(1) => {
            row.remove(0);
            Ok(Some(row))
        }
        _ => Err(StateError::corrupt(format!("a replaced value of {} bytes has no known form", row.len()))),
    }
}

/// The value of a key at `version`, in a view of a later one.
pub(crate) fn value_at(view: &View, component: u8, key: &[u8], version: u64) -> Result<Option<Vec<u8>>, StateError> {
    match replaced_after(view, component, key, version)? {
        Some(replaced) => Ok(replaced),
        None => view.get(Table::Latest, &keys::latest(component, key)),
    }
}

/// What the first change after `version` replaced; none if there was no change.
fn replaced_after(view: &View, component: u8, key: &[u8], version: u64) -> Result<Option<Option<Vec<u8>>>, StateError> {
    let Some(next) = version.checked_add(1) else { return Ok(None) };
    let lower = Bound::Included(keys::history(component, key, next));
    let upper = Bound::Included(keys::history(component, key, u64::MAX));
    match view.range(Table::History, lower, upper).next() {
        Some(row) => Ok(Some(decode(row?.1)?)),
        None => Ok(None),
    }
}

/// The entries of a range at an old height: the latest ones, corrected by the history.
///
/// Both sides are read lazily. A key that changed often costs two look-ups, not one per change.
pub(crate) struct RangeAt<L: Iterator> {
    view: View,
    component: u8,
    version: u64,
    order: Order,
    latest: Peekable<L>,
    /// Rows of the history that are still to come.
    lower: Bound<Vec<u8>>,
    upper: Bound<Vec<u8>>,
    /// The next key that changed since, with its value then.
    changed: Option<(Vec<u8>, Option<Vec<u8>>)>,
    failed: bool,
}

impl<L: Iterator<Item = Result<Entry, StateError>>> RangeAt<L> {
    pub(crate) fn new(
        view: View,
        component: u8,
        version: u64,
        (start, end): (Option<&[u8]>, Option<&[u8]>),
        order: Order,
        latest: L,
    ) -> Self {
        let lower = start.map_or_else(|| vec![component], |key| keys::history_key(component, key));
        let upper = end.map_or_else(|| vec![component + 1], |key| keys::history_key(component, key));
        Self {
            view,
            component,
            version,
            order,
            latest: latest.peekable(),
            lower: Bound::Included(lower),
            upper: Bound::Excluded(upper),
            changed: None,
            failed: false,
        }
    }

    /// Moves to the next key that changed after the version.
    fn seek_changed(&mut self) -> Result<(), StateError> {
        while self.changed.is_none() {
            let mut rows = self.view.range(Table::History, self.lower.clone(), self.upper.clone());
            let row = match self.order {
                Order::Ascending => rows.next(),
                Order::Descending => rows.next_back(),
            };
            let Some(row) = row else { return Ok(()) };
            let (row, _) = row?;
            let key = keys::key_of_history(&row)
                .ok_or_else(|| StateError::corrupt(format!("a history row of {} bytes has no key", row.len())))?;
            match self.order {
                Order::Ascending => {
                    self.lower = Bound::Excluded(keys::history(self.component, &key, u64::MAX));
                }
                Order::Descending => {
                    self.upper = Bound::Excluded(keys::history_key(self.component, &key));
                }
            }
            let replaced = replaced_after(&self.view, self.component, &key, self.version)?;
            self.changed = replaced.map(|value| (key, value));
        }
        Ok(())
    }

    fn step(&mut self) -> Result<Option<Entry>, StateError> {
        loop {
            self.seek_changed()?;
            let place = match (self.latest.peek(), &self.changed) {
                (_, None) | (Some(Err(_)), _) => return self.latest.next().transpose(),
                (None, Some(_)) => Ordering::Greater,
                (Some(Ok((latest, _))), Some((changed, _))) => self.order.compare(latest, changed),
            };
            if place == Ordering::Less {
                return self.latest.next().transpose();
            }
            if place == Ordering::Equal {
                self.latest.next();
            }
            if let Some((key, Some(value))) = self.changed.take() {
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
