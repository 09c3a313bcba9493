//! The fuzz targets of `fuzz/`, without a fuzzer: every file of the corpora, and some hundreds of spoiled ones.
//!
//! `cargo xtask test` runs the long form, twenty seconds each, as its suite `fuzz`; what the environment may ask for is in
//! `aceso_test_support::fuzz`. What a fuzzer finds goes into `fuzz/corpus`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../fuzz/src/lib.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "the crate that a fuzzer runs")]
mod targets;

use std::collections::BTreeSet;

use aceso_test_support::fuzz::{Target, corpus};

/// Where the targets are.
const HOME: &str = "chain/app";

fn drive(name: &'static str, run: fn(&[u8]), long: bool) {
    Target { name, home: HOME, run }.drive(&corpus(&[&format!("fuzz/corpus/{name}")], ""), long);
}

fn answers(long: bool) {
    // The files reach what they are there for, as long as they are whole.
    let taken = std::fs::read_dir("fuzz/corpus/answer").unwrap().filter(|file| {
        let path = file.as_ref().unwrap().path();
        targets::answer(&std::fs::read(path).unwrap())
    });
    let taken: BTreeSet<_> = taken.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    for name in
        ["nothing", "bank", "call-itself", "make", "any", "migrate", "query", "ask-smart", "ask-range", "ask-channel"]
    {
        assert!(taken.contains(name), "{name} is refused; taken are {taken:?}");
    }
    drive("answer", |bytes| _ = targets::answer(bytes), long);
}

#[test]
fn whatever_a_contract_answers_is_answered() {
    answers(false);
}

#[test]
fn spoiled_transactions_are_answered() {
    drive("tx", targets::tx, false);
}

#[test]
fn spoiled_questions_are_answered() {
    drive("query", targets::query, false);
}

#[test]
#[ignore = "twenty seconds: the suite `fuzz`"]
fn answers_for_long() {
    answers(true);
}

#[test]
#[ignore = "twenty seconds: the suite `fuzz`"]
fn transactions_for_long() {
    drive("tx", targets::tx, true);
}

#[test]
#[ignore = "twenty seconds: the suite `fuzz`"]
fn questions_for_long() {
    drive("query", targets::query, true);
}
