//! `aceso snapshot`: the snapshots for state sync of a home whose node is stopped.

use std::{fs, path::Path, sync::Arc};

use aceso_app::{App, Config as AppConfig};
use aceso_blobs::BlobStore;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tendermint::{
    abci::{response::ApplySnapshotChunkResult, types::Snapshot},
    v0_38::abci::{request, response},
};

use super::{HomeArg, Output, dev};
use crate::{
    Build,
    home::{Home, config::Config},
};

/// Options of the verb.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  aceso snapshot list --home node\n  aceso snapshot take --home node\n  \
    aceso snapshot check --home node\n\nA running node takes snapshots by itself; see snapshot_interval in its configuration.")]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    home: HomeArg,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Show the snapshots that the node offers.
    List,
    /// Take one of the latest height.
    Take,
    /// Restore each of them beside the state, and compare.
    Check,
}

/// Runs the verb.
pub(crate) fn run(args: &Args, build: Build, output: Output) -> Result<()> {
    let home = args.home.home()?;
    let _lock = home.lock()?;
    let config = Config::load_or_create(&home)?;
    let blobs = Arc::new(dev::blobs(&home)?);
    let app = dev::open(&home, &config, &blobs, build)?;
    match args.verb {
        Verb::List => {}
        Verb::Take => app.take_snapshot()?,
        Verb::Check => {
            for snapshot in app.list_snapshots().snapshots {
                check(&home, &app, &blobs, &snapshot).with_context(|| format!("snapshot of {}", snapshot.height))?;
            }
        }
    }
    let rows: Vec<Value> = app.list_snapshots().snapshots.iter().map(row).collect();
    let checked = matches!(args.verb, Verb::Check);
    output.print(&json!({"ok": true, "snapshots": rows, "checked": checked}), || {
        if rows.is_empty() {
            return "no snapshots; take one with `aceso snapshot take`".into();
        }
        let line = |row: &Value| {
            let (height, hash) = (row["height"].as_str().unwrap_or_default(), row["hash"].as_str().unwrap_or_default());
            let end = if checked { "  restores to the same state" } else { "" };
            format!("{height:>10}  {:>5} chunks  {hash}{end}", row["chunks"])
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    })
}

fn row(snapshot: &Snapshot) -> Value {
    json!({
        "height": snapshot.height.to_string(),
        "format": snapshot.format,
        "chunks": snapshot.chunks,
        "hash": hex::encode(&snapshot.hash),
    })
}

/// Restores a snapshot into a folder of its own, which is removed afterwards.
fn check(home: &Home, app: &App, blobs: &Arc<BlobStore>, snapshot: &Snapshot) -> Result<()> {
    let folder = home.snapshots_dir().with_file_name("snapshot-check");
    let checked = restored(&folder, app, blobs, snapshot);
    // What is left of it is removed by the next check.
    let _ = fs::remove_dir_all(&folder);
    checked
}

fn restored(folder: &Path, app: &App, blobs: &Arc<BlobStore>, snapshot: &Snapshot) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let other = App::open(AppConfig::new(folder, Arc::clone(blobs), &crate::worker::Reopening))?;
    let app_hash = app.app_hash(snapshot.height.value())?;
    let offer = request::OfferSnapshot { snapshot: snapshot.clone(), app_hash: app_hash.clone() };
    if other.offer_snapshot(&offer)? != response::OfferSnapshot::Accept {
        bail!("its roots do not make the app hash of its height");
    }
    for index in 0..snapshot.chunks {
        let load = request::LoadSnapshotChunk { height: snapshot.height, format: snapshot.format, chunk: index };
        let chunk = app.load_snapshot_chunk(&load).chunk;
        let applied =
            other.apply_snapshot_chunk(&request::ApplySnapshotChunk { index, chunk, sender: String::new() })?;
        if applied.result != ApplySnapshotChunkResult::Accept {
            bail!("chunk {index} of {} is not what it was; the state on this disk may be damaged", snapshot.chunks);
        }
    }
    if other.info().last_block_app_hash != app_hash {
        bail!("it restores to another state");
    }
    Ok(())
}
