//! Bad input and bad folders: each has its own error, and nothing is lost by it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use aceso_state::{Changes, Delta, Options, Order, StateError, Store};
use common::{COMPONENTS, block, open};

fn refusal(dir: &Path, options: Options) -> String {
    match Store::open(dir, options) {
        Ok(_) => panic!("the folder was opened"),
        Err(error) => error.to_string().replace(&dir.display().to_string(), "DIR"),
    }
}

#[test]
fn a_second_store_on_one_folder_is_refused_with_a_sentence() {
    let dir = common::dir();
    let store = open(dir.path(), 5);
    let sentence = "state in DIR is in use by another node; stop that one or choose another home";
    assert_eq!(refusal(dir.path(), Options::new(COMPONENTS, 5)), sentence);
    drop(store);
    open(dir.path(), 5);
}

#[test]
fn other_components_are_refused() {
    let dir = common::dir();
    drop(open(dir.path(), 5));
    let sentence = "state has the components bank, wasm, this program has wasm, bank";
    assert_eq!(refusal(dir.path(), Options::new(&["wasm", "bank"], 5)), sentence);
    open(dir.path(), 5);
}

#[test]
fn components_that_cannot_be_are_refused() {
    let dir = common::dir();
    for (components, why) in [
        (&[][..], "components  cannot be used: there must be 1 to 254 of them"),
        (&["a", "b", "a"], "components a, b, a cannot be used: a name is there twice"),
        (&["a", ""], "components a,  cannot be used: a name is empty or has a line feed"),
    ] {
        assert_eq!(refusal(dir.path(), Options::new(components, 5)), why);
    }
}

#[test]
fn a_file_in_place_of_the_folder_is_refused() {
    let dir = common::dir();
    let file = dir.path().join("state");
    std::fs::write(&file, b"not a folder").unwrap();
    let sentence = "state store in DIR failed: File exists (os error 17)";
    assert_eq!(refusal(&file, Options::new(COMPONENTS, 5)), sentence);
    assert_eq!(std::fs::read(&file).unwrap(), b"not a folder");
}

#[test]
fn versions_come_one_after_the_other() {
    let dir = common::dir();
    let store = open(dir.path(), 5);
    assert!(matches!(store.stage(0, &block(1)), Err(StateError::OutOfOrder { version: 0, latest: 0 })));
    let (one, also_one) = (store.stage(1, &block(1)).unwrap(), store.stage(1, &block(2)).unwrap());
    store.commit(one).unwrap();
    let latest = store.latest();
    assert!(matches!(store.commit(also_one), Err(StateError::OutOfOrder { version: 1, latest: 1 })));
    for version in [0, 1, 3, u64::MAX] {
        assert!(matches!(store.stage(version, &block(1)), Err(StateError::OutOfOrder { latest: 1, .. })));
    }
    assert_eq!(store.latest(), latest);
    assert!(matches!(store.snapshot_at(2), Err(StateError::Future { version: 2, latest: 1 })));
}

#[test]
fn staging_reaches_no_disk() {
    let dir = common::dir();
    let store = open(dir.path(), 5);
    let staged = store.stage(1, &block(1)).unwrap();
    assert_eq!(store.snapshot().range("bank", None, None, Order::Ascending).count(), 0);
    drop(staged);
    drop(store);
    assert_eq!(open(dir.path(), 5).latest().0, 0);
}

#[test]
fn unknown_components_are_refused_everywhere() {
    let dir = common::dir();
    let store = open(dir.path(), 5);
    store.commit(store.stage(1, &block(1)).unwrap()).unwrap();
    let snapshot = store.snapshot();
    let unknown = |error: StateError| assert!(matches!(error, StateError::UnknownComponent { .. }), "{error}");
    unknown(snapshot.get("dex", b"k").unwrap_err());
    unknown(snapshot.prove("dex", b"k").unwrap_err());
    unknown(snapshot.range("dex", None, None, Order::Ascending).next().unwrap().unwrap_err());
    let mut delta = Delta::new(snapshot);
    unknown(delta.get("dex", b"k").unwrap_err());
    unknown(delta.set("dex", b"k".to_vec(), b"v".to_vec()).unwrap_err());
    unknown(delta.remove("dex", b"k").unwrap_err());
    unknown(delta.page("dex", None, None, Order::Ascending, None, 1).unwrap_err());
    let mut changes = Changes::new();
    changes.set("dex", b"k".to_vec(), b"v".to_vec()).unwrap();
    unknown(store.stage(2, &changes).err().unwrap());
}

#[test]
fn bounds_that_exclude_each_other_give_nothing() {
    let dir = common::dir();
    let store = open(dir.path(), 5);
    for version in 1..=3 {
        store.commit(store.stage(version, &block(version)).unwrap()).unwrap();
    }
    for snapshot in [store.snapshot(), store.snapshot_at(2).unwrap()] {
        let mut delta = Delta::new(snapshot);
        delta.set("bank", b"key/050".to_vec(), b"v".to_vec()).unwrap();
        for (start, end) in [(Some(&b"z"[..]), Some(&b"a"[..])), (Some(b"k"), Some(b"k")), (None, Some(b""))] {
            for order in [Order::Ascending, Order::Descending] {
                assert_eq!(delta.range("bank", start, end, order).count(), 0);
                assert!(delta.page("bank", start, end, order, Some(b"key/000"), 9).unwrap().is_empty());
            }
        }
    }
}

#[test]
fn keys_that_cannot_be_are_simply_absent() {
    let dir = common::dir();
    let store = open(dir.path(), 5);
    store.commit(store.stage(1, &block(1)).unwrap()).unwrap();
    let snapshot = store.snapshot();
    for key in [&[][..], &[0], &[9; 70_000]] {
        assert_eq!(snapshot.get("bank", key).unwrap(), None);
    }
    assert!(matches!(snapshot.prove("bank", b""), Err(StateError::EmptyKey { .. })));
}

#[test]
fn the_longest_keys_and_large_values_work() {
    let dir = common::dir();
    let store = open(dir.path(), 5);
    let zeros = vec![0; aceso_state::KEY_MAX];
    let model: Vec<u8> = (0..5_000_000u32).map(|i| (i % 251) as u8).collect();
    for version in 1..=2 {
        let mut changes = Changes::new();
        changes.set("wasm", zeros.clone(), vec![u8::try_from(version).unwrap()]).unwrap();
        changes.set("wasm", b"model".to_vec(), model.clone()).unwrap();
        store.commit(store.stage(version, &changes).unwrap()).unwrap();
    }
    drop(store);
    let store = open(dir.path(), 5);
    assert_eq!(store.snapshot().get("wasm", b"model").unwrap().unwrap(), model);
    let old = store.snapshot_at(1).unwrap();
    assert_eq!(old.get("wasm", &zeros).unwrap(), Some(vec![1]));
    let keys: Vec<_> = old.range("wasm", None, None, Order::Descending).map(|entry| entry.unwrap().0).collect();
    assert_eq!(keys, [b"model".to_vec(), zeros]);
}
