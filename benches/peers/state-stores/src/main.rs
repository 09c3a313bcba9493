//! Which embedded store carries the chain's state: redb or fjall?
//!
//! Both engines do one and the same job, the shape of a real commit in `chain/state`: a flat table of latest values,
//! a table of tree nodes keyed by version, a table of replaced values. A block rewrites some keys of the flat table,
//! keeps the values that these had, appends its new nodes, drops the nodes that went stale and the values that left
//! the window, and is durable when the call returns. Then point reads, scans and the size on disk.
//!
//! Run with `cargo run --release` (2 M keys, 20 k keys a block; minutes) or `cargo run --release -- --quick`.
//! One JSON object a line; `ratio` above 1 means that the engine in use is the better one.

mod engine;
mod fjall_engine;
mod redb_engine;
mod workload;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use engine::Engine;
use workload::{Shape, Workload};

/// What one engine needed for each case, in the order of the report.
struct Measured {
    case: &'static str,
    unit: &'static str,
    value: f64,
}

fn main() -> Result<()> {
    let mut shape = Shape { keys: 2_000_000, block_keys: 20_000, blocks: 30, keep: 10 };
    let mut dir = std::env::temp_dir();
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("quick") => shape = Shape { keys: 200_000, block_keys: 20_000, blocks: 12, keep: 4 },
            lexopt::Arg::Long("dir") => dir = PathBuf::from(args.value()?),
            lexopt::Arg::Long("json") => {}
            other => return Err(other.unexpected().into()),
        }
    }
    let root = dir.join(format!("state-stores-{}", std::process::id()));
    let outcome = compare(&root, shape);
    if root.exists() {
        std::fs::remove_dir_all(&root).with_context(|| format!("cannot remove {}", root.display()))?;
    }
    outcome
}

fn compare(root: &Path, shape: Shape) -> Result<()> {
    let redb = measure::<redb_engine::Redb>(&root.join("redb"), shape)?;
    let fjall = measure::<fjall_engine::Fjall>(&root.join("fjall"), shape)?;
    for (ours, peer) in fjall.iter().zip(&redb) {
        let line = serde_json::json!({
            "bench": "state-stores",
            "case": format!("{} ({} keys, {} a block)", ours.case, shape.keys, shape.block_keys),
            "ours": ours.value,
            "peer": peer.value,
            "peer_name": "redb",
            "unit": ours.unit,
            "ratio": peer.value / ours.value,
        });
        println!("{line}");
    }
    Ok(())
}

/// Runs the whole job on one engine in a fresh folder.
fn measure<E: Engine>(dir: &Path, shape: Shape) -> Result<Vec<Measured>> {
    std::fs::create_dir_all(dir)?;
    let mut engine = E::open(dir)?;
    let mut work = Workload::new(shape);

    let started = Instant::now();
    while let Some(rows) = work.genesis() {
        engine.commit(&rows)?;
    }
    eprintln!("{}: {} keys loaded in {:.1} s", E::NAME, shape.keys, started.elapsed().as_secs_f64());

    let mut commits = Vec::new();
    for _ in 0..shape.blocks {
        let block = work.block();
        let started = Instant::now();
        engine.commit(&block)?;
        commits.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let mean = commits.iter().sum::<f64>() / commits.len() as f64;
    let worst = commits.iter().copied().fold(0.0, f64::max);

    let hits = work.present(200_000);
    let started = Instant::now();
    for key in &hits {
        anyhow::ensure!(engine.get(key)?.is_some(), "a stored key is gone");
    }
    let hit_us = started.elapsed().as_secs_f64() * 1e6 / hits.len() as f64;

    let misses = work.absent(200_000);
    let started = Instant::now();
    for key in &misses {
        anyhow::ensure!(engine.get(key)?.is_none(), "a key that nobody stored is there");
    }
    let miss_us = started.elapsed().as_secs_f64() * 1e6 / misses.len() as f64;

    let (mut scanned, starts) = (0, work.present(2_000));
    let started = Instant::now();
    for (i, start) in starts.iter().enumerate() {
        scanned += engine.scan(start, 100, i % 2 == 0)?;
    }
    anyhow::ensure!(scanned > 0, "no scan found anything");
    let scan_us = started.elapsed().as_secs_f64() * 1e6 / f64::from(u32::try_from(scanned)?);

    // A copy of the files of an open store is what a crash leaves behind.
    let crashed = dir.with_extension("crashed");
    copy(dir, &crashed)?;
    let started = Instant::now();
    drop(E::open(&crashed)?);
    let after_crash = started.elapsed().as_secs_f64() * 1e3;
    std::fs::remove_dir_all(&crashed)?;
    drop(engine);

    Ok(vec![
        Measured { case: "commit of a block, mean", unit: "ms", value: mean },
        Measured { case: "commit of a block, worst", unit: "ms", value: worst },
        Measured { case: "point read, present", unit: "us", value: hit_us },
        Measured { case: "point read, absent", unit: "us", value: miss_us },
        Measured { case: "scan, per entry of 100", unit: "us", value: scan_us },
        Measured { case: "open and close after a crash", unit: "ms", value: after_crash },
        Measured { case: "size on disk", unit: "MB", value: size(dir)? as f64 / 1e6 },
    ])
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Bytes that the folder really occupies.
fn size(dir: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut total = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        total += if meta.is_dir() { size(&entry.path())? } else { meta.blocks() * 512 };
    }
    Ok(total)
}
