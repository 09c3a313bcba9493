//! `kill -9` of `aceso dev`, and then a file of the home that ends too early or in other bytes: the node mends it or
//! refuses to start, in a sentence. It never panics, and never goes on with another state.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests look at their environment")]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use common::{
    Node, Wallet, aceso, alice, dev,
    load::{app_hashes, assert_all_there, copy, load},
    run,
};

/// Transactions in the home.
const TXS: usize = 12;

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Ways to damage the end of a file, by name.
fn damages(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    // Journals and databases are longer than what is in them.
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let altered = |back: usize| {
        let mut bytes = bytes.to_vec();
        bytes[end - back.min(end)] ^= 0x10;
        bytes
    };
    let zeroed = || {
        let mut bytes = bytes.to_vec();
        bytes[end - 40.min(end)..end].fill(0);
        bytes
    };
    match end {
        0 => Vec::new(),
        _ => vec![
            ("cut by a byte", bytes[..end - 1].to_vec()),
            ("cut in half", bytes[..end / 2].to_vec()),
            ("altered at its end", altered(1)),
            ("altered before its end", altered(60)),
            ("zeroed at its end", zeroed()),
        ],
    }
}

/// A home that was killed, with blocks, blobs, a snapshot and tables in files and in the journal; what was committed.
fn home(home: &Path) -> (Wallet, Vec<String>, Vec<serde_json::Value>) {
    let fund = alice(home);
    let wallet = Wallet::open(&home.join("keys/alice.mnemonic"));
    let committed = Mutex::new(Vec::new());
    let send = |node: &Node| {
        let (over, before) = (AtomicBool::new(false), committed.lock().unwrap().len());
        std::thread::scope(|scope| {
            scope.spawn(|| load(node, &wallet, &committed, &over));
            while committed.lock().unwrap().len() < before + TXS / 2 {
                std::thread::yield_now();
            }
            over.store(true, Ordering::Relaxed);
        });
    };
    let node = Node::start(home, &["--fund", &fund]);
    ureq::post(format!("{}/aceso/blobs/v1", node.rest)).send(&vec![7; 3_000][..]).unwrap();
    send(&node);
    assert_eq!(node.stop(), 0);
    let path = home.to_str().unwrap();
    for verb in [["snapshot", "take"], ["compact", "--json"]] {
        let (code, _, error) = run(&[&verb[..], &["--home", path]].concat());
        assert_eq!(code, 0, "{error}");
    }
    let mut node = Node::start(home, &[]);
    send(&node);
    let hashes = app_hashes(&node);
    let killed = Command::new("kill").args(["-9", &node.child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    node.child.wait().unwrap();
    (wallet, committed.into_inner().unwrap(), hashes)
}

#[test]
fn a_torn_file_is_mended_or_named() {
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let whole = directory.path().join("home");
    let (wallet, committed, hashes) = home(&whole);
    let damaged = directory.path().join("damaged");
    let (mut mended, mut refused) = (0, 0);
    for (at, file) in files(&whole.join("data")).iter().enumerate() {
        let name = file.strip_prefix(&whole).unwrap();
        let bytes = fs::read(file).unwrap();
        let ours = name.starts_with("data/state/store/keyspaces");
        // The tables have a test of their own in their crate: here each has one way, in turn.
        let all = damages(&bytes).into_iter().enumerate().filter(|(way, _)| !ours || *way == at % 5);
        for (_, (what, bytes)) in all {
            let _ = fs::remove_dir_all(&damaged);
            copy(&whole, &damaged);
            fs::write(damaged.join(name), bytes).unwrap();
            match Node::run(aceso(&dev(&damaged, &[]))) {
                Ok(node) => {
                    mended += 1;
                    assert_eq!(app_hashes(&node)[..hashes.len()], hashes, "{} {what}", name.display());
                    assert_all_there(&node, &committed);
                    assert!(wallet.account(&node).unwrap().sequence >= committed.len() as u64);
                    assert_eq!(node.stop(), 0);
                }
                Err(ended) => {
                    refused += 1;
                    let line = ended.said.lines().last().unwrap_or_default();
                    assert!(
                        ended.status.code() == Some(1)
                            && line.starts_with("error: ")
                            && !ended.said.contains("panicked"),
                        "{} {what}: {ended:?}",
                        name.display()
                    );
                }
            }
        }
    }
    assert!(mended > 5 && refused > 5, "{mended} went on and {refused} were refused: the damage was no test");
}
