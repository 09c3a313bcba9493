//! Gives the space of unneeded blocks back.
//!
//! 1. From here on, blocks that puts use are spared.
//! 2. The trees of all roots are walked: what they reach is live.
//! 3. The pack being written is closed if it has anything dead, so that live blocks move to packs that stay.
//! 4. Pack by pack that has dead bytes: live blocks are appended anew and synced, the others leave the index, the pack is
//!    deleted. A crash between leaves blocks twice or dead blocks where they were, and the next compaction mends both.
//! 5. The log of the roots is rewritten.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    sync::PoisonError,
};

use aceso_types::blob::{BlobId, RAW};

use crate::{
    dag,
    error::{self, BlobError},
    pack::Found,
    record::{Digest, Location},
    store::Inner,
};

/// Roots walked between two looks at the table, so that a large one is not copied.
const PAGE: usize = 1024;

/// What a compaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// Packs deleted.
    pub packs: u64,
    /// Bytes that the packs shrank by.
    pub freed: u64,
    /// Bytes of live blocks that were written anew.
    pub moved: u64,
    /// Needed blocks that are damaged; their packs were left alone. Putting their blob again replaces them.
    pub damaged: Vec<BlobId>,
}

/// Ends the sparing of blocks.
struct Sparing<'a>(&'a Inner);

impl Drop for Sparing<'_> {
    fn drop(&mut self) {
        self.0.state().spared = None;
    }
}

impl Inner {
    pub(crate) fn compact(&self) -> Result<Compacted, BlobError> {
        let _only_one = self.compaction.lock().unwrap_or_else(PoisonError::into_inner);
        let _sparing = Sparing(self);
        {
            let mut state = self.state();
            state.spared = Some(state.in_flight());
        }
        let live = self.live()?;

        let mut done = Compacted::default();
        let live_bytes = self.live_bytes(&live);
        let mut packs: Vec<(u64, u32)> =
            self.packs.list()?.into_iter().map(|pack| (live_bytes.get(&pack).copied().unwrap_or(0), pack)).collect();
        // Those with nothing to move first: they make room for the others on a full disk.
        packs.sort_unstable();
        for (live_here, pack) in packs {
            let length = self.packs.len(pack)?;
            let open = {
                let mut writer = self.writer();
                if writer.pack() == pack && writer.len() > live_here {
                    self.roll(&mut writer)?;
                }
                writer.pack() <= pack
            };
            if !open && length > live_here {
                self.empty(pack, &live, &mut done)?;
            }
        }
        self.roots().rewrite(&self.dir)?;
        Ok(done)
    }

    /// Digests of all blocks that a root leads to.
    fn live(&self) -> Result<BTreeSet<Digest>, BlobError> {
        let mut live = BTreeSet::new();
        let mut last: Option<BlobId> = None;
        loop {
            let page: Vec<_> = self.roots().after(last.as_ref()).take(PAGE).collect();
            let Some(end) = page.last() else { return Ok(live) };
            last = Some(end.id);
            for root in page {
                match dag::check_whole(self, &root.id, root.stat.size, &mut live) {
                    // Removed since the page was read, and a leaf of it is not needed by anyone else.
                    Err(_) if self.roots().get(&root.id).is_none() => {}
                    whole => whole?,
                }
            }
        }
    }

    fn live_bytes(&self, live: &BTreeSet<Digest>) -> BTreeMap<u32, u64> {
        let state = self.state();
        let mut bytes = BTreeMap::new();
        for (digest, at) in state.index.iter() {
            if live.contains(digest) || state.spared.as_ref().is_some_and(|spared| spared.contains(digest)) {
                *bytes.entry(at.pack).or_insert(0) += at.record_bytes();
            }
        }
        bytes
    }

    /// Moves the live blocks of a closed pack and deletes it.
    fn empty(&self, pack: u32, live: &BTreeSet<Digest>, done: &mut Compacted) -> Result<(), BlobError> {
        let mut blocks: Vec<(Location, Digest)> =
            self.state().index.iter().filter_map(|(digest, at)| (at.pack == pack).then_some((*at, *digest))).collect();
        blocks.sort_unstable();
        let (mut moved, mut damaged) = (0, Vec::new());
        for (at, digest) in blocks {
            if !self.needs(&digest, at, live) {
                continue;
            }
            match self.packs.read(&digest, at)? {
                Found::Block(block) => {
                    self.append(&digest, Some(at), &block)?;
                    moved += at.record_bytes();
                }
                _ => damaged.extend(BlobId::from_parts(RAW, digest)),
            }
        }
        if !damaged.is_empty() {
            done.damaged.append(&mut damaged);
            return Ok(());
        }
        self.sync()?;
        let length = self.packs.len(pack)?;
        let (path, index_path) = (self.packs.path(pack), self.packs.index_path(pack));
        fs::remove_file(&path).map_err(error::io(&path, "remove"))?;
        match fs::remove_file(&index_path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(error::io(&index_path, "remove")(e)),
            _ => {}
        }
        let dir = self.packs.dir();
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(error::io(dir, "sync"))?;
        done.packs += 1;
        done.moved += moved;
        done.freed += length.saturating_sub(moved);
        Ok(())
    }

    /// Whether the block at `at` must move; one that need not leaves the index in the same step.
    fn needs(&self, digest: &Digest, at: Location, live: &BTreeSet<Digest>) -> bool {
        let mut state = self.state();
        if state.index.find(digest) != Some(at) {
            return false;
        }
        let needed = live.contains(digest) || state.spared.as_ref().is_some_and(|spared| spared.contains(digest));
        if !needed {
            state.index.remove(digest);
        }
        needed
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::{BlobStore, Options};

    /// The moment between the walk over the trees and the move: a put takes over a block that no blob needed when the
    /// trees were walked, and is done before its pack is emptied.
    #[test]
    fn a_block_that_a_put_takes_over_in_the_middle_stays() {
        let dir = tempfile::tempdir().unwrap();
        let store = BlobStore::open(dir.path(), Options::default()).unwrap();
        let [taken, dead] = [&b"taken over"[..], b"dead"].map(|bytes| store.put(bytes, 99).unwrap().id);
        store.remove(&taken).unwrap();
        store.remove(&dead).unwrap();

        let inner = &*store.0;
        let sparing = Sparing(inner);
        inner.state().spared = Some(BTreeSet::new());
        let live = inner.live().unwrap();
        assert!(live.is_empty());
        store.put(&b"taken over"[..], 99).unwrap();
        inner.roll(&mut inner.writer()).unwrap();
        let mut done = Compacted::default();
        inner.empty(1, &live, &mut done).unwrap();
        drop(sparing);

        assert_eq!((done.packs, done.damaged.len(), store.usage().unwrap().blocks), (1, 0, 1));
        assert_eq!(store.read(&taken, 99).unwrap(), b"taken over");
        drop(store);
        let store = BlobStore::open(dir.path(), Options::default()).unwrap();
        assert_eq!(store.read(&taken, 99).unwrap(), b"taken over");
    }
}
