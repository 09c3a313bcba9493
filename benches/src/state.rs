//! What does a block cost in `chain/state`: its roots in memory (stage) and its rows on the disk (commit)?
//!
//! Blocks of 20 k keys over a state of 2 M keys in two components, nine of ten keys there before. Then reads at the
//! latest height and at an old one, proofs, and the size on disk. Run with `cargo xtask bench state`.
//! The musts in `TARGETS` are what a block of 20 k transfers a second leaves to the state.

use std::path::Path;
use std::time::Instant;

use aceso_state::{Changes, Options, Order, Snapshot, Store, verify};
use aceso_test_support::random::Random;
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

const COMPONENTS: &[&str] = &["bank", "wasm"];

/// Heights kept, so that pruning is part of what is measured.
const KEEP: u64 = 5;

/// Case, unit, and the most that it may be.
const TARGETS: [(&str, &str, f64); 7] = [
    ("stage, per key", "us", 20.0),
    ("commit, per key", "us", 30.0),
    ("get, latest", "us", 10.0),
    ("get, old height", "us", 40.0),
    ("scan, per entry of 100", "us", 2.0),
    ("prove and verify", "us", 1_000.0),
    ("bytes on disk, per key", "bytes", 1_500.0),
];

/// Runs the bench in `dir` and hands out one JSON object per case.
pub(crate) fn run(dir: &Path, quick: bool, mut emit: impl FnMut(Value)) -> Result<()> {
    let (keys, block_keys, blocks) = if quick { (200_000, 20_000, 6) } else { (2_000_000, 20_000, 15) };
    let store = Store::open(dir, Options::new(COMPONENTS, KEEP))?;
    let mut height = 0;
    let mut commit = |changes: &Changes| -> Result<(f64, f64)> {
        height += 1;
        let started = Instant::now();
        let staged = store.stage(height, changes)?;
        let stage = started.elapsed();
        let started = Instant::now();
        store.commit(staged)?;
        Ok((stage.as_secs_f64(), started.elapsed().as_secs_f64()))
    };
    for first in (0..keys).step_by(100_000) {
        commit(&writes(first..(first + 100_000).min(keys), 0)?)?;
    }

    let (mut random, mut known, mut spent) = (Random::new(7), keys, (0.0, 0.0));
    // Pruning begins once the window is full, and the files of genesis have been merged by then.
    for block in 0..KEEP + blocks {
        let picked = (0..block_keys).map(|n| {
            if n % 10 == 0 {
                known += 1;
                known - 1
            } else {
                random.next() % known
            }
        });
        let picked: Vec<u64> = picked.collect();
        let (stage, write) = commit(&writes(picked, block + 1)?)?;
        if block >= KEEP {
            spent = (spent.0 + stage, spent.1 + write);
        }
    }
    let per_key = 1e6 / (blocks * block_keys) as f64;

    let latest = store.snapshot();
    let old = store.snapshot_at(latest.version() - KEEP)?;
    let mut probe = |count, what: &dyn Fn(u64) -> Result<u64>| -> Result<f64> {
        let places: Vec<u64> = (0..count).map(|_| random.next() % keys).collect();
        let started = Instant::now();
        let mut done = 0;
        for place in places {
            done += what(place)?;
        }
        Ok(started.elapsed().as_secs_f64() * 1e6 / done as f64)
    };
    let get = |snapshot: &Snapshot, place: u64| -> Result<u64> {
        let (component, key) = key(place);
        ensure!(snapshot.get(component, &key)?.is_some(), "key {place} is gone");
        Ok(1)
    };
    let measured = [
        spent.0 * per_key,
        spent.1 * per_key,
        probe(100_000, &|place| get(&latest, place))?,
        probe(20_000, &|place| get(&old, place))?,
        probe(2_000, &|place| {
            let (component, key) = key(place);
            let order = if place.is_multiple_of(2) { Order::Ascending } else { Order::Descending };
            let bounds = if place.is_multiple_of(2) { (Some(&*key), None) } else { (None, Some(&*key)) };
            Ok(latest.range(component, bounds.0, bounds.1, order).take(100).filter(Result::is_ok).count() as u64)
        })?,
        probe(1_000, &|place| {
            let (component, key) = key(place);
            let proof = latest.prove(component, &key)?;
            verify(&latest.root(), component, &key, &proof).context("an honest proof was refused")?;
            Ok(1)
        })?,
        size(dir)? as f64 / known as f64,
    ];
    for ((case, unit, target), ours) in TARGETS.into_iter().zip(measured) {
        emit(json!({
            "bench": "state", "case": format!("{case} ({keys} keys, {block_keys} a block)"),
            "ours": ours, "peer": target, "peer_name": "target", "unit": unit, "ratio": target / ours,
        }));
    }
    Ok(())
}

/// The same places get other values under another salt.
fn writes(places: impl IntoIterator<Item = u64>, salt: u64) -> Result<Changes> {
    let mut changes = Changes::new();
    for place in places {
        let (component, key) = key(place);
        let mut random = Random::new(place ^ (salt << 40));
        let len = 5 + random.next() % 15;
        let value = (0..len).flat_map(|_| random.next().to_le_bytes()).collect();
        changes.set(component, key, value)?;
    }
    Ok(changes)
}

/// Component and key of the i-th entry: twenty bytes like an address under a short prefix.
fn key(place: u64) -> (&'static str, Vec<u8>) {
    let mut random = Random::new(place ^ 0xace5_0000_0000_0000);
    let mut key = b"balance/".to_vec();
    key.extend((0..3).flat_map(|_| random.next().to_be_bytes()).take(20));
    (if place.is_multiple_of(2) { "bank" } else { "wasm" }, key)
}

fn size(dir: &Path) -> Result<u64> {
    let mut total = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        total += if meta.is_dir() { size(&entry.path())? } else { meta.len() };
    }
    Ok(total)
}
