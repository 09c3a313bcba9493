//! The fuzz targets of `fuzz/`, without a fuzzer: every file of the corpora, and some hundreds of spoiled ones.
//!
//! `cargo xtask test` runs the long form, twenty seconds each, as its suite `fuzz`; what the environment may ask for is in
//! `aceso_test_support::fuzz`. What a fuzzer finds goes into `fuzz/corpus`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

#[path = "../fuzz/src/lib.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "the crate that a fuzzer runs")]
mod targets;

use aceso_test_support::fuzz::{Target, corpus};
use aceso_test_support::random::Random;

/// Where the targets are.
const HOME: &str = "chain/vm";

fn modules(long: bool) {
    // Texts are spoiled as what they become.
    let files = corpus(&["fuzz/corpus/module"], "");
    let files: Vec<_> = files.iter().map(|file| wat::parse_bytes(file).unwrap().into_owned()).collect();
    Target { name: "module", home: HOME, run: targets::module }.drive(&files, long);
}

fn regions(long: bool) {
    Target { name: "regions", home: HOME, run: targets::regions }.drive(&corpus(&["fuzz/corpus/regions"], ""), long);
}

/// Modules of dice from a seed, of which many must come to their end, and many must not.
fn generated(throws: usize) {
    let mut random = Random::new(5);
    let mut throw = || {
        let mut dice = vec![0; 3_000];
        random.fill(&mut dice);
        dice
    };
    let ended = (0..throws).filter(|_| targets::generated(&throw())).count();
    eprintln!("{throws} generated, {ended} ended well");
    assert!((throws / 10..throws * 9 / 10).contains(&ended), "{ended} of {throws} ended well");
}

#[test]
fn spoiled_modules_are_answered_alike_in_both_tiers() {
    modules(false);
}

#[test]
fn whatever_a_contract_hands_over_is_answered_alike_in_both_tiers() {
    regions(false);
}

#[test]
fn generated_modules_are_answered_alike_in_both_tiers() {
    generated(300);
}

#[test]
#[ignore = "twenty seconds: the suite `fuzz`"]
fn modules_for_long() {
    modules(true);
}

#[test]
#[ignore = "twenty seconds: the suite `fuzz`"]
fn regions_for_long() {
    regions(true);
}

#[test]
#[ignore = "twenty seconds: the suite `fuzz`"]
fn generated_modules_for_long() {
    generated(1_000);
}
