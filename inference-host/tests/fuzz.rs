//! The fuzz targets of `fuzz/`, without a fuzzer: every file of the corpus, and some thousands of spoiled ones.
//!
//! `cargo xtask test` runs the long form, twenty seconds each, as its suite `fuzz`. Spoiled files come from a seed, so a
//! failure comes again; the file that failed is named and kept. What a fuzzer finds goes into `fuzz/corpus`. The environment
//! may ask for more: `ACESO_FUZZ_SECONDS=600 ACESO_FUZZ_SEED=8 cargo xtask test --only fuzz`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and these run for a time that is given"
)]

#[path = "../fuzz/src/lib.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "the crate that a fuzzer runs")]
mod targets;

use aceso_types::Manifest;
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Longest file that is spoiled: what is large is mostly weights.
const SPOILED_MAX: usize = 16 << 10;
/// Seconds of the long form, and the seed, where the environment names no others.
const LONG: u64 = 20;
const SEED: u64 = 7;
/// Spoiled files of the short form.
const SHORT: usize = 300;

/// Numbers that formats trip over.
const TELLING: [u8; 10] = [0x00, 0x01, 0x02, 0x08, 0x12, 0x3a, 0x7f, 0x80, 0xfe, 0xff];

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn corpus(folders: &[&str], ending: &str) -> Vec<Vec<u8>> {
    let there = folders.iter().map(Path::new).filter(|folder| folder.is_dir());
    let paths = there.flat_map(files);
    let wanted = paths.filter(|path| path.to_string_lossy().ends_with(ending));
    let read: Vec<_> = wanted.map(|path| fs::read(path).unwrap()).collect();
    assert!(read.len() >= 5, "the corpus {folders:?} is not there");
    read
}

/// A linear congruential generator (Knuth's constants), from 0 to below `below`.
fn below(seed: &mut u64, below: usize) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*seed >> 33).unwrap() % below.max(1)
}

/// One to six changes: bits, telling bytes, pieces taken out, doubled, or taken from another file.
fn spoil(file: &mut Vec<u8>, other: &[u8], seed: &mut u64) {
    for _ in 0..=below(seed, 6) {
        let (at, length) = (below(seed, file.len() + 1), below(seed, 24));
        let end = (at + length).min(file.len());
        match below(seed, 6) {
            0 if at < file.len() => file[at] ^= 1 << below(seed, 8),
            1 if at < file.len() => file[at] = TELLING[below(seed, TELLING.len())],
            2 => drop(file.drain(at..end)),
            3 => {
                let piece = file[at..end].to_vec();
                file.splice(at..at, piece);
            }
            4 => {
                let from = below(seed, other.len() + 1);
                let piece = other[from..(from + length).min(other.len())].to_vec();
                file.splice(at..end, piece);
            }
            _ => file.insert(at, TELLING[below(seed, TELLING.len())]),
        }
    }
}

/// Hands a file to a target; where that fails, the file is kept.
fn attempt(name: &str, target: fn(&[u8]), file: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| target(file))).is_err() {
        let path = std::env::temp_dir().join(format!("aceso-fuzz-{name}"));
        fs::write(&path, file).unwrap();
        panic!(
            "target {name} fails on {}: mend it, and keep the file in inference-host/fuzz/corpus/{name}",
            path.display()
        );
    }
}

/// A number from the environment.
fn asked(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, no number")))
}

fn drive(name: &str, target: fn(&[u8]), corpus: &[Vec<u8>], long: bool) {
    let end = Instant::now() + Duration::from_secs(asked("ACESO_FUZZ_SECONDS", LONG));
    let (mut seed, mut count) = (asked("ACESO_FUZZ_SEED", SEED), 0);
    corpus.iter().for_each(|file| attempt(name, target, file));
    let small: Vec<&Vec<u8>> = corpus.iter().filter(|file| file.len() <= SPOILED_MAX).collect();
    while if long { Instant::now() < end } else { count < SHORT } {
        let mut file = small[below(&mut seed, small.len())].clone();
        spoil(&mut file, small[below(&mut seed, small.len())], &mut seed);
        attempt(name, target, &file);
        count += 1;
    }
    eprintln!("{name}: {} files, {count} spoiled ones", corpus.len());
}

fn models(long: bool) {
    drive("model", targets::model, &corpus(&["fuzz/corpus/model", "tests/vectors"], "onnx"), long);
}

fn manifests(long: bool) {
    let mut files = corpus(&["fuzz/corpus/manifest"], "");
    let read = files.iter().filter_map(|file| serde_json::from_slice::<Manifest>(file).ok());
    // As the chain has them.
    files.extend(read.map(|manifest| manifest.encode()).collect::<Vec<_>>());
    drive("manifest", targets::manifest, &files, long);
}

fn images(long: bool) {
    drive("image", targets::image, &corpus(&["fuzz/corpus/image"], ""), long);
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
