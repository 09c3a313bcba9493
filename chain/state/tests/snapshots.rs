//! A state that was restored from a snapshot against the one that executed up to it, and every way to lie.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::sync::{Arc, Mutex};

use aceso_state::{
    Blame, CHUNK_BYTES, CHUNK_MAX, Changes, ChunkFault, Export, KEY_MAX, Manifest, Moment, Options, Order,
    RestoreError, StateError, Store, verify,
};
use common::{COMPONENTS, Model, block, open};
use proptest::prelude::*;
use prost::Message as _;
use sha2::{Digest as _, Sha256};

/// A manifest's bytes, as a liar would write them.
#[derive(Clone, PartialEq, prost::Message)]
struct Wire {
    #[prost(uint64, tag = "1")]
    height: u64,
    #[prost(uint32, tag = "2")]
    chunk_bytes: u32,
    #[prost(string, tag = "3")]
    components: String,
    #[prost(bytes = "vec", tag = "4")]
    roots: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    digests: Vec<u8>,
}

fn commit(store: &Store, version: u64, changes: &Changes) {
    store.commit(store.stage(version, changes).unwrap()).unwrap();
}

fn export(store: &Store, chunk_bytes: u32) -> (Export, Vec<Vec<u8>>) {
    let snapshot = store.snapshot();
    let export = snapshot.export(chunk_bytes, &|| false).unwrap().unwrap();
    let chunks = (0..export.manifest().chunks()).map(|index| snapshot.chunk(&export, index).unwrap().unwrap());
    let chunks = chunks.collect();
    (export, chunks)
}

fn restore(to: &Store, manifest: &Manifest, trusted: [u8; 32], chunks: &[Vec<u8>]) -> Result<(), RestoreError> {
    let mut restore = to.restore(manifest.clone(), trusted)?;
    for (index, chunk) in (0..).zip(chunks) {
        restore.apply(index, chunk)?;
    }
    to.finish_restore(restore)
}

/// A manifest that fits altered chunks: the lie is in the chunks alone.
fn forged(manifest: &Manifest, chunks: &[Vec<u8>]) -> Manifest {
    let mut wire = Wire::decode(manifest.encode().as_slice()).unwrap();
    wire.digests = chunks.iter().flat_map(Sha256::digest).collect();
    Manifest::decode(&wire.encode_to_vec()).unwrap()
}

fn changes() -> impl Strategy<Value = Changes> {
    let key = prop::collection::vec(any::<u8>(), 1..3).prop_filter("reserved", |key| key != &[0]);
    let value = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 1..40),
        1 => (any::<u8>(), 60..700_usize).prop_map(|(byte, len)| vec![byte; len]),
    ];
    prop::collection::vec((0..2_usize, key, prop::option::weighted(0.8, value)), 0..60).prop_map(|writes| {
        let mut changes = Changes::new();
        for (component, key, value) in writes {
            match value {
                Some(value) => changes.set(COMPONENTS[component], key, value).unwrap(),
                None => changes.remove(COMPONENTS[component], &key),
            }
        }
        changes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_restored_state_is_the_executed_one(
        before in prop::collection::vec(changes(), 1..4),
        after in prop::collection::vec(changes(), 2),
        chunk_bytes in prop_oneof![Just(64_u32), Just(200), Just(CHUNK_BYTES)],
        first in 1..50_u64,
    ) {
        let (old_dir, new_dir) = (common::dir(), common::dir());
        let (old, new) = (open(old_dir.path(), 5), open(new_dir.path(), 5));
        let mut model = Model::default();
        for (version, changes) in (first..).zip(&before) {
            commit(&old, version, changes);
            model.apply(changes);
        }
        let (height, root) = old.latest();
        prop_assert_eq!(root, model.root());
        let taken = old.snapshot().export(chunk_bytes, &|| false).unwrap().unwrap();
        prop_assert_eq!(Export::decode(&taken.encode()), Some(taken.clone()));
        prop_assert_eq!(&Manifest::decode(&taken.manifest().encode()).unwrap(), taken.manifest());
        // The height is served while the chain goes on.
        commit(&old, height + 1, &after[0]);
        let held = old.snapshot_at(height).unwrap();
        let chunks: Vec<_> =
            (0..taken.manifest().chunks()).map(|index| held.chunk(&taken, index).unwrap().unwrap()).collect();
        prop_assert_eq!(held.chunk(&taken, taken.manifest().chunks()).unwrap(), None);
        prop_assert!(old.snapshot().chunk(&taken, 0).is_err());
        restore(&new, taken.manifest(), root, &chunks).unwrap();

        prop_assert_eq!((new.latest(), new.oldest()), ((height, root), height));
        let pruned = matches!(new.snapshot_at(height - 1), Err(StateError::Pruned { .. }));
        prop_assert!(pruned);
        let snapshot = new.snapshot();
        for component in COMPONENTS {
            let want = model.range(component, None, None, Order::Ascending);
            let got: Vec<_> = snapshot.range(component, None, None, Order::Ascending).map(Result::unwrap).collect();
            prop_assert_eq!(&got, &want);
            for key in got.iter().map(|(key, _)| key.as_slice()).chain([b"absent".as_slice(), &[0]]) {
                let proof = snapshot.prove(component, key).unwrap();
                prop_assert_eq!(verify(&root, component, key, &proof), Ok(()));
            }
        }
        // What was restored can be handed on, and is the same snapshot.
        prop_assert_eq!(&snapshot.export(chunk_bytes, &|| false).unwrap().unwrap(), &taken);

        commit(&new, height + 1, &after[0]);
        prop_assert_eq!(new.latest(), old.latest());
        drop(snapshot);
        drop(new);
        let new = open(new_dir.path(), 5);
        for store in [&old, &new] {
            commit(store, height + 2, &after[1]);
        }
        after.iter().for_each(|changes| model.apply(changes));
        prop_assert_eq!(new.latest(), (height + 2, model.root()));
        prop_assert_eq!(new.latest(), old.latest());
        prop_assert_eq!(new.snapshot_at(height).unwrap().root(), root);
    }
}

#[test]
fn a_value_larger_than_a_chunk_comes_in_pieces() {
    let (old_dir, new_dir) = (common::dir(), common::dir());
    let (old, new) = (open(old_dir.path(), 5), open(new_dir.path(), 5));
    let mut changes = block(1);
    let value: Vec<u8> = (0..20_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    changes.set("wasm", b"model".to_vec(), value.clone()).unwrap();
    changes.set("bank", vec![7; KEY_MAX], vec![1; CHUNK_BYTES as usize]).unwrap();
    commit(&old, 1, &changes);
    let (export, chunks) = export(&old, CHUNK_BYTES);
    assert!(chunks.len() >= 5 && chunks.iter().all(|chunk| chunk.len() <= CHUNK_MAX));
    restore(&new, export.manifest(), old.latest().1, &chunks).unwrap();
    assert_eq!(new.snapshot().get("wasm", b"model").unwrap(), Some(value));
    assert_eq!(new.latest(), old.latest());
}

/// Many small entries become much larger rows: a chunk has a bounded number of them, whoever made it.
#[test]
fn small_entries_are_counted() {
    let (old_dir, new_dir) = (common::dir(), common::dir());
    let (old, new) = (open(old_dir.path(), 5), open(new_dir.path(), 5));
    let mut changes = Changes::new();
    let mut keys: Vec<[u8; 4]> = (0..70_000_u32).map(u32::to_be_bytes).collect();
    keys.iter().for_each(|key| changes.set("bank", key.to_vec(), vec![1]).unwrap());
    commit(&old, 1, &changes);
    let (export, chunks) = export(&old, CHUNK_BYTES);
    assert_eq!(chunks.len(), 2);
    restore(&new, export.manifest(), old.latest().1, &chunks).unwrap();
    assert_eq!(new.latest(), old.latest());

    keys.sort_by_key(|key| <[u8; 32]>::from(Sha256::digest(key)));
    let records = keys.iter().flat_map(|key| [&[4], key.as_slice(), &[1, 1]].concat());
    let chunk: Vec<u8> = [0, 1].into_iter().chain(records).chain([0, 0]).collect();
    let chunks = [chunk];
    let error = restore(&new, &forged(export.manifest(), &chunks), old.latest().1, &chunks).unwrap_err();
    assert!(matches!(error, RestoreError::False { fault: ChunkFault::Records { max: 65_536 }, .. }), "{error}");
}

/// A small state in small chunks, with a value in pieces.
fn source() -> (tempfile::TempDir, Store, Export, Vec<Vec<u8>>) {
    let dir = common::dir();
    let store = open(dir.path(), 5);
    let mut changes = Changes::new();
    for n in 0..40_u8 {
        changes.set(COMPONENTS[usize::from(n % 2)], vec![n, 1], vec![n; 3]).unwrap();
    }
    changes.set("bank", b"long".to_vec(), (0..150).collect()).unwrap();
    commit(&store, 1, &changes);
    let (export, chunks) = export(&store, 100);
    assert!(chunks.len() > 6, "{}", chunks.len());
    (dir, store, export, chunks)
}

#[test]
fn a_chunk_that_the_manifest_does_not_describe_is_its_senders_lie() {
    let (_dir, store, export, chunks) = source();
    let (new_dir, root) = (common::dir(), store.latest().1);
    let new = open(new_dir.path(), 5);
    let mut restore = new.restore(export.manifest().clone(), root).unwrap();
    for (index, chunk) in (0..).zip(&chunks) {
        let mut lies = vec![Vec::new(), chunk[1..].to_vec(), [chunk.as_slice(), &[0]].concat()];
        lies.push(vec![0; CHUNK_MAX + 1]);
        lies.extend(chunks.iter().filter(|other| *other != chunk).cloned());
        for at in [0, 1, chunk.len() / 2, chunk.len() - 1] {
            lies.push(chunk.clone());
            lies.last_mut().unwrap()[at] ^= 1;
        }
        for lie in lies {
            let error = restore.apply(index, &lie).unwrap_err();
            assert!(matches!(error, RestoreError::Digest { index: at, .. } if at == index), "{error}");
            assert_eq!(error.blame(), Blame::Sender);
        }
        // Another sender has the right one. It is taken once, and in its turn.
        assert!(matches!(restore.apply(index + 1, chunk), Err(RestoreError::Order { .. })));
        restore.apply(index, chunk).unwrap();
        let again = restore.apply(index, chunk).unwrap_err();
        assert_eq!(again.blame(), Blame::Caller);
        assert_eq!(restore.is_complete(), index + 1 == export.manifest().chunks());
    }
    new.finish_restore(restore).unwrap();
    assert_eq!(new.latest(), store.latest());
}

/// The manifest goes along with the lie, so that only the trees can tell.
#[test]
fn no_byte_of_a_snapshot_can_be_altered() {
    let (_dir, store, export, chunks) = source();
    let (new_dir, root) = (common::dir(), store.latest().1);
    let new = open(new_dir.path(), 5);
    let (mut tried, mut late) = (0, 0);
    // Everything before the altered chunk is true and would be written each time: it is checked once, above.
    for (index, chunk) in (0..).zip(&chunks) {
        for at in 0..chunk.len() {
            let mut altered = chunks.clone();
            altered[index][at] ^= 1 << (at % 8);
            let manifest = forged(export.manifest(), &altered);
            let mut restore = new.restore(manifest, root).unwrap();
            let failed = (0..).zip(&altered).find_map(|(at, chunk)| restore.apply(at, chunk).err());
            let error = failed.unwrap_or_else(|| panic!("byte {at} of chunk {index} was altered and taken"));
            assert_eq!(error.blame(), Blame::Snapshot, "{error}");
            let RestoreError::False { index: found, .. } = error else { panic!("{error}") };
            late += u32::from(usize::try_from(found).unwrap() > index);
            // Nothing more of it is taken.
            assert!(matches!(restore.apply(found, &chunks[0]), Err(RestoreError::Order { .. })));
            tried += 1;
        }
    }
    assert!(tried > 600, "{tried}");
    assert!(late < 102, "{late}: only an altered piece shows later, when its value is complete");
    assert_eq!(new.latest().0, 0);
    assert!(!new_dir.path().join("restoring").exists());
    restore(&new, export.manifest(), root, &chunks).unwrap();
}

/// One fault of each kind, by name.
#[test]
fn false_chunks_have_a_name() {
    let (_dir, store, export, chunks) = source();
    let (new_dir, root) = (common::dir(), store.latest().1);
    let new = open(new_dir.path(), 5);
    let first = |chunk: Vec<u8>| {
        let manifest = forged(export.manifest(), std::slice::from_ref(&chunk));
        match new.restore(manifest, root).unwrap().apply(0, &chunk) {
            Err(RestoreError::False { index: 0, fault }) => fault,
            other => panic!("{other:?}"),
        }
    };
    let after_byte = |at: usize, bytes: &[u8]| [&chunks[0][..at], bytes].concat();
    assert_eq!(first(vec![]), ChunkFault::Form { at: 0 });
    assert_eq!(first(vec![9]), ChunkFault::Form { at: 0 });
    assert_eq!(first(vec![0]), ChunkFault::Turn);
    assert_eq!(first(vec![1, 5]), ChunkFault::Turn);
    assert_eq!(first(vec![0, 2, 1, 5, 1, 5]), ChunkFault::Component { got: 2, want: 1 });
    assert_eq!(first(vec![0, 9, 1, 5, 1, 5]), ChunkFault::Component { got: 9, want: 1 });
    assert_eq!(first(vec![0, 1, 0, 0]), ChunkFault::Empty { component: 1 });
    assert_eq!(first(vec![0, 1, 0x81, 0xfa, 0x01]), ChunkFault::Key { len: 32_001, max: KEY_MAX });
    assert!(matches!(first(vec![0, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]), ChunkFault::Key { .. }));
    assert!(matches!(first(vec![0, 1, 1, 5, 0]), ChunkFault::Value { len: 0, .. }));
    assert!(matches!(
        first(vec![0, 1, 1, 5, 0x81, 0x80, 0x80, 0x80, 0x01]),
        ChunkFault::Value { len: 268_435_457, .. }
    ));
    // A length that nothing follows makes nobody allocate it.
    assert_eq!(first(vec![0, 1, 1, 5, 0x80, 0x80, 0x80, 0x40]), ChunkFault::Form { at: 8 });
    assert_eq!(first(vec![0, 1, 1, 0, 4, b'w', b'a', b's', b'm']), ChunkFault::Sentinel { component: 1 });
    assert!(matches!(first(vec![0, 1, 1, 5, 1, 5, 0, 9]), ChunkFault::Form { .. }));
    assert_eq!(first(vec![0, 1, 1, 5, 1, 5, 0, 0]), ChunkFault::Proof { component: 1 });
    // The same entry twice.
    assert_eq!(first(vec![0, 1, 1, 5, 1, 5, 1, 5, 1, 5, 0, 0]), ChunkFault::Order { component: 1 });
    // The first entry of the state, proven as if there were no other.
    let length = 2 + 1 + usize::from(chunks[0][2]) + 1 + usize::from(chunks[0][3 + usize::from(chunks[0][2])]);
    assert_eq!(first(after_byte(length, &[0, 0])), ChunkFault::Proof { component: 1 });

    // Entries where a piece is due, and a piece that is empty.
    let long = chunks.iter().position(|chunk| chunk[0] == 1).unwrap();
    for (lie, want) in [(chunks[0].clone(), ChunkFault::Turn), (vec![1], ChunkFault::Pieces { len: 0 })] {
        let altered: Vec<_> = chunks[..long].iter().cloned().chain([lie]).collect();
        let failed = restore(&new, &forged(export.manifest(), &altered), root, &altered);
        assert!(matches!(failed, Err(RestoreError::False { fault, .. }) if fault == want));
    }
    // Too few chunks.
    for kept in 1..chunks.len() {
        let error = restore(&new, &forged(export.manifest(), &chunks[..kept]), root, &chunks[..kept]).unwrap_err();
        assert!(matches!(error, RestoreError::Incomplete { .. }), "{error}");
        assert_eq!(error.blame(), Blame::Snapshot);
    }
    // One more than the state has.
    let more: Vec<_> = chunks.iter().chain([&chunks[0]]).cloned().collect();
    let error = restore(&new, &forged(export.manifest(), &more), root, &more).unwrap_err();
    assert!(matches!(error, RestoreError::False { fault: ChunkFault::Component { want: 3, .. }, .. }), "{error}");
}

#[test]
fn false_manifests_are_refused_before_a_chunk_is_loaded() {
    let (_dir, store, export, _) = source();
    let (new_dir, root) = (common::dir(), store.latest().1);
    let new = open(new_dir.path(), 5);
    let honest = Wire::decode(export.manifest().encode().as_slice()).unwrap();
    let refused = |change: fn(&mut Wire)| {
        let mut wire = honest.clone();
        change(&mut wire);
        let error = new.restore(Manifest::decode(&wire.encode_to_vec()).unwrap(), root).err().unwrap();
        assert_eq!(error.blame(), Blame::Snapshot);
        error.to_string()
    };
    let app_hash = "the snapshot's roots make another app hash than the one of height 1";
    assert_eq!(refused(|wire| wire.roots[0] ^= 1), app_hash);
    assert_eq!(refused(|wire| wire.roots.rotate_left(32)), app_hash);
    let components = "the snapshot has the components wasm, bank, this program has bank, wasm";
    assert_eq!(refused(|wire| wire.components = "wasm\nbank".into()), components);
    assert!(matches!(new.restore(export.manifest().clone(), [0; 32]), Err(RestoreError::AppHash { height: 1 })));
    assert!(!new_dir.path().join("restoring").exists());
}

#[test]
fn a_state_with_blocks_is_not_replaced() {
    let (_dir, store, export, chunks) = source();
    let (new_dir, root) = (common::dir(), store.latest().1);
    let new = open(new_dir.path(), 5);
    let begun = new.restore(export.manifest().clone(), root).unwrap();
    assert!(matches!(new.restore(export.manifest().clone(), root), Err(RestoreError::Busy)));
    drop(begun);
    restore(&new, export.manifest(), root, &chunks).unwrap();
    // The engine died before it noted the restoration: it begins again, with another height.
    commit(&store, 2, &block(2));
    let (later, chunks) = self::export(&store, 100);
    restore(&new, later.manifest(), store.latest().1, &chunks).unwrap();
    assert_eq!(new.latest(), store.latest());

    let mut racing = new.restore(later.manifest().clone(), store.latest().1).unwrap();
    (0..).zip(&chunks).for_each(|(index, chunk)| racing.apply(index, chunk).unwrap());
    commit(&new, 3, &block(3));
    assert!(matches!(new.finish_restore(racing), Err(RestoreError::NotEmpty { height: 3 })));
    let refused = new.restore(later.manifest().clone(), store.latest().1).err().unwrap();
    assert_eq!(refused.to_string(), "the state holds height 3 already; remove it to restore a snapshot");
    assert_eq!(new.latest().0, 3);
}

#[test]
fn what_reads_goes_on_while_a_state_is_replaced() {
    let (_dir, store, export, chunks) = source();
    let new_dir = common::dir();
    let new = open(new_dir.path(), 5);
    let empty = new.snapshot();
    restore(&new, export.manifest(), store.latest().1, &chunks).unwrap();
    let first = new.snapshot();
    let want: Vec<_> = first.range("bank", None, None, Order::Ascending).map(Result::unwrap).collect();
    restore(&new, export.manifest(), store.latest().1, &chunks).unwrap();
    assert_eq!(empty.range("bank", None, None, Order::Ascending).count(), 0);
    let still: Vec<_> = first.range("bank", None, None, Order::Ascending).map(Result::unwrap).collect();
    assert_eq!(still, want);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            // The store may merge files meanwhile.
            match std::fs::copy(entry.path(), target) {
                Err(gone) if gone.kind() == std::io::ErrorKind::NotFound => {}
                copied => drop(copied.unwrap()),
            }
        }
    }
}

/// The folder is copied at every write of a restoration, the last one included: each copy is what a process that is
/// killed there leaves behind.
#[test]
fn a_restoration_that_is_cut_off_leaves_a_new_store() {
    let (_dir, store, export, chunks) = source();
    let root = store.latest().1;
    let dir = common::dir();
    let home = dir.path().join("home");
    let images = Arc::new(Mutex::new(Vec::new()));
    let fail = {
        let (home, dir, images) = (home.clone(), dir.path().to_path_buf(), Arc::clone(&images));
        move |_, moment: Moment<'_>| {
            if matches!(moment, Moment::Written(_)) && home.join("restoring").exists() {
                let mut images = images.lock().unwrap();
                let image = dir.join(format!("image-{}", images.len()));
                copy(&home, &image);
                images.push(image);
            }
        }
    };
    let options = Options { cache_bytes: 8 << 20, fail: Some(Arc::new(fail)), ..Options::new(COMPONENTS, 5) };
    let new = Store::open(&home, options).unwrap();
    restore(&new, export.manifest(), root, &chunks).unwrap();
    assert_eq!(new.latest(), store.latest());
    let images = std::mem::take(&mut *images.lock().unwrap());
    // Four chunks at a time, and the head.
    assert_eq!(images.len(), chunks.len().div_ceil(4) + 1);
    for image in images {
        assert!(image.join("restoring").exists());
        let cut = open(&image, 5);
        assert_eq!(cut.latest().0, 0);
        assert!(!image.join("restoring").exists());
        restore(&cut, export.manifest(), root, &chunks).unwrap();
        assert_eq!(cut.latest(), store.latest());
    }
}

#[test]
fn an_export_can_be_stopped_and_needs_a_height() {
    let dir = common::dir();
    let store = open(dir.path(), 5);
    let unproven = store.snapshot().export(CHUNK_BYTES, &|| false);
    assert!(matches!(unproven, Err(StateError::Unproven { version: 0 })));
    commit(&store, 1, &block(1));
    assert_eq!(store.snapshot().export(CHUNK_BYTES, &|| true).unwrap(), None);
    assert_eq!(Export::decode(b"x"), None);
    let taken = store.snapshot().export(CHUNK_BYTES, &|| false).unwrap().unwrap();
    let bytes = taken.encode();
    assert_eq!(Export::decode(&bytes[..bytes.len() - 1]), None);
}

/// The bytes of a chunk are what nodes agree upon: another form is another format.
#[test]
fn chunks_do_not_change() {
    let dir = common::dir();
    let store = open(dir.path(), 5);
    let mut changes = Changes::new();
    changes.set("bank", b"a".to_vec(), b"1".to_vec()).unwrap();
    changes.set("wasm", b"b".to_vec(), vec![2; 65]).unwrap();
    commit(&store, 7, &changes);
    let (export, chunks) = export(&store, 64);
    let mut lines: Vec<String> = chunks.iter().map(hex::encode).collect();
    lines.push(hex::encode(Manifest::hash(&export.manifest().encode())));
    expect_test::expect![[r#"
        000101000462616e6b0161013100010201624164f023a6cb9d7668a02588ce41fec64b78b414f4b314fc51e73c945c7f9ec2020002530c3c9c01b08562060299f292749f4bcf33d93874100788873f90e6e180c9bb5350415253455f4d45524b4c455f504c414345484f4c4445525f484153485f5f
        0102020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202
        0102
        00020100047761736d00025350415253455f4d45524b4c455f504c414345484f4c4445525f484153485f5f
        ad399cb7ae344705215f87f2946111d26e45fa9b6ecaa395b90a46e7e803de03"#]].assert_eq(&lines.join("\n"));
}
