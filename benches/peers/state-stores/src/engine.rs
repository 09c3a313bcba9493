//! What both engines are asked to do.

use std::path::Path;

use anyhow::Result;

/// The three tables of the state store.
#[derive(Clone, Copy)]
pub enum Table {
    /// Component and key → latest value.
    Latest,
    /// Tree, version and path → tree node.
    Nodes,
    /// Component, key and version → the value before that version.
    History,
}

/// One row to write, or to remove when the value is absent.
pub struct Row {
    pub table: Table,
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

/// An embedded ordered store.
pub trait Engine: Sized {
    const NAME: &'static str;
    /// Opens or creates the store; both engines get a cache of 256 MiB.
    fn open(dir: &Path) -> Result<Self>;
    /// Writes all rows at once; they survive a loss of power when the call returns.
    fn commit(&mut self, rows: &[Row]) -> Result<()>;
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;
    /// Walks up to `count` latest values from `start` on, upwards or downwards; how many there were.
    fn scan(&self, start: &[u8], count: usize, ascending: bool) -> Result<usize>;
}

/// Page or block cache of either engine.
pub const CACHE_BYTES: usize = 256 << 20;
