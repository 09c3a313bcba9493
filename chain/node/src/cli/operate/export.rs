//! `aceso export`: a state as the genesis file of a chain that goes on with it.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use aceso_app::Export;
use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tendermint::chain;

use super::Stopped;
use crate::{
    cli::{HomeArg, Output},
    home::genesis::{CHAIN_ID_RULE, FILE_MAX, validator_row},
    rpc::json as shape,
};

/// Options of the verb.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  aceso export --home node --out exported.json
  aceso export --home node --height 1000 > exported.json
  aceso init --home new --genesis exported.json

The node must be stopped. The file is a genesis file as CometBFT reads it, with the whole state in its app_state:
accounts, contracts with their code and storage, models, images, receipts, validators, parameters. The chain that begins
with it goes on with the next height. The same height gives the same bytes on every node. Bytes of blobs are no part of
a state: copy data/blobs, or let the new nodes fetch them from blob_peers.")]
pub(crate) struct Args {
    #[command(flatten)]
    home: HomeArg,
    /// The height to export, of those that are kept [default: the latest].
    #[arg(long, value_name = "H")]
    height: Option<u64>,
    /// The file to write; without it the document goes to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The name of the chain that goes on [default: the same].
    #[arg(long, value_name = "ID")]
    chain_id: Option<String>,
}

/// Runs the verb.
pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    if let Some(id) = &args.chain_id
        && id.parse::<chain::Id>().is_err()
    {
        bail!("--chain-id {id:?}: {CHAIN_ID_RULE}");
    }
    let stopped = Stopped::open(&args.home)?;
    let export = stopped.state.export(args.height, args.chain_id.clone())?;
    let Some(path) = &args.out else {
        return write(&export, io::stdout().lock()).map(drop);
    };
    let (bytes, digest) = save(&export, path)?;
    let app_hash = hex::encode_upper(export.app_hash.as_bytes());
    let object = json!({
        "ok": true,
        "file": path,
        "bytes": bytes,
        "sha256": digest,
        "chain_id": export.chain_id,
        "initial_height": export.initial_height.to_string(),
        "app_hash": app_hash,
    });
    output.print(&object, || {
        format!(
            "{} holds the state of {} before block {}\n  app hash  {app_hash}\n  sha256    {digest}",
            path.display(),
            export.chain_id,
            export.initial_height
        )
    })
}

/// Writes a file whole or not at all; its length and its SHA-256.
fn save(export: &Export, path: &Path) -> Result<(u64, String)> {
    let draft = path.with_extension("draft");
    let saved = (|| {
        let file = File::create(&draft).with_context(|| format!("cannot write {}", draft.display()))?;
        let (written, file) = write(export, BufWriter::new(file))?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&draft, path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(written)
    })();
    if saved.is_err() {
        // Half a file helps nobody; that it cannot be removed either is not the trouble to tell.
        let _ = fs::remove_file(&draft);
    }
    saved
}

/// Writes the document, a row of the state at a time.
fn write<W: Write>(export: &Export, to: W) -> Result<((u64, String), W)> {
    #[derive(Serialize)]
    struct Document<'a, S: Serialize> {
        genesis_time: String,
        chain_id: &'a str,
        initial_height: String,
        consensus_params: Value,
        validators: Vec<Value>,
        app_hash: String,
        app_state: S,
    }
    let validators = export.validators.iter();
    let document = Document {
        genesis_time: shape::time(export.time),
        chain_id: &export.chain_id,
        initial_height: export.initial_height.to_string(),
        consensus_params: shape::consensus_params(&export.consensus),
        validators: validators.map(|one| validator_row(&one.pub_key, one.power(), "")).collect(),
        app_hash: hex::encode_upper(export.app_hash.as_bytes()),
        app_state: export.app_state(),
    };
    let mut counted = Counted { to, bytes: 0, hash: Sha256::new() };
    let written = serde_json::to_writer(&mut counted, &document);
    if counted.bytes > FILE_MAX {
        bail!(
            "the genesis file would have more than {} MiB, which CometBFT does not hand over; a node joins a chain of \
             this size by state sync",
            FILE_MAX >> 20
        );
    }
    written?;
    counted.write_all(b"\n")?;
    counted.flush()?;
    Ok(((counted.bytes, hex::encode(counted.hash.finalize())), counted.to))
}

/// Counts and hashes what goes by, and lets no more through than a genesis file may have.
struct Counted<W> {
    to: W,
    bytes: u64,
    hash: Sha256,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        if self.bytes > FILE_MAX { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(written) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
