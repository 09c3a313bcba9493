//! `kill -9` of `aceso dev` at any moment, under load: nothing that was reported as committed is lost, and the state
//! that is left is the one that the blocks give from genesis.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests wait and look at the clock")]

mod common;

use std::{
    os::unix::process::ExitStatusExt,
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
/// How often it dies in a commit: before the write, between it and the flush, in the middle of the flush.
const DEATHS: usize = 9;
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

#[test]
fn a_death_in_a_commit_loses_nothing() {
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
        let log = "warn,aceso_node::engine::replay=info";
        let when = ["begun", "written", "torn"][death % 3];
        let die = ["--die-in-commit", &nth, "--die-when", when];
        let node = Node::start(&home, &[&["--fund", &fund, "--log", log][..], &die].concat());
        assert_all_there(&node, &committed.lock().unwrap());
        load(&node, &wallet, &committed, &AtomicBool::new(false));
        let ended = node.end();
        assert_eq!(ended.status.signal(), Some(9), "{ended:?}");
        assert_eq!(ended.said.contains(AGAIN), behind, "death {death}: {}", ended.said);
        // The block is in the block store, so it is not lost.
        behind = when != "written";
    }
    let committed = committed.into_inner().unwrap();
    assert!(committed.len() >= DEATHS, "only {} transactions got through", committed.len());
    assert_nothing_lost(&home, &wallet, &committed);
}
