//! From changes to a root, in memory.
//!
//! Every component that really changes gets a new root; these roots are the app tree's values. All rows that the
//! version will write are gathered on the way, so that a commit has nothing left to compute.

use std::collections::BTreeMap;

use crate::changes::{Changes, Writes};
use crate::disk::{Bytes, Rows, Table};
use crate::error::StateError;
use crate::notes::Replaced;
use crate::snapshot::component_id;
use crate::store::Head;
use crate::tree::{EMPTY_ROOT, SENTINEL_KEY, root_at};
use crate::update::{Write, update};
use crate::window::StaleRows;
use crate::{history, keys};

/// A version whose roots are known and whose rows wait for [`crate::Store::commit`].
pub struct Staged {
    pub(crate) version: u64,
    pub(crate) root: [u8; 32],
    /// Version and root that this one follows.
    pub(crate) parent: (u64, [u8; 32]),
    pub(crate) rows: Rows,
}

impl Staged {
    /// The app hash that the version will have.
    pub fn root(&self) -> [u8; 32] {
        self.root
    }

    /// The version.
    pub fn version(&self) -> u64 {
        self.version
    }
}

/// The rows of a version while they are gathered.
struct Stage<'a> {
    head: &'a Head,
    version: u64,
    rows: Rows,
    stale: StaleRows,
    /// What is replaced, sorted by component and key.
    notes: Vec<Replaced<'a>>,
}

/// Computes the roots of `changes` on top of the latest version.
pub(crate) fn stage(
    head: &Head,
    components: &[&'static str],
    version: u64,
    changes: &Changes,
) -> Result<Staged, StateError> {
    for name in changes.names() {
        component_id(components, name)?;
    }
    let (rows, stale) = (Rows::default(), StaleRows::default());
    let mut stage = Stage { head, version, rows, stale, notes: Vec::new() };
    let mut roots = BTreeMap::new();
    for (id, name) in (1..).zip(components) {
        if let Some(root) = stage.component(id, name, changes.component(name))? {
            roots.insert(name.as_bytes(), root);
        }
    }
    let root = stage.app(&roots)?;
    history::put(version, &stage.notes, &mut stage.rows, &mut stage.stale);
    if !stage.stale.is_empty() {
        stage.rows.put(Table::Stale, keys::stale(version), stage.stale.encode());
    }
    Ok(Staged { version, root, parent: (head.version, head.root), rows: stage.rows })
}

impl<'a> Stage<'a> {
    /// Writes of one component; its new root if it has one.
    fn component(&mut self, id: u8, name: &str, writes: Option<&'a Writes>) -> Result<Option<[u8; 32]>, StateError> {
        let base = root_at(&self.head.view, id, self.version)?;
        let mut real: BTreeMap<&[u8], Write<'_>> = BTreeMap::new();
        if base.is_none() {
            real.insert(SENTINEL_KEY, Write { value: Some(name.as_bytes()), there: false });
        }
        for (key, value) in writes.into_iter().flatten() {
            let row = Bytes::from(keys::latest(id, key));
            let replaced = self.head.warm.latest(&self.head.view, self.head.version, &row)?;
            if replaced.as_deref() == value.as_deref() {
                continue;
            }
            real.insert(key, Write { value: value.as_deref(), there: replaced.is_some() });
            self.notes.push((id, key, replaced));
            match value {
                Some(value) => self.rows.put(Table::Latest, row, value.as_slice()),
                None => self.rows.remove(Table::Latest, row),
            }
        }
        if real.is_empty() { Ok(None) } else { self.tree(id, base, &real).map(Some) }
    }

    /// The app hash over the roots that changed.
    fn app(&mut self, roots: &BTreeMap<&[u8], [u8; 32]>) -> Result<[u8; 32], StateError> {
        let (base, parent) = (root_at(&self.head.view, keys::APP, self.version)?, self.head.root);
        if base.map_or(EMPTY_ROOT, |(_, root)| root) != parent {
            return Err(StateError::corrupt("the app tree's root is not the app hash of the latest version"));
        }
        if roots.is_empty() {
            return Ok(parent);
        }
        let there = base.is_some();
        let writes = roots.iter().map(|(name, root)| (*name, Write { value: Some(root.as_slice()), there })).collect();
        self.tree(keys::APP, base, &writes)
    }

    fn tree(
        &mut self,
        tree: u8,
        base: Option<(u64, [u8; 32])>,
        writes: &BTreeMap<&[u8], Write<'_>>,
    ) -> Result<[u8; 32], StateError> {
        let update = update(&self.head.view, Some(&self.head.recent), tree, base, self.version, writes)?;
        for (row, node) in update.nodes {
            self.rows.put(Table::Nodes, row, node);
        }
        for row in update.stale {
            self.stale.add(Table::Nodes, row);
        }
        if let Some((since, _)) = base {
            self.stale.add(Table::Roots, keys::root(tree, since));
        }
        self.rows.put(Table::Roots, keys::root(tree, self.version), update.root.to_vec());
        Ok(update.root)
    }
}
