//! The writes of a block while it runs, over the snapshot that it began with.
//!
//! Layers nest: a transaction opens one, each contract frame in it another. A layer that ends well is merged into the
//! one below ([`Delta::keep`]), one that fails is dropped ([`Delta::discard`]). Reads see through all of them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;

use crate::changes::Changes;
use crate::error::StateError;
use crate::merge::Merge;
use crate::snapshot::{Entry, Order, Snapshot};

/// Bytes of keys and values that a delta remembers of what lies below it, and of one such entry.
const SEEN_MAX: usize = 8 << 20;
const SEEN_ENTRY_MAX: usize = 4 << 10;

/// Nested layers of writes over a snapshot. Nothing reaches the store until [`crate::Store::commit`].
#[derive(Clone)]
pub struct Delta {
    base: Snapshot,
    /// Writes outside any checkpoint.
    ground: Changes,
    /// One layer per open checkpoint, the innermost last.
    layers: Vec<Changes>,
    /// What was read below: transactions of a block ask for the same contracts and accounts again and again.
    seen: RefCell<Seen>,
}

/// Values of the base that were asked for; none where a key has no value.
#[derive(Clone, Default)]
struct Seen {
    components: BTreeMap<u8, BTreeMap<Vec<u8>, Option<Vec<u8>>>>,
    bytes: usize,
}

impl Seen {
    fn get(&self, component: u8, key: &[u8]) -> Option<&Option<Vec<u8>>> {
        self.components.get(&component)?.get(key)
    }

    fn note(&mut self, component: u8, key: &[u8], value: &Option<Vec<u8>>) {
        let bytes = key.len() + value.as_ref().map_or(0, Vec::len);
        if bytes <= SEEN_ENTRY_MAX && self.bytes + bytes <= SEEN_MAX {
            self.bytes += bytes;
            self.components.entry(component).or_default().insert(key.to_vec(), value.clone());
        }
    }
}

impl Delta {
    /// No writes yet over `base`.
    pub fn new(base: Snapshot) -> Self {
        Self { base, ground: Changes::new(), layers: Vec::new(), seen: RefCell::default() }
    }

    /// The snapshot below all layers.
    pub fn base(&self) -> &Snapshot {
        &self.base
    }

    /// The value of a key as the innermost layer sees it.
    ///
    /// Fails for an unknown component and if the store cannot be read.
    pub fn get(&self, component: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        match self.downwards().find_map(|layer| layer.get(component, key)) {
            Some(written) => Ok(written.map(<[u8]>::to_vec)),
            None => self.below(component, key),
        }
    }

    /// Writes into the innermost layer. The bounds of keys and values are those of [`Changes::set`].
    pub fn set(&mut self, component: &'static str, key: Vec<u8>, value: Vec<u8>) -> Result<(), StateError> {
        self.base.component(component)?;
        self.top().set(component, key, value)
    }

    /// Removes from the innermost layer; a key that is not there stays so.
    ///
    /// Fails for an unknown component.
    pub fn remove(&mut self, component: &'static str, key: &[u8]) -> Result<(), StateError> {
        self.base.component(component)?;
        self.top().remove(component, key);
        Ok(())
    }

    /// The entries with `start` ≤ key < `end` as the innermost layer sees them, read one by one.
    ///
    /// Bounds that exclude each other give nothing. After an error there are no more entries.
    pub fn range<'a>(
        &'a self,
        component: &str,
        start: Option<&[u8]>,
        end: Option<&[u8]>,
        order: Order,
    ) -> impl Iterator<Item = Result<Entry, StateError>> + use<'a> {
        let mut merge = Merge::new(self.base.range(component, start, end, order), order);
        if !is_empty(start, end) {
            for layer in self.upwards() {
                let Some(writes) = layer.component(component) else { continue };
                let lower = start.map_or(Bound::Unbounded, Bound::Included);
                let upper = end.map_or(Bound::Unbounded, Bound::Excluded);
                let writes = writes.range::<[u8], _>((lower, upper));
                match order {
                    Order::Ascending => merge.push(writes),
                    Order::Descending => merge.push(writes.rev()),
                }
            }
        }
        merge
    }

    /// Up to `limit` entries of a range, those after `after` in the given order, or the first ones.
    ///
    /// For iterators that live longer than a borrow: a caller keeps the bounds and the last key it got. What was
    /// written between two calls is seen by the second.
    pub fn page(
        &self,
        component: &str,
        start: Option<&[u8]>,
        end: Option<&[u8]>,
        order: Order,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StateError> {
        match (after, order) {
            (None, _) => self.range(component, start, end, order).take(limit).collect(),
            (Some(after), Order::Ascending) => {
                let next: Vec<u8> = after.iter().copied().chain([0]).collect();
                let start = start.filter(|start| *start > next.as_slice()).unwrap_or(&next);
                self.range(component, Some(start), end, order).take(limit).collect()
            }
            (Some(after), Order::Descending) => {
                let end = end.filter(|end| *end < after).unwrap_or(after);
                self.range(component, start, Some(end), order).take(limit).collect()
            }
        }
    }

    /// Opens a layer: what is written from now on can be dropped as a whole.
    pub fn checkpoint(&mut self) {
        self.layers.push(Changes::new());
    }

    /// Closes the innermost layer and merges it into the one below. False if none is open; nothing happens then.
    pub fn keep(&mut self) -> bool {
        let Some(layer) = self.layers.pop() else { return false };
        self.top().absorb(layer);
        true
    }

    /// Closes the innermost layer and forgets what was written in it. False if none is open; nothing happens then.
    pub fn discard(&mut self) -> bool {
        self.layers.pop().is_some()
    }

    /// How many layers are open.
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// All writes, those of open layers included.
    pub fn into_changes(mut self) -> Changes {
        while self.keep() {}
        self.ground
    }

    fn below(&self, component: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        let number = self.base.component(component)?;
        if let Some(seen) = self.seen.borrow().get(number, key) {
            return Ok(seen.clone());
        }
        let value = self.base.get(component, key)?;
        self.seen.borrow_mut().note(number, key, &value);
        Ok(value)
    }

    fn top(&mut self) -> &mut Changes {
        self.layers.last_mut().unwrap_or(&mut self.ground)
    }

    fn upwards(&self) -> impl DoubleEndedIterator<Item = &Changes> {
        std::iter::once(&self.ground).chain(&self.layers)
    }

    fn downwards(&self) -> impl Iterator<Item = &Changes> {
        self.upwards().rev()
    }
}

/// True for bounds that nothing lies between.
pub(crate) fn is_empty(start: Option<&[u8]>, end: Option<&[u8]>) -> bool {
    end.is_some_and(|end| start.unwrap_or_default() >= end)
}
