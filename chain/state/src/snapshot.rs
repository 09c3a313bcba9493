//! One height, read only.

use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::Arc;

use crate::changes::is_key;
use crate::delta::is_empty;
use crate::disk::{Row, Table, View};
use crate::error::StateError;
use crate::history::{self, RangeAt};
use crate::keys;
use crate::proof::{self, Proof};
use crate::store::Head;
use crate::tree::root_at;
use crate::warm::Warm;

/// A key and its value.
pub(crate) type Entry = (Vec<u8>, Vec<u8>);

/// Which way a range is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From the smallest key to the largest.
    Ascending,
    /// From the largest key to the smallest.
    Descending,
}

impl Order {
    /// Less means: comes first.
    pub(crate) fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Self::Ascending => a.cmp(b),
            Self::Descending => b.cmp(a),
        }
    }
}

/// The whole state at one committed height. Cheap to clone; it stays as it is while later heights commit.
///
/// A snapshot that is kept for long keeps what it can still read on the disk.
#[derive(Clone)]
pub struct Snapshot {
    view: View,
    /// The version that the view's latest table holds, and values that are in memory.
    head: u64,
    warm: Arc<Warm>,
    version: u64,
    root: [u8; 32],
    components: Arc<[&'static str]>,
}

impl Snapshot {
    pub(crate) fn new(head: Head, version: u64, root: [u8; 32], components: Arc<[&'static str]>) -> Self {
        Self { view: head.view, head: head.version, warm: head.warm, version, root, components }
    }

    /// The height.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The app hash of the height.
    pub fn root(&self) -> [u8; 32] {
        self.root
    }

    /// The value of a key, one look-up at the latest height.
    ///
    /// Fails for an unknown component and if the store cannot be read.
    pub fn get(&self, component: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        let component = self.component(component)?;
        if is_key(key) { self.value(component, key) } else { Ok(None) }
    }

    /// The entries with `start` ≤ key < `end`, read one by one.
    ///
    /// Bounds that exclude each other give nothing. An unknown component gives one error.
    pub fn range(
        &self,
        component: &str,
        start: Option<&[u8]>,
        end: Option<&[u8]>,
        order: Order,
    ) -> impl Iterator<Item = Result<Entry, StateError>> + Send + use<> {
        let entries: Box<dyn Iterator<Item = Result<Entry, StateError>> + Send> = match self.component(component) {
            Err(error) => Box::new(std::iter::once(Err(error))),
            Ok(_) if is_empty(start, end) => Box::new(std::iter::empty()),
            Ok(component) => {
                let latest = self.latest(component, start, end, order);
                if self.version == self.head {
                    latest
                } else {
                    let view = self.view.clone();
                    Box::new(RangeAt::new(view, component, self.version, (start, end), order, latest))
                }
            }
        };
        entries
    }

    /// A proof that a key has its value, or that it has none, under this height's app hash.
    ///
    /// Fails for an empty key, an unknown component, and at heights before the first commit.
    pub fn prove(&self, component: &str, key: &[u8]) -> Result<Proof, StateError> {
        let id = self.component(component)?;
        if key.is_empty() {
            return Err(StateError::EmptyKey { component: component.to_owned() });
        }
        let value = |key: &[u8]| self.value(id, key);
        proof::prove(&self.view, self.version, &self.components, id, key, &value)
    }

    /// The byte that stands for a component on disk.
    pub(crate) fn component(&self, name: &str) -> Result<u8, StateError> {
        component_id(&self.components, name)
    }

    /// The names of the components, in the order of their bytes.
    pub(crate) fn names(&self) -> &[&'static str] {
        &self.components
    }

    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// The root of a component's tree.
    pub(crate) fn component_root(&self, name: &str) -> Result<[u8; 32], StateError> {
        let version = self.version;
        let found = root_at(&self.view, self.component(name)?, version)?;
        found.map(|(_, root)| root).ok_or(StateError::Unproven { version })
    }

    pub(crate) fn value(&self, component: u8, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        if self.version == self.head {
            let value = self.warm.latest(&self.view, self.head, &keys::latest(component, key))?;
            Ok(value.map(|value| value.to_vec()))
        } else {
            history::value_at(&self.view, component, key, self.version)
        }
    }

    fn latest(
        &self,
        component: u8,
        start: Option<&[u8]>,
        end: Option<&[u8]>,
        order: Order,
    ) -> Box<dyn Iterator<Item = Result<Entry, StateError>> + Send> {
        let lower = keys::latest(component, start.unwrap_or_default());
        let upper = end.map_or_else(|| vec![component + 1], |key| keys::latest(component, key));
        let rows = self.view.range(Table::Latest, Bound::Included(lower), Bound::Excluded(upper));
        let entry = |row: Result<Row, StateError>| {
            row.map(|(mut key, value)| {
                key.remove(0);
                (key, value)
            })
        };
        match order {
            Order::Ascending => Box::new(rows.map(entry)),
            Order::Descending => Box::new(rows.rev().map(entry)),
        }
    }
}

/// The place of a component in the list, plus one.
pub(crate) fn component_id(components: &[&str], name: &str) -> Result<u8, StateError> {
    let place = components.iter().position(|known| *known == name);
    place
        .and_then(|place| u8::try_from(place + 1).ok())
        .ok_or_else(|| StateError::UnknownComponent { component: name.to_owned() })
}
