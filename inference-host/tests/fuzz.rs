//! The fuzz targets of `fuzz/`, without a fuzzer: every file of the corpus, and some thousands of spoiled ones.
//!
//! `cargo xtask test` runs the long form, twenty seconds each, as its suite `fuzz`; what the environment may ask for is in
//! `aceso_test_support::fuzz`. What a fuzzer finds goes into `fuzz/corpus`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../fuzz/src/lib.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "the crate that a fuzzer runs")]
mod targets;

use aceso_test_support::fuzz::{Target, corpus};
use aceso_types::Manifest;

/// Where the targets are.
const HOME: &str = "inference-host";

fn models(long: bool) {
    Target { name: "model", home: HOME, run: targets::model }
        .drive(&corpus(&["fuzz/corpus/model", "tests/vectors"], "onnx"), long);
}

fn manifests(long: bool) {
    let mut files = corpus(&["fuzz/corpus/manifest"], "");
    let read = files.iter().filter_map(|file| serde_json::from_slice::<Manifest>(file).ok());
    // As the chain has them.
    files.extend(read.map(|manifest| manifest.encode()).collect::<Vec<_>>());
    Target { name: "manifest", home: HOME, run: targets::manifest }.drive(&files, long);
}

fn images(long: bool) {
    Target { name: "image", home: HOME, run: targets::image }.drive(&corpus(&["fuzz/corpus/image"], ""), long);
}

#[test]
fn spoiled_models_are_answered_alike_by_all_kernels() {
    models(false);
}

#[test]
fn spoiled_manifests_are_answered() {
    manifests(false);
}

#[test]
fn spoiled_pictures_and_tables_are_answered() {
    images(false);
}

#[test]
#[ignore = "twenty seconds: the suite `fuzz`"]
fn models_for_long() {
    models(true);
}

#[test]
#[ignore = "twenty seconds: the suite `fuzz`"]
fn manifests_for_long() {
    manifests(true);
}

#[test]
#[ignore = "twenty seconds: the suite `fuzz`"]
fn images_for_long() {
    images(true);
}
