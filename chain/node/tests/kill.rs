//! `kill -9` of `aceso dev` at any moment, under load: nothing that was reported as committed is lost, and the state
//! that is left is the one that the blocks give from genesis.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests wait and look at the clock")]

mod common;

use std::{
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use common::{Node, Wallet, alice};
use serde_json::{Value, json};

/// How often the node is killed.
const KILLS: usize = 20;
/// Where the pauses before the kills come from: the same in every run.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// xorshift64: pauses need no better.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Sends until the node is gone; remembers the hashes of what it said was committed.
fn load(node: &Node, wallet: &Wallet, committed: &Mutex<Vec<String>>, over: &AtomicBool) {
    let chain_id = node.told["chain_id"].as_str().unwrap();
    while !over.load(Ordering::Relaxed) {
        let Ok(account) = wallet.account(node) else { return };
        let tx = wallet.send(chain_id, account.account_number, account.sequence);
        let Ok(answer) = node.call("broadcast_tx_commit", json!({"tx": STANDARD.encode(&tx)})) else { continue };
        assert_eq!(answer["check_tx"]["code"], 0, "{answer}");
        assert_eq!(answer["tx_result"]["code"], 0, "{answer}");
        committed.lock().unwrap().push(answer["hash"].as_str().unwrap().into());
    }
}

fn assert_all_there(node: &Node, committed: &[String]) {
    for hash in committed {
        let found = node.call("tx", json!({"hash": STANDARD.encode(hex::decode(hash).unwrap())}));
        assert_eq!(found.as_ref().map(|tx| &tx["hash"]), Ok(&Value::from(hash.as_str())), "{found:?}");
    }
}

fn app_hashes(node: &Node) -> Vec<Value> {
    let last: u64 =
        node.call("status", json!({})).unwrap()["sync_info"]["latest_block_height"].as_str().unwrap().parse().unwrap();
    (1..=last)
        .map(|height| node.call("block_results", json!({"height": height.to_string()})).unwrap()["app_hash"].take())
        .collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target)
        } else {
            std::fs::copy(entry.path(), target).map(|_| ()).unwrap()
        }
    }
}

#[test]
fn twenty_kills_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    let fund = alice(&home);
    let wallet = Wallet::open(&home.join("keys/alice.mnemonic"));
    let committed = Mutex::new(Vec::new());
    let mut random = SEED;
    for _ in 0..KILLS {
        let mut node = Node::start(&home, &["--fund", &fund]);
        assert_all_there(&node, &committed.lock().unwrap());
        let pause = Duration::from_millis(20 + next(&mut random) % 200);
        let (over, child) = (AtomicBool::new(false), node.child.id().to_string());
        std::thread::scope(|scope| {
            let loading = scope.spawn(|| load(&node, &wallet, &committed, &over));
            std::thread::sleep(pause);
            let killed = std::process::Command::new("kill").args(["-9", &child]).status().unwrap();
            assert!(killed.success());
            over.store(true, Ordering::Relaxed);
            loading.join().unwrap();
        });
        node.child.wait().unwrap();
    }
    let committed = committed.into_inner().unwrap();
    assert!(committed.len() >= KILLS, "only {} transactions got through, the kills were no test", committed.len());

    let node = Node::start(&home, &[]);
    assert_all_there(&node, &committed);
    let sequence = wallet.account(&node).unwrap().sequence;
    assert!(sequence >= committed.len() as u64);
    let hashes = app_hashes(&node);
    assert_eq!(node.stop(), 0);

    // The same blocks from genesis, into an empty state.
    let replayed = directory.path().join("replayed");
    copy(&home, &replayed);
    std::fs::remove_dir_all(replayed.join("data/state")).unwrap();
    let node = Node::start(&replayed, &[]);
    let again = app_hashes(&node);
    assert_eq!(again[..hashes.len()], hashes);
    assert_eq!(wallet.account(&node).unwrap().sequence, sequence);
    assert_eq!(node.stop(), 0);
}
