//! Values that were read or written lately, so that what every block asks for is not looked for in sorted tables.
//!
//! An entry says what a key has from a version on. It is taken for a height that is not before that version; a later change
//! replaces it, before anybody sees that change's version. So an entry that is there is right, whoever asks for whatever height.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::disk::{Bytes, Table, View};
use crate::error::StateError;
use crate::generations::Generations;

/// Parts that threads lock one by one.
const SHARDS: usize = 16;
/// Entries of a generation in a part.
const GENERATION: usize = 512;
/// Longest key and longest value that are kept, in bytes.
const LONGEST: usize = 512;

/// See the module.
pub(crate) struct Warm {
    /// The version that the entries are of.
    head: AtomicU64,
    shards: [Mutex<Shard>; SHARDS],
}

/// Entries by the hash of the row's key.
type Shard = Generations<u64, Entry>;

struct Entry {
    row: Bytes,
    version: u64,
    value: Option<Bytes>,
}

impl Entry {
    /// What it says of a row in a view of a version: nothing, or its value or that it is not there.
    fn of(&self, row: &[u8], version: u64) -> Option<Option<Bytes>> {
        (*self.row == *row && self.version <= version).then(|| self.value.clone())
    }
}

/// A value that a version gave a row, or none; without one that is too long to be kept.
pub(crate) type Written = (Bytes, Option<Option<Bytes>>);

impl Warm {
    /// Nothing yet, of a version.
    pub(crate) fn new(head: u64) -> Self {
        Self { head: AtomicU64::new(head), shards: std::array::from_fn(|_| Mutex::new(Generations::new(GENERATION))) }
    }

    /// The value of a row of the latest table, in a view of `version`.
    pub(crate) fn latest(&self, view: &View, version: u64, row: &[u8]) -> Result<Option<Bytes>, StateError> {
        if row.len() > LONGEST {
            return view.get_shared(Table::Latest, row);
        }
        let hash = hash(row);
        if let Some(value) = self.shard(hash).get(&hash).and_then(|entry| entry.of(row, version)) {
            return Ok(value);
        }
        // Without the block that it was read in.
        let value = view.get_shared(Table::Latest, row)?.map(|value| Bytes::from(&*value));
        if value.as_ref().is_none_or(|value| value.len() <= LONGEST) {
            let entry = Entry { row: row.into(), version, value: value.clone() };
            let mut shard = self.shard(hash);
            // What has changed meanwhile is there already, or comes yet.
            if self.head.load(Ordering::SeqCst) == version {
                shard.put(hash, entry);
            }
        }
        Ok(value)
    }

    /// What a version writes, to be handed to [`Warm::advance`] once it is durable.
    pub(crate) fn written(row: &Bytes, value: Option<&Bytes>) -> Written {
        let kept = row.len() <= LONGEST && value.is_none_or(|value| value.len() <= LONGEST);
        (row.clone(), kept.then(|| value.cloned()))
    }

    /// Takes over what a version has written. Nobody sees that version before this returns.
    pub(crate) fn advance(&self, version: u64, written: Vec<Written>) {
        self.head.store(version, Ordering::SeqCst);
        for (row, value) in written {
            let hash = hash(&row);
            let mut shard = self.shard(hash);
            match value {
                Some(value) => shard.put(hash, Entry { row, version, value }),
                None => shard.remove(&hash),
            }
        }
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        let [first, ..] = &self.shards;
        let place = usize::from(hash.to_be_bytes()[0]) % SHARDS;
        self.shards.get(place).unwrap_or(first).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where an entry is kept. Keys that share a hash take each other's place.
fn hash(row: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    row.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::disk::{Disk, Rows};

    fn disk() -> (tempfile::TempDir, Disk) {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path(), 1 << 20, None, Rows::default).unwrap();
        (dir, disk)
    }

    fn write(disk: &Disk, warm: &Warm, version: u64, row: &[u8], value: Option<Vec<u8>>) {
        let (mut rows, value) = (Rows::default(), value.map(Bytes::from));
        let written = Warm::written(&row.into(), value.as_ref());
        match value {
            Some(value) => rows.put(Table::Latest, row, value),
            None => rows.remove(Table::Latest, row),
        }
        disk.write(version, rows).unwrap();
        warm.advance(version, vec![written]);
    }

    #[test]
    fn each_version_has_its_value() {
        let (_dir, disk) = disk();
        let (warm, row) = (Warm::new(0), b"\x01key".to_vec());
        let values = [None, Some(vec![1]), Some(vec![2; LONGEST]), Some(vec![3; LONGEST + 1]), None, Some(vec![5])];
        let mut views = vec![disk.view()];
        for (version, value) in (1..).zip(&values[1..]) {
            let before = warm.latest(views.last().unwrap(), version - 1, &row).unwrap();
            assert_eq!(before.as_deref(), values[views.len() - 1].as_deref());
            write(&disk, &warm, version, &row, value.clone());
            views.push(disk.view());
        }
        for _ in 0..2 {
            for (version, (view, value)) in (0..).zip(views.iter().zip(&values)) {
                assert_eq!(warm.latest(view, version, &row).unwrap().as_deref(), value.as_deref());
            }
        }
    }

    #[test]
    fn what_an_older_view_reads_late_is_not_kept() {
        let (_dir, disk) = disk();
        let (warm, row) = (Warm::new(0), b"\x01key".to_vec());
        let before = disk.view();
        write(&disk, &warm, 1, b"\x01other", Some(vec![1]));
        assert_eq!(warm.latest(&before, 0, &row).unwrap(), None);
        assert_eq!(warm.shard(hash(&row)).lens(), [0, 0]);
        assert_eq!(warm.latest(&disk.view(), 1, &row).unwrap(), None);
        assert_eq!(warm.shard(hash(&row)).lens(), [1, 0]);
        // A value is taken from memory: the view has another one.
        assert_eq!(warm.latest(&before, 1, b"\x01other").unwrap().as_deref(), Some(&[1][..]));
    }

    #[test]
    fn rows_of_one_hash_are_told_apart_and_what_is_kept_is_bounded() {
        let mut shard = Generations::new(GENERATION);
        let entry = |row: u8| Entry { row: [row].into(), version: 3, value: None };
        let get = |shard: &mut Shard, hash: u64, row: u8, version: u64| shard.get(&hash)?.of(&[row], version);
        shard.put(7, entry(1));
        assert_eq!(
            (get(&mut shard, 7, 1, 3), get(&mut shard, 7, 2, 3), get(&mut shard, 7, 1, 2)),
            (Some(None), None, None)
        );
        shard.put(7, entry(2));
        assert_eq!((get(&mut shard, 7, 1, 3), get(&mut shard, 7, 2, 3)), (None, Some(None)));
        for hash in 100..100 + 3 * GENERATION as u64 {
            shard.put(hash, entry(1));
            assert!(get(&mut shard, 7, 2, 3).is_some());
        }
        assert!(shard.lens().into_iter().all(|len| len <= GENERATION));
        assert!(get(&mut shard, 100, 1, 3).is_none());
    }
}
