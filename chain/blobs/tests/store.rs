//! What a caller sees of a store: put, read, list, remove, compact, and each kind of bad input.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "each file of tests uses its part")]
mod common;

use std::{
    fs,
    io::{Read, Seek, SeekFrom},
    os::unix::fs::symlink,
    thread,
};

use aceso_blobs::{BlobError, BlobStore, Options, Recovery, import};
use aceso_types::blob::{BlobId, RAW};
use common::{Stream, bytes, open, packs};
use expect_test::expect;

const MIB: usize = 1 << 20;

#[test]
fn what_was_put_is_read_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let sizes = [0, 1, MIB - 1, MIB, MIB + 1, 5 * MIB + 17];
    let store = open(dir.path());
    let puts = sizes.map(|size| store.put(&bytes(size as u64, size)[..], u64::MAX).unwrap());
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.recovery(), Recovery::default());
    for (size, put) in sizes.into_iter().zip(puts) {
        assert_eq!(put, import(&bytes(size as u64, size)[..], u64::MAX, |_, _| Ok(())).unwrap());
        let stat = store.stat(&put.id).unwrap().unwrap();
        assert_eq!((stat.size, stat.blocks), (size as u64, put.blocks));
        assert!(store.read(&put.id, size as u64).unwrap() == bytes(size as u64, size), "{size} bytes");
    }
    let mut listed: Vec<_> = store.list(None, usize::MAX).iter().map(|row| row.id).collect();
    let first = store.list(None, 2);
    assert_eq!(store.list(Some(&first[1].id), usize::MAX).len(), sizes.len() - 2);
    listed.sort();
    let mut expected = puts.map(|put| put.id);
    expected.sort();
    assert_eq!(listed, expected);
}

#[test]
fn a_stream_is_read_from_any_place() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let whole = bytes(3, 3 * MIB + 9);
    let id = store.put(&whole[..], u64::MAX).unwrap().id;
    let mut file = store.open_file(&id).unwrap();
    drop(store);
    assert_eq!(file.size(), whole.len() as u64);
    let mut all = Vec::new();
    file.read_to_end(&mut all).unwrap();
    assert!(all == whole);
    for at in [0, MIB - 1, 2 * MIB, 3 * MIB + 8, 3 * MIB + 9, 4 * MIB, 17] {
        file.seek(SeekFrom::Start(at as u64)).unwrap();
        all.clear();
        file.by_ref().take(2).read_to_end(&mut all).unwrap();
        assert_eq!(all, whole[at.min(whole.len())..(at + 2).min(whole.len())], "byte {at}");
    }
    file.seek(SeekFrom::End(-1)).unwrap();
    assert_eq!(file.seek(SeekFrom::Current(-8)).unwrap(), 3 * MIB as u64);
    assert!(file.seek(SeekFrom::Current(i64::MIN)).is_err());
}

#[test]
fn equal_blocks_are_kept_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let zeros = vec![0; 4 * MIB];
    let put = store.put(&zeros[..], u64::MAX).unwrap();
    assert_eq!((put.blocks, store.usage().unwrap().blocks), (5, 2));
    let before = store.usage().unwrap();
    assert_eq!(store.put(&zeros[..], u64::MAX).unwrap(), put);
    assert_eq!(store.usage().unwrap(), before);
    assert_eq!(store.read(&put.id, u64::MAX).unwrap(), zeros);
}

#[test]
fn removed_blobs_are_gone_and_compaction_frees_their_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let shared = bytes(1, MIB);
    let kept = [&shared[..], &bytes(2, MIB)].concat();
    let gone = [&shared[..], &bytes(3, 2 * MIB)].concat();
    let kept_id = store.put(&kept[..], u64::MAX).unwrap().id;
    let gone_id = store.put(&gone[..], u64::MAX).unwrap().id;
    store.remove(&gone_id).unwrap();
    assert!(!store.has(&gone_id).unwrap());
    assert!(matches!(store.read(&gone_id, u64::MAX), Err(BlobError::Missing { id }) if id == gone_id));
    assert!(matches!(store.remove(&gone_id), Err(BlobError::Missing { id }) if id == gone_id));

    let before = store.usage().unwrap();
    let done = store.compact().unwrap();
    let after = store.usage().unwrap();
    assert_eq!((after.blobs, after.blocks), (1, 3));
    assert_eq!(after.pack_bytes, before.pack_bytes - done.freed);
    assert!(done.freed > 2 * MIB as u64 && done.damaged.is_empty());
    assert!(store.read(&kept_id, u64::MAX).unwrap() == kept);
    assert_eq!(store.compact().unwrap(), Default::default(), "nothing is left to do");

    drop(store);
    let store = open(dir.path());
    assert_eq!(store.recovery(), Recovery::default());
    assert!(store.read(&kept_id, u64::MAX).unwrap() == kept);
    assert!(!store.has(&gone_id).unwrap());
    assert_eq!(store.put(&gone[..], u64::MAX).unwrap().id, gone_id);
    assert!(store.read(&gone_id, u64::MAX).unwrap() == gone);
}

#[test]
fn a_blob_at_the_limit_passes_and_one_byte_more_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let size = 2 * MIB as u64 + 5;
    let refused = store.put(Stream::new(1, size), size - 1).unwrap_err();
    assert_eq!(refused.to_string(), "the blob has 2097157 bytes or more, and at most 2097156 are allowed");
    assert_eq!(store.list(None, 9), []);
    let id = store.put(Stream::new(1, size), size).unwrap().id;
    assert!(
        matches!(store.read(&id, size - 1), Err(BlobError::TooLarge { size: s, max }) if s == size && max == size - 1)
    );

    store.remove(&id).unwrap();
    store.compact().unwrap();
    assert_eq!(store.usage().unwrap().pack_bytes, 0);
}

#[test]
fn an_endless_stream_ends_at_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let refused = open(dir.path()).put(std::io::repeat(7), 3 * MIB as u64);
    assert!(matches!(refused, Err(BlobError::TooLarge { .. })), "{refused:?}");
}

#[test]
fn a_stream_that_fails_leaves_no_blob() {
    struct Dropped(usize);
    impl Read for Dropped {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or_else(|| std::io::Error::other("the line dropped"))?;
            out.fill(9);
            Ok(out.len())
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let refused = store.put(Dropped(20), u64::MAX).unwrap_err();
    assert_eq!(refused.to_string(), "the bytes to be stored could not be read: the line dropped");
    assert_eq!(store.list(None, 9), []);
}

#[test]
fn another_stream_than_the_one_asked_for_becomes_no_blob() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let bytes = vec![5; 2 * MIB];
    let id = store.put(&bytes[..], u64::MAX).unwrap().id;
    store.remove(&id).unwrap();
    let size = bytes.len() as u64;
    let other = store.put_as(&id, size, &vec![6; 2 * MIB][..]);
    assert!(matches!(other, Err(BlobError::Other(other)) if other.want == id && other.got != id));
    assert!(matches!(store.put_as(&id, size, &bytes[1..]), Err(BlobError::Other(_))));
    assert!(matches!(store.put_as(&id, size - 1, &bytes[..]), Err(BlobError::TooLarge { .. })));
    assert_eq!(store.list(None, 9), []);
    assert_eq!(store.put_as(&id, size, &bytes[..]).unwrap().id, id);
    assert_eq!(store.read(&id, size).unwrap(), bytes);
}

#[test]
fn an_unknown_blob_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let id = BlobId::of_raw(b"nobody put this");
    assert_eq!(store.stat(&id).unwrap(), None);
    expect!["blob bafkreihdl2wwfw4mx5nkjmorovro2kgcoueiyx4uaolqf7zo4xhi73a3wy is not here"]
        .assert_eq(&store.read(&id, 1).unwrap_err().to_string());
    assert!(matches!(store.open_file(&id), Err(BlobError::Missing { .. })));
}

#[test]
fn a_block_of_a_blob_and_the_other_codec_are_no_blobs() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let whole = bytes(4, 2 * MIB);
    let id = store.put(&whole[..], u64::MAX).unwrap().id;
    assert!(!store.has(&BlobId::of_raw(&whole[..MIB])).unwrap());
    assert!(!store.has(&BlobId::from_parts(RAW, id.sha256()).unwrap()).unwrap());
}

#[test]
fn a_second_opener_is_refused_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let refused = BlobStore::open(dir.path(), Options::default()).map(drop).unwrap_err();
    assert_eq!(refused.to_string(), format!("blob store {} is in use by another process", dir.path().display()));
    let file = first.put(&b"x"[..], 9).map(|put| first.open_file(&put.id).unwrap()).unwrap();
    drop(first);
    assert!(BlobStore::open(dir.path(), Options::default()).is_err(), "a reader keeps the store open");
    drop(file);
    open(dir.path());
}

#[test]
fn a_path_that_cannot_be_a_store_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), b"").unwrap();
    let refused = BlobStore::open(&dir.path().join("file"), Options::default()).map(drop).unwrap_err().to_string();
    assert!(refused.starts_with("could not create ") && refused.contains("file/packs: "), "{refused}");
}

/// `/dev/full` answers every write with "no space left on device".
#[test]
fn a_full_disk_is_a_sentence_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let id = store.put(&b"before"[..], 9).unwrap().id;
    drop(store);
    let full = dir.path().join("packs/0000000002.pack");
    symlink("/dev/full", &full).unwrap();
    let store = open(dir.path());
    let refused = store.put(&b"after"[..], 9).unwrap_err();
    assert_eq!(refused.to_string(), format!("no space left to write {}", full.display()));
    assert_eq!(store.read(&id, 9).unwrap(), b"before");
    drop(store);
    fs::remove_file(&full).unwrap();
    let store = open(dir.path());
    let after = store.put(&b"after"[..], 9).unwrap().id;
    assert_eq!((store.read(&id, 9).unwrap(), store.read(&after, 9).unwrap()), (b"before".to_vec(), b"after".to_vec()));
}

#[test]
fn compaction_on_a_full_disk_frees_what_needs_no_room_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    // Two in the first pack, two in the second.
    let blobs = [1, 2, 3, 4].map(|seed| bytes(seed, 700_000));
    let ids = [0, 1, 2, 3].map(|i: usize| store.put(&blobs[i][..], u64::MAX).unwrap().id);
    for id in &ids[1..] {
        store.remove(id).unwrap();
    }
    drop(store);
    let full = dir.path().join("packs/0000000003.pack");
    symlink("/dev/full", &full).unwrap();
    let store = open(dir.path());
    let refused = store.compact().unwrap_err();
    assert_eq!(refused.to_string(), format!("no space left to write {}", full.display()));
    assert_eq!(packs(dir.path()), [dir.path().join("packs/0000000001.pack"), full.clone()]);
    assert!(store.read(&ids[0], u64::MAX).unwrap() == blobs[0]);
    drop(store);
    fs::remove_file(&full).unwrap();
    let store = open(dir.path());
    assert_eq!(store.compact().unwrap().freed, 700_044);
    assert!(store.read(&ids[0], u64::MAX).unwrap() == blobs[0]);
    assert_eq!(store.list(None, 9).len(), 1);
}

#[test]
fn compaction_in_the_middle_of_a_put_spares_its_blocks() {
    struct Compacting<'a>(&'a BlobStore, Stream);
    impl Read for Compacting<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            self.0.compact().map_err(std::io::Error::other)?;
            self.1.read(out)
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let whole = bytes(5, 3 * MIB);
    // First with blocks that are new, then with blocks that no blob needs any more.
    for _ in 0..2 {
        let id = store.put(Compacting(&store, Stream::new(5, whole.len() as u64)), u64::MAX).unwrap().id;
        assert!(store.read(&id, u64::MAX).unwrap() == whole);
        store.remove(&id).unwrap();
    }
    store.compact().unwrap();
    assert_eq!(store.usage().unwrap().blocks, 0);
}

#[test]
fn puts_reads_and_compactions_run_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let common = bytes(0, MIB);
    thread::scope(|scope| {
        for worker in 1..=3u64 {
            let (store, common) = (&store, &common);
            scope.spawn(move || {
                for round in 0..8 {
                    let seed = worker * 100 + round;
                    let own = bytes(seed, 300_000);
                    let blob = [&common[..], &own].concat();
                    let id = store.put(&blob[..], u64::MAX).unwrap().id;
                    assert!(store.read(&id, u64::MAX).unwrap() == blob);
                    if round % 2 == 0 {
                        store.remove(&id).unwrap();
                    }
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..10 {
                assert!(store.compact().unwrap().damaged.is_empty());
            }
        });
    });
    store.compact().unwrap();
    let rows = store.list(None, 100);
    assert_eq!(rows.len(), 12);
    for row in &rows {
        assert!(store.read(&row.id, u64::MAX).unwrap().starts_with(&common));
    }
    // Per blob a leaf and a node of its own, and one leaf that all share.
    assert_eq!(store.usage().unwrap().blocks, 12 * 2 + 1);
    assert!(packs(dir.path()).len() < 12);
}
