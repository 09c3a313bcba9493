//! `aceso model`: would a model be admitted, what would a read of it cost, and how does a float one become one?

mod against;
mod check;
mod python;
mod quantize;
mod score;

use std::{fs, path::Path};

use aceso_types::{Manifest, manifest::ONNX_BYTES_MAX};
use anyhow::{Context, Result, ensure};
use clap::Subcommand;

use super::{Output, remote};

/// Options of the verb.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  aceso model check model.onnx --manifest manifest.json
  aceso model quantize float.onnx --manifest manifest.json --calibrate images --out model.onnx")]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Do what every validator does when a model is registered, and explain what it found.
    Check(check::Check),
    /// Make an integer model of a float one, with onnxruntime's quantiser.
    Quantize(quantize::Quantize),
    /// Check a model here, upload it, register it and wait until it is admitted.
    Register(remote::model::Register),
}

/// Runs the verb.
pub(crate) fn run(args: Args, output: Output) -> Result<()> {
    match args.verb {
        Verb::Check(args) => args.run(output),
        Verb::Quantize(args) => args.run(output),
        Verb::Register(args) => args.run(output),
    }
}

pub(crate) fn read_manifest(path: &Path) -> Result<Manifest> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let manifest: Manifest = if bytes.first() == Some(&b'{') {
        serde_json::from_slice(&bytes).with_context(|| format!("{} is not a manifest", path.display()))?
    } else {
        Manifest::decode(&bytes).with_context(|| format!("{} is not a manifest", path.display()))?
    };
    manifest.check().with_context(|| format!("{} is not a manifest to register", path.display()))?;
    Ok(manifest)
}

/// A file that may be a model by its length.
fn read_onnx(path: &Path) -> Result<Vec<u8>> {
    let length = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    ensure!(
        length <= ONNX_BYTES_MAX,
        "{} has {length} bytes, and a model has at most {ONNX_BYTES_MAX}",
        path.display()
    );
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
