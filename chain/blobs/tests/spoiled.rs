//! Files of a store with some bytes changed, cut out or put in: it opens or says why not, and what it reads is what was
//! put or an error that names the blob.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "each file of tests uses its part")]
mod common;

use std::{cell::Cell, fs, path::PathBuf};

use aceso_blobs::{BlobError, BlobStore, Options, Put};
use common::{bytes, open};
use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{RngSeed, TestRunner},
};

/// A closed store.
struct Closed {
    /// Names and contents.
    files: Vec<(PathBuf, Vec<u8>)>,
    blobs: Vec<(Put, Vec<u8>)>,
}

fn closed() -> Closed {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    // Small ones, and one of two leaves with its node.
    let blobs: Vec<Vec<u8>> =
        [0, 1, 300, 5_000].into_iter().map(|size| bytes(size as u64, size)).chain([vec![7; (1 << 20) + 9]]).collect();
    let blobs = blobs.into_iter().map(|blob| (store.put(&blob[..], u64::MAX).unwrap(), blob)).collect();
    drop(store);
    let names = ["roots", "packs/0000000001.pack", "packs/0000000001.index"];
    let files = names.map(|name| (name.into(), fs::read(dir.path().join(name)).unwrap())).into();
    Closed { files, blobs }
}

#[test]
fn spoiled_files_are_answered() {
    let Closed { files, blobs } = closed();
    let edit = (any::<Index>(), 0_usize..40, prop::collection::vec(any::<u8>(), 0..40));
    let strategy = (prop::collection::vec(0..files.len(), 1..3), prop::collection::vec(edit, 1..4), any::<bool>());
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 192,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(13),
        ..ProptestConfig::default()
    });
    let (whole, lost) = (Cell::new(0), Cell::new(0));
    let outcome = runner.run(&strategy, |(which, edits, indexed)| {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("packs")).unwrap();
        for (at, (name, content)) in files.iter().enumerate() {
            let mut content = content.clone();
            for (place, cut, put) in edits.iter().filter(|_| which.contains(&at)) {
                // The beginnings of packs are headers of small blobs: most edits go there.
                let place = place.index(content.len().min(7_000) + 1);
                let end = (place + cut).min(content.len());
                content.splice(place..end, put.iter().copied());
            }
            if indexed || at < 2 {
                fs::write(dir.path().join(name), content).unwrap();
            }
        }
        let store = match BlobStore::open(dir.path(), Options::default()) {
            Ok(store) => store,
            Err(BlobError::InUse { .. }) => return Err(TestCaseError::fail("nobody uses it")),
            Err(error) => {
                prop_assert!(!error.to_string().is_empty());
                return Ok(());
            }
        };
        for (put, blob) in &blobs {
            match store.read(&put.id, u64::MAX) {
                Ok(read) => {
                    prop_assert!(read == *blob, "other bytes than were put");
                    whole.set(whole.get() + 1);
                }
                Err(error) => {
                    prop_assert!(error.to_string().contains(&put.id.to_string()), "{error}");
                    lost.set(lost.get() + 1);
                }
            }
            // A blob is mended by putting it again, whatever became of it.
            prop_assert_eq!(store.put(&blob[..], u64::MAX).unwrap(), *put);
            prop_assert!(store.read(&put.id, u64::MAX).unwrap() == *blob);
        }
        drop(store);
        let store = BlobStore::open(dir.path(), Options::default()).unwrap();
        for (put, blob) in &blobs {
            prop_assert!(store.read(&put.id, u64::MAX).unwrap() == *blob, "lost after it was mended");
        }
        Ok(())
    });
    outcome.unwrap();
    let (whole, lost) = (whole.get(), lost.get());
    assert!(whole > 100 && lost > 50, "{whole} were read, {lost} were not");
}
