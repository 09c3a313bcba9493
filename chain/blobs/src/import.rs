//! Cuts a stream into blocks and names it: UnixFS profile `unixfs-v1-2025`.
//!
//! Leaves are raw blocks of 1 MiB, the last one shorter. Up to 1024 neighbours get a parent, parents get parents, until
//! one is left; all leaves lie at the same depth. A stream of at most one leaf is that leaf. Memory: one leaf, and one
//! node's links per level.

use std::{io::Read, mem};

use aceso_types::blob::BlobId;

use crate::{
    error::BlobError,
    node::{self, LINKS_MAX, Link},
    record::BLOCK_BYTES_MAX,
};

/// A blob that was imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Put {
    /// Its name.
    pub id: BlobId,
    /// Its bytes.
    pub size: u64,
    /// Blocks of its tree, leaves and nodes; equal ones are counted each time.
    pub blocks: u64,
}

/// How a stream is cut. Other shapes than the profile's exist in tests only.
#[derive(Clone, Copy)]
struct Shape {
    chunk: u64,
    links: usize,
}

const PROFILE: Shape = Shape { chunk: BLOCK_BYTES_MAX as u64, links: LINKS_MAX };

/// Names the bytes of `reader` without storing them; `sink` sees every block, children before parents.
///
/// # Errors
/// [`BlobError::TooLarge`] as soon as there are more than `max` bytes, [`BlobError::Input`] if reading fails, and
/// whatever `sink` answers.
pub fn import(
    reader: impl Read,
    max: u64,
    sink: impl FnMut(BlobId, &[u8]) -> Result<(), BlobError>,
) -> Result<Put, BlobError> {
    cut(PROFILE, reader, max, sink)
}

fn cut(
    shape: Shape,
    mut reader: impl Read,
    max: u64,
    sink: impl FnMut(BlobId, &[u8]) -> Result<(), BlobError>,
) -> Result<Put, BlobError> {
    let mut tree = Tree { links: shape.links, levels: Vec::new(), blocks: 0, sink };
    let mut size = 0;
    let mut leaf = Vec::new();
    loop {
        leaf.clear();
        let want = shape.chunk.min((max - size).saturating_add(1));
        let got = reader.by_ref().take(want).read_to_end(&mut leaf).map_err(BlobError::Input)? as u64;
        if got == 0 && size > 0 {
            break;
        }
        size += got;
        if size > max {
            return Err(BlobError::TooLarge { size, max });
        }
        let id = BlobId::of_raw(&leaf);
        tree.keep(id, &leaf)?;
        tree.push(0, Link { id, size: got, total: got })?;
        if got < want {
            break;
        }
    }
    let id = tree.root()?;
    Ok(Put { id, size, blocks: tree.blocks })
}

/// The right edge of the tree: per level, the links that have no parent yet. No level is ever empty.
struct Tree<S> {
    links: usize,
    levels: Vec<Vec<Link>>,
    blocks: u64,
    sink: S,
}

impl<S: FnMut(BlobId, &[u8]) -> Result<(), BlobError>> Tree<S> {
    fn keep(&mut self, id: BlobId, block: &[u8]) -> Result<(), BlobError> {
        self.blocks += 1;
        (self.sink)(id, block)
    }

    /// Adds a link; a full level gets its parent only when one more arrives, since the last parent may be the root.
    fn push(&mut self, level: usize, link: Link) -> Result<(), BlobError> {
        match self.levels.get_mut(level) {
            None => self.levels.push(vec![link]),
            Some(row) if row.len() < self.links => row.push(link),
            Some(row) => {
                let full = mem::replace(row, vec![link]);
                let parent = self.parent(&full)?;
                self.push(level + 1, parent)?;
            }
        }
        Ok(())
    }

    fn parent(&mut self, row: &[Link]) -> Result<Link, BlobError> {
        let block = node::encode(row);
        let id = BlobId::of_dag_pb(&block);
        self.keep(id, &block)?;
        let sum = |of: fn(&Link) -> u64| row.iter().map(of).fold(0, u64::saturating_add);
        Ok(Link { id, size: sum(|link| link.size), total: sum(|link| link.total).saturating_add(block.len() as u64) })
    }

    /// Closes level after level from below, also one that holds a single link, until one link is left at the top.
    fn root(&mut self) -> Result<BlobId, BlobError> {
        let mut level = 0;
        loop {
            let row = self.levels.get_mut(level).map(mem::take).unwrap_or_default();
            match (&row[..], level + 1 >= self.levels.len()) {
                ([only], true) => return Ok(only.id),
                _ => {
                    let parent = self.parent(&row)?;
                    level += 1;
                    self.push(level, parent)?;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
