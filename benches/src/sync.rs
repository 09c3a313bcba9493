//! How fast does a state go from one node to another (`chain/state`'s part of state sync, without the network)?
//!
//! A state of 200 MB, once in values of 1,000 bytes and once in values of 100, is cut into chunks at its latest height,
//! as the background thread does it; every chunk is made again at a height that is no longer the latest, as a peer that
//! asks gets it; and all are restored into a new store, proofs and flushes included. MB are those of the chunks. Run
//! with `cargo xtask bench sync`. The must is what 1 GB in 60 seconds leaves after the engine has looked for peers.

use std::path::Path;
use std::time::Instant;

use aceso_state::{CHUNK_BYTES, Changes, Options, Store};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

const COMPONENTS: &[&str] = &["bank", "wasm"];

/// Least MB/s of each step.
const TARGET: f64 = 25.0;

/// Runs the bench in `dir` and hands out one JSON object per case.
pub(crate) fn run(dir: &Path, quick: bool, mut emit: impl FnMut(Value)) -> Result<()> {
    let bytes: usize = if quick { 40_000_000 } else { 200_000_000 };
    for value_bytes in [1_000_usize, 100] {
        let from = Store::open(&dir.join(format!("from-{value_bytes}")), Options::new(COMPONENTS, 5))?;
        let keys = bytes / value_bytes;
        for (height, first) in (1..).zip((0..keys).step_by(50_000)) {
            let mut changes = Changes::new();
            for key in first..(first + 50_000).min(keys) {
                let value = key.to_le_bytes().repeat(value_bytes / 8 + 1);
                changes.set(COMPONENTS[key % 2], format!("key/{key:08}").into_bytes(), value)?;
            }
            from.commit(from.stage(height, &changes)?)?;
        }
        let snapshot = from.snapshot();
        let started = Instant::now();
        let export = snapshot.export(CHUNK_BYTES, &|| false)?.context("too many chunks")?;
        let exported = started.elapsed();
        let mut changes = Changes::new();
        changes.set("bank", b"later".to_vec(), vec![1])?;
        from.commit(from.stage(snapshot.version() + 1, &changes)?)?;

        let old = from.snapshot_at(snapshot.version())?;
        let started = Instant::now();
        let made = (0..export.manifest().chunks()).map(|index| old.chunk(&export, index));
        let chunks: Vec<Vec<u8>> = made.map(|chunk| chunk?.context("a chunk is missing")).collect::<Result<_>>()?;
        let served = started.elapsed();

        let to = Store::open(&dir.join(format!("to-{value_bytes}")), Options::new(COMPONENTS, 5))?;
        let started = Instant::now();
        let mut restore = to.restore(export.manifest().clone(), snapshot.root())?;
        for (index, chunk) in (0..).zip(&chunks) {
            restore.apply(index, chunk)?;
        }
        to.finish_restore(restore)?;
        let restored = started.elapsed();
        ensure!(to.latest() == (snapshot.version(), snapshot.root()), "another state was restored");

        let megabytes = chunks.iter().map(Vec::len).sum::<usize>() as f64 / 1e6;
        for (step, spent) in [("cut", exported), ("serve", served), ("restore", restored)] {
            let ours = megabytes / spent.as_secs_f64();
            emit(json!({
                "bench": "sync",
                "case": format!("{step}, values of {value_bytes} bytes, {megabytes:.0} MB"),
                "ours": ours,
                "peer": TARGET,
                "peer_name": "target",
                "unit": "MB/s",
                "ratio": ours / TARGET,
            }));
        }
    }
    Ok(())
}
