//! Transactions without end, and what must be left of them after a crash.

use std::{
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Node, Wallet};

/// Sends until the node is gone or it is over; remembers the hashes of what the node said was committed.
pub(crate) fn load(node: &Node, wallet: &Wallet, committed: &Mutex<Vec<String>>, over: &AtomicBool) {
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

/// Every one of these transactions is in a block.
pub(crate) fn assert_all_there(node: &Node, committed: &[String]) {
    for hash in committed {
        let found = node.call("tx", json!({"hash": STANDARD.encode(hex::decode(hash).unwrap())}));
        assert_eq!(found.as_ref().map(|tx| &tx["hash"]), Ok(&Value::from(hash.as_str())), "{found:?}");
    }
}

/// A home that crashed has lost nothing: every transaction is there, and the same blocks from genesis, into an empty
/// state, give the same app hash at every height.
pub(crate) fn assert_nothing_lost(home: &Path, wallet: &Wallet, committed: &[String]) {
    let node = Node::start(home, &[]);
    assert_all_there(&node, committed);
    let sequence = wallet.account(&node).unwrap().sequence;
    assert!(sequence >= committed.len() as u64);
    let hashes = app_hashes(&node);
    assert_eq!(node.stop(), 0);

    let directory = tempfile::tempdir().unwrap();
    let replayed = directory.path().join("replayed");
    copy(home, &replayed);
    std::fs::remove_dir_all(replayed.join("data/state")).unwrap();
    let node = Node::start(&replayed, &[]);
    let again = app_hashes(&node);
    assert_eq!(again[..hashes.len()], hashes);
    assert_eq!(wallet.account(&node).unwrap().sequence, sequence);
    assert_eq!(node.stop(), 0);
}

pub(crate) fn app_hashes(node: &Node) -> Vec<Value> {
    let last: u64 =
        node.call("status", json!({})).unwrap()["sync_info"]["latest_block_height"].as_str().unwrap().parse().unwrap();
    (1..=last)
        .map(|height| node.call("block_results", json!({"height": height.to_string()})).unwrap()["app_hash"].take())
        .collect()
}

pub(crate) fn copy(from: &Path, to: &Path) {
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
