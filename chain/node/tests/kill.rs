//! `kill -9` of `aceso dev` at any moment, under load: nothing that was reported as committed is lost, and the state
//! that is left is the one that the blocks give from genesis.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests wait and look at the clock")]

mod common;

use std::{
    os::unix::process::ExitStatusExt,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use common::{
    Node, Wallet, alice,
    load::{assert_all_there, assert_nothing_lost, load},
};

/// How often the node is killed.
const KILLS: usize = 20;
/// How often it dies between a commit's write and its flush.
const DEATHS: usize = 8;
/// Where the pauses before the kills come from: the same in every run.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
/// What the node logs about a block that it executes again.
const AGAIN: &str = "executing again what was decided";

/// xorshift64: pauses need no better.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
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
    assert_nothing_lost(&home, &wallet, &committed);
}

/// What a loss of power may do to a write that was not flushed: its end never reached the disk.
fn lose_the_end(home: &Path) {
    let files = std::fs::read_dir(home.join("data/state/store")).unwrap().map(|entry| entry.unwrap().path());
    let journals = files.filter(|path| path.extension().is_some_and(|extension| extension == "jnl"));
    let number = |path: &Path| path.file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap();
    let journal = journals.max_by_key(|path| number(path)).unwrap();
    let mut bytes = std::fs::read(&journal).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    // A block's rows take some thousand bytes, and they end with a check sum.
    bytes[end - 64..].fill(0);
    std::fs::write(journal, bytes).unwrap();
}

#[test]
fn a_death_between_write_and_flush_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    let fund = alice(&home);
    let wallet = Wallet::open(&home.join("keys/alice.mnemonic"));
    let committed = Mutex::new(Vec::new());
    let mut random = SEED;
    let mut behind = false;
    for death in 0..DEATHS {
        // The first commits are those of the start itself: block 1, or what is executed again.
        let nth = (4 + next(&mut random) % 12).to_string();
        let log = "warn,aceso::engine::replay=info";
        let node = Node::start(&home, &["--fund", &fund, "--die-in-commit", &nth, "--log", log]);
        assert_all_there(&node, &committed.lock().unwrap());
        load(&node, &wallet, &committed, &AtomicBool::new(false));
        let ended = node.end();
        assert_eq!(ended.status.signal(), Some(9), "{ended:?}");
        assert_eq!(ended.said.contains(AGAIN), behind, "death {death}: {}", ended.said);
        // Every other time the machine dies with the process. The block is in the block store, so it is not lost.
        behind = death % 2 == 1;
        if behind {
            lose_the_end(&home);
        }
    }
    let committed = committed.into_inner().unwrap();
    assert!(committed.len() >= DEATHS, "only {} transactions got through", committed.len());
    assert_nothing_lost(&home, &wallet, &committed);
}
