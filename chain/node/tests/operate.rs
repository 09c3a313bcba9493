//! What an operator does to a home: look at it, go back, drop what is old, give space back; and what is left when any of
//! that is cut off.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests wait and look at the clock")]

mod common;

use std::{path::Path, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use common::{Node, Wallet, aceso, alice, load::assert_all_there, run};
use serde_json::{Value, json};

/// Sends transactions, one after the other; their hashes.
fn send(node: &Node, wallet: &Wallet, count: usize) -> Vec<String> {
    let chain_id = node.told["chain_id"].as_str().unwrap();
    let one = |_| {
        let account = wallet.account(node).unwrap();
        let tx = wallet.send(chain_id, account.account_number, account.sequence);
        let answer = node.call("broadcast_tx_commit", json!({"tx": STANDARD.encode(&tx)})).unwrap();
        assert_eq!(answer["tx_result"]["code"], 0, "{answer}");
        answer["hash"].as_str().unwrap().to_owned()
    };
    (0..count).map(one).collect()
}

/// App hashes of all blocks from one on, as the results of the blocks name them.
fn hashes(node: &Node, from: u64) -> Vec<String> {
    let status = node.call("status", json!({})).unwrap();
    let last: u64 = status["sync_info"]["latest_block_height"].as_str().unwrap().parse().unwrap();
    let hash = |height: u64| {
        let results = node.call("block_results", json!({"height": height.to_string()})).unwrap();
        hex::encode_upper(STANDARD.decode(results["app_hash"].as_str().unwrap()).unwrap())
    };
    (from..=last).map(hash).collect()
}

/// A verb over a home, in JSON.
fn told(home: &Path, verb: &[&str]) -> Value {
    let (code, out, error) = run(&[verb, &["--home", home.to_str().unwrap(), "--json"]].concat());
    assert_eq!(code, 0, "{verb:?}: {error}");
    serde_json::from_str(&out).unwrap()
}

/// The sentence with which a verb is refused.
fn refused(home: &Path, verb: &[&str]) -> String {
    let (code, out, error) = run(&[verb, &["--home", home.to_str().unwrap()]].concat());
    assert_eq!((code, out.as_str()), (1, ""), "{verb:?}: {error}");
    error.lines().last().unwrap().to_owned()
}

fn number(value: &Value) -> u64 {
    value.as_str().unwrap().parse().unwrap()
}

/// A stopped home with some blocks; its app hashes from block 1 on, and the transactions.
fn stopped(home: &Path, txs: usize) -> (Wallet, Vec<String>, Vec<String>) {
    let fund = alice(home);
    let wallet = Wallet::open(&home.join("keys/alice.mnemonic"));
    let node = Node::start(home, &["--fund", &fund]);
    let sent = send(&node, &wallet, txs);
    // The empty block behind the last transaction.
    std::thread::sleep(Duration::from_millis(100));
    let hashes = hashes(&node, 1);
    assert_eq!(node.stop(), 0);
    (wallet, hashes, sent)
}

#[test]
fn a_chain_goes_back_and_on() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    let (wallet, hashes, sent) = stopped(&home, 6);
    let last = hashes.len() as u64;
    let hash_of = |height: u64| hashes[usize::try_from(height - 1).unwrap()].as_str();

    let kept = told(&home, &["rollback", "--keep-blocks", "--heights", "3"]);
    assert_eq!((number(&kept["height"]), number(&kept["blocks"])), (last - 3, last));
    assert_eq!(kept["app_hash"].as_str().unwrap(), hash_of(last - 3));
    let node = Node::start(&home, &[]);
    assert_eq!(self::hashes(&node, 1)[..hashes.len()], hashes);
    assert_all_there(&node, &sent);
    assert_eq!(node.stop(), 0);

    let before = told(&home, &["status"]);
    let height = number(&before["height"]);
    let back = told(&home, &["rollback", "--heights", &(height - 4).to_string()]);
    assert_eq!((number(&back["height"]), number(&back["blocks"])), (4, 4));
    let now = told(&home, &["status"]);
    assert_eq!((number(&now["height"]), &now["blocks"][1]), (4, &json!("4")));
    assert_eq!(now["app_hash"].as_str().unwrap(), hash_of(4));
    let node = Node::start(&home, &[]);
    assert_eq!(self::hashes(&node, 1)[..4], hashes[..4]);
    let gone = node.call("tx", json!({"hash": STANDARD.encode(hex::decode(&sent[5]).unwrap())}));
    assert!(gone.is_err(), "{gone:?}");
    // The chain goes on from there; what was undone can be sent again, and searches find nothing twice.
    let again = send(&node, &wallet, 6);
    assert_all_there(&node, &again);
    let query = format!("message.sender = '{}'", wallet.address);
    let found = node.call("tx_search", json!({"query": query, "per_page": "100"})).unwrap();
    let sequence = wallet.account(&node).unwrap().sequence;
    assert_eq!(number(&found["total_count"]), sequence);
    assert_eq!(node.stop(), 0);

    assert!(refused(&home, &["rollback", "--heights", "1000"]).contains("cannot go back to height 0"));
}

#[test]
fn old_heights_are_dropped_and_the_space_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    let (wallet, hashes, _) = stopped(&home, 30);
    let last = hashes.len() as u64;
    let pruned = told(&home, &["prune", "--keep", "5"]);
    assert_eq!((number(&pruned["oldest"]), number(&pruned["first_block"])), (last - 5, last - 5));
    assert_eq!((number(&pruned["oldest_before"]), number(&pruned["first_block_before"])), (0, 1));
    let same = told(&home, &["prune", "--keep", "5"]);
    assert_eq!(same["oldest"], pruned["oldest"]);
    let compacted = told(&home, &["compact"]);
    assert!(compacted["after"].as_u64().unwrap() < compacted["before"].as_u64().unwrap(), "{compacted}");
    let (_, text, _) = run(&["compact", "--home", home.to_str().unwrap()]);
    assert!(text.contains("blocks.redb") && text.lines().last().unwrap().starts_with("together"), "{text}");

    let node = Node::start(&home, &[]);
    let first = last - 5;
    let kept = self::hashes(&node, first);
    assert_eq!(kept[..6], hashes[usize::try_from(first - 1).unwrap()..]);
    let status = node.call("status", json!({})).unwrap();
    assert_eq!(number(&status["sync_info"]["earliest_block_height"]), first);
    let gone = node.call("block", json!({"height": "2"})).unwrap_err();
    assert!(gone.contains(&format!("height 2 is not available, lowest height is {first}")), "{gone}");
    send(&node, &wallet, 3);
    assert_eq!(node.stop(), 0);
    assert!(
        refused(&home, &["rollback", "--heights", "20"])
            .contains(&format!("the blocks of this chain begin at {first}"))
    );
}

#[test]
fn a_node_says_how_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    let (_, hashes, _) = stopped(&home, 2);
    let still = told(&home, &["status"]);
    assert_eq!((&still["running"], number(&still["height"])), (&json!(false), hashes.len() as u64));
    assert_eq!(still["app_hash"].as_str().unwrap(), hashes.last().unwrap());
    assert_eq!(
        (&still["engine"], &still["own_power"], &still["power"]),
        (&json!("embedded"), &json!("10"), &json!("10"))
    );
    assert_eq!(still["validators"].as_array().unwrap().len(), 1);
    assert!(still["disk"]["state"].as_u64().unwrap() > 0 && still["disk"]["blocks.redb"].as_u64().unwrap() > 0);
    assert_eq!((&still["blobs_wanted"], &still["upgrade"]), (&json!(0), &Value::Null));

    assert_eq!(still["snapshots"], json!([]));
    told(&home, &["snapshot", "take"]);
    assert_eq!(told(&home, &["status"])["snapshots"], json!([hashes.len().to_string()]));
    told(&home, &["rollback", "--keep-blocks"]);
    assert_eq!(told(&home, &["status"])["snapshots"], json!([]));

    let node = Node::start(&home, &[]);
    let at = ["status", "--node", &node.rpc, "--rest", &node.rest, "--json"];
    let (_, out, error) = run(&at);
    let there: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{error}"));
    assert_eq!((&there["running"], &there["catching_up"]), (&json!(true), &json!(false)));
    assert_eq!((&there["own_power"], &there["blobs_held"]), (&json!("10"), &json!(0)));
    // A home that runs somewhere else than where it is looked for.
    let locked = told(&home, &["status", "--rest", &node.rest]);
    assert!(locked["running"] == true && locked["unanswered"].is_string(), "{locked}");
    let (_, text, _) = run(&["status", "--home", home.to_str().unwrap()]);
    assert!(text.contains("runs (the home is locked) and does not answer"), "{text}");
    for verb in [["rollback"].as_slice(), &["prune", "--keep", "1"], &["compact"]] {
        assert!(refused(&home, verb).starts_with("error: another node is using"), "{verb:?}");
    }
    assert_eq!(node.stop(), 0);
    let (_, text, _) = run(&["status", "--home", home.to_str().unwrap()]);
    assert!(text.contains("node        stopped") && text.contains("this node   power 10 of 10"), "{text}");
}

#[test]
fn a_home_without_a_chain_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("nothing");
    for verb in [["status"].as_slice(), &["rollback"], &["prune"], &["compact"]] {
        assert!(refused(&home, verb).contains("holds no chain"), "{verb:?}");
        assert!(!home.exists());
    }
    let fresh = directory.path().join("fresh");
    told(&fresh, &["init"]);
    assert_eq!(told(&fresh, &["status"])["height"], "0");
    for verb in [["rollback"].as_slice(), &["prune"], &["compact"]] {
        assert!(refused(&fresh, verb).contains("has made no block yet"), "{verb:?}");
    }
    for wrong in [["rollback", "--heights", "0"], ["prune", "--keep", "0"], ["rollback", "--heights", "x"]] {
        assert_eq!(run(&wrong).0, 2, "{wrong:?}");
    }
    let unreachable = run(&["status", "--node", "127.0.0.1:1"]);
    assert_eq!(unreachable.0, 1);
    assert!(unreachable.2.contains("127.0.0.1:1"), "{}", unreachable.2);
}

/// Each verb is killed at some moment, again and again: whatever it has done by then, the node starts, at a height
/// that it had, and every height has the app hash that it had.
#[test]
fn verbs_that_are_cut_off_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    let (_, mut hashes, _) = stopped(&home, 60);
    let path = home.to_str().unwrap();
    let verbs: [&[&str]; 4] =
        [&["rollback", "--heights", "3", "--keep-blocks"], &["compact"], &["rollback", "--heights", "2"], &["prune"]];
    for (round, pause) in [2, 5, 9, 14, 20, 30, 45, 60].into_iter().enumerate() {
        let mut verb = verbs[round % 4].to_vec();
        let keep = (40 - 2 * round).to_string();
        if verb == ["prune"] {
            verb.extend(["--keep", &keep]);
        }
        let mut child = aceso(&[&verb[..], &["--home", path]].concat()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(pause));
        child.kill().unwrap();
        child.wait().unwrap();
        let node = Node::start(&home, &[]);
        let status = node.call("status", json!({})).unwrap();
        let first = number(&status["sync_info"]["earliest_block_height"]);
        let now = self::hashes(&node, first);
        let before = &hashes[usize::try_from(first - 1).unwrap()..];
        // What was undone for good is made again, at another time.
        let same = now.iter().zip(before).take_while(|(now, before)| now == before).count();
        assert!(
            same >= before.len().min(now.len()).saturating_sub(2),
            "{verb:?} after {pause} ms: {same} of {}",
            before.len()
        );
        hashes.truncate(usize::try_from(first - 1).unwrap() + same);
        hashes.extend_from_slice(&now[same..]);
        assert_eq!(node.stop(), 0);
    }
}

/// Copies the keys of a validator into a home that has none.
fn with_keys_of(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.join("config")).unwrap();
    for key in ["config/priv_validator_key.json", "config/attest_key.json"] {
        std::fs::copy(from.join(key), to.join(key)).unwrap();
    }
}

#[test]
fn a_state_goes_on_as_another_chain() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    let (wallet, hashes, _) = stopped(&home, 5);
    let last = hashes.len() as u64;
    let file = directory.path().join("exported.json");
    let at = file.to_str().unwrap();
    let exported = told(&home, &["export", "--out", at]);
    assert_eq!(number(&exported["initial_height"]), last + 1);
    // The same bytes wherever they go.
    assert_eq!(told(&home, &["export", "--out", at])["sha256"], exported["sha256"]);
    let (_, out, error) = run(&["export", "--home", home.to_str().unwrap()]);
    assert_eq!(out.as_bytes(), std::fs::read(&file).unwrap(), "{error}");

    let other = directory.path().join("other");
    with_keys_of(&home, &other);
    let begun = told(&other, &["init", "--genesis", at]);
    assert_eq!(begun["chain_id"], exported["chain_id"]);
    assert_eq!(std::fs::read(other.join("config/genesis.json")).unwrap(), std::fs::read(&file).unwrap());
    let node = Node::start(&other, &[]);
    let first = node.call("block", json!({"height": (last + 1).to_string()})).unwrap();
    assert_eq!(first["block"]["header"]["app_hash"], exported["app_hash"]);
    assert_eq!(first["block"]["header"]["last_block_id"]["hash"], "");
    let balance = wallet.account(&node).unwrap().sequence;
    assert_eq!(balance, 5);
    let sent = send(&node, &wallet, 3);
    assert_all_there(&node, &sent);
    let made = self::hashes(&node, last + 1);
    assert_eq!(node.stop(), 0);
    assert!(refused(&other, &["rollback", "--heights", "100"]).contains("the blocks of this chain begin at"));
    // Killed, it executes again what it has decided; also from its first block on.
    std::fs::remove_dir_all(other.join("data/state")).unwrap();
    let node = Node::start(&other, &[]);
    assert_eq!(self::hashes(&node, last + 1)[..made.len()], made);
    assert_eq!(node.stop(), 0);

    let trial = directory.path().join("trial");
    told(&trial, &["init", "--genesis", at, "--own-validator"]);
    let node = Node::start(&trial, &[]);
    assert_all_there(&node, &send(&node, &wallet, 2));
    assert_eq!(node.stop(), 0);
    let status = told(&trial, &["status"]);
    assert_eq!((&status["own_power"], &status["power"]), (&json!("10"), &json!("10")));
}

#[test]
fn a_genesis_that_cannot_be_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    let (_, hashes, _) = stopped(&home, 2);
    let file = directory.path().join("exported.json");
    let at = file.to_str().unwrap();
    for (verb, words) in [
        (vec!["export", "--height", "1000"], "is not committed yet"),
        (vec!["export", "--chain-id", "bad id!"], "the name of a chain is"),
        (vec!["export", "--out", "/nowhere/file"], "cannot write /nowhere/file"),
        (vec!["init", "--genesis", at], "holds a chain already"),
    ] {
        let told = refused(&home, &verb);
        assert!(told.contains(words), "{verb:?}: {told}");
    }
    told(&home, &["export", "--out", at]);
    let new = directory.path().join("new");
    let whole: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let wrong = |change: &dyn Fn(&mut Value)| {
        let mut document = whole.clone();
        change(&mut document);
        std::fs::write(&file, document.to_string()).unwrap();
        refused(&new, &["init", "--genesis", at])
    };
    let next = hashes.len() as u64 + 1;
    let told = wrong(&|document| document["initial_height"] = "1".into());
    assert!(told.contains(&format!("initial_height is 1, and the state in it ends just before {next}")), "{told}");
    let told = wrong(&|document| document["app_state"]["state"]["components"][0]["rows"][0][0] = "%61".into());
    assert!(told.contains("is not the spelling of a key"), "{told}");
    let told = wrong(&|document| document["app_state"]["balances"] = json!([{"address": "a", "coins": []}]));
    assert!(told.contains("no balances"), "{told}");
    std::fs::write(&file, &whole.to_string()[..500]).unwrap();
    assert!(refused(&new, &["init", "--genesis", at]).contains("exported.json: EOF"));
    assert!(refused(&new, &["init", "--genesis", "/nowhere"]).contains("cannot read /nowhere"));
    assert_eq!(run(&["init", "--genesis", at, "--chain-id", "x-1"]).0, 2);
    assert_eq!(run(&["init", "--own-validator"]).0, 2);

    // What only the state itself can tell is told at the start.
    let mut document = whole.clone();
    document["app_state"]["params"]["memo_bytes_max"] = 1.into();
    std::fs::write(&file, document.to_string()).unwrap();
    with_keys_of(&home, &new);
    self::told(&new, &["init", "--genesis", at]);
    let told = refused(&new, &["dev", "--rpc", "127.0.0.1:0", "--rest", "127.0.0.1:0", "--grpc", "off"]);
    assert!(told.contains("app_state.state.app_hash") && told.contains("it was cut or changed"), "{told}");
}
