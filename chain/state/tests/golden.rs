//! The shape of the app hash and of its proofs. A difference here forks the chain and breaks every receipt:
//! change it only together with the layout number and a migration, never by re-recording alone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use aceso_state::{Changes, EMPTY_ROOT, Options, Store, proof_spec_json};
use common::{block, open};
use expect_test::{Expect, expect};
use prost::Message as _;
use sha2::{Digest as _, Sha256};

fn check(bytes: impl AsRef<[u8]>, want: Expect) {
    want.assert_eq(&hex::encode(bytes));
}

#[test]
fn the_empty_root_does_not_change() {
    assert_eq!(EMPTY_ROOT, *b"SPARSE_MERKLE_PLACEHOLDER_HASH__");
}

#[test]
fn app_hashes_do_not_change() {
    let dir = common::dir();
    let store = open(dir.path(), 10);
    let commit = |version: u64, changes: &Changes| {
        store.commit(store.stage(version, changes).unwrap()).unwrap();
        store.latest().1
    };
    let mut two = Changes::new();
    two.set("bank", b"balances/alice".to_vec(), b"5000".to_vec()).unwrap();
    two.set("wasm", b"code/1".to_vec(), b"\0asm".to_vec()).unwrap();
    check(commit(1, &Changes::new()), expect!["affcd0cda28e605ddf412961e9a86ce773f79762b8a1d92ed146ee3f40ee4fe5"]);
    check(commit(2, &two), expect!["59804a7026f85dcbd8c1ad869044239d29ad5e10c0093e9a5c18818f7fbacc8b"]);
    two.remove("bank", b"balances/alice");
    check(commit(3, &two), expect!["587f1ddbb76ab7cd2573f9bc0d383cdcfae777cd8a1d4de0bd737e6057ff6b20"]);
    check(commit(4, &block(4)), expect!["817398410c9f63cc2479119f1851edae39773a9c932cbd59fb0051ee03cf97a0"]);
}

#[test]
fn the_order_of_components_is_not_in_the_app_hash_but_their_set_is() {
    let root = |components| {
        let dir = common::dir();
        let store = Store::open(dir.path(), Options::new(components, 1)).unwrap();
        store.stage(1, &block(1)).unwrap().root()
    };
    assert_eq!(root(&["bank", "wasm"]), root(&["wasm", "bank"]));
    assert_ne!(root(&["bank", "wasm"]), root(&["wasm", "bank", "reads"]));
}

#[test]
fn proofs_do_not_change() {
    let dir = common::dir();
    let store = open(dir.path(), 10);
    store.commit(store.stage(1, &block(1)).unwrap()).unwrap();
    let digest = |key: &[u8]| {
        let proof = store.snapshot().prove("bank", key).unwrap();
        let bytes = [proof.component.encode_to_vec(), proof.app.encode_to_vec()].concat();
        Sha256::digest(bytes)
    };
    check(digest(b"key/003"), expect!["eab80f8010834be8a9bce73e110356559c19bc06226ef95270f9d890e4bf746a"]);
    check(digest(b"nobody"), expect!["fae3e28600ca098985b757040164f34dc5d5135a0c0e2f80c7876f58bede2bb9"]);
}

#[test]
fn the_proof_spec_does_not_change() {
    expect![[r#"{"inner_spec":{"child_order":[0,1],"child_size":32,"empty_child":"U1BBUlNFX01FUktMRV9QTEFDRUhPTERFUl9IQVNIX18=","hash":"SHA256","max_prefix_length":16,"min_prefix_length":16},"leaf_spec":{"hash":"SHA256","length":"NO_PREFIX","prefix":"Sk1UOjpMZWFmTm9kZQ==","prehash_key":"SHA256","prehash_value":"SHA256"},"max_depth":256,"min_depth":0,"prehash_key_before_comparison":true}"#]].assert_eq(&proof_spec_json());
}
