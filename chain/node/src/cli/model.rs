//! `aceso model`: would a model be admitted, and what would a read of it cost?

use std::{fs, path::PathBuf};

use aceso_types::{Manifest, manifest::ONNX_BYTES_MAX};
use anyhow::Context;
use clap::Subcommand;
use serde_json::json;

use super::{Output, remote};

/// Options of the verb.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  aceso model check model.onnx --manifest manifest.json")]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Do what every validator does when a model is registered, and print what it found.
    Check {
        /// The ONNX file.
        file: PathBuf,
        /// The manifest, in JSON or dag-cbor.
        #[arg(long, value_name = "FILE")]
        manifest: PathBuf,
    },
    /// Check a model here, upload it, register it and wait until it is admitted.
    Register(remote::model::Register),
}

/// Runs the verb.
pub(crate) fn run(args: Args, output: Output) -> anyhow::Result<()> {
    match args.verb {
        Verb::Check { file, manifest } => check(&file, &manifest, output),
        Verb::Register(args) => args.run(output),
    }
}

fn check(file: &PathBuf, manifest: &PathBuf, output: Output) -> anyhow::Result<()> {
    let manifest = read_manifest(manifest)?;
    let length = fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?.len();
    anyhow::ensure!(
        length <= ONNX_BYTES_MAX,
        "{} has {length} bytes, and a model has at most {ONNX_BYTES_MAX}",
        file.display()
    );
    let onnx = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let model = aceso_inference::admit(&onnx, &manifest).with_context(|| format!("{} is refused", file.display()))?;
    let facts = model.facts();
    let shapes = |specs: &[aceso_inference::TensorSpec]| -> Vec<_> {
        specs.iter().map(|spec| json!({"name": spec.name, "type": spec.ty, "dims": spec.dims})).collect()
    };
    let id = manifest.id().to_string();
    let object = json!({
        "ok": true,
        "model": id,
        "onnx": manifest.onnx,
        "inputs": shapes(model.inputs()),
        "outputs": shapes(model.outputs()),
        "facts": {
            "macs": facts.macs.to_string(),
            "element_ops": facts.element_ops.to_string(),
            "peak_bytes": facts.peak_bytes.to_string(),
            "weight_bytes": facts.weight_bytes.to_string(),
            "nodes": facts.nodes,
        },
    });
    output.print(&object, || {
        format!(
            "admitted: {id}\n  onnx.digest {}\n  {} operations, {} multiply-accumulate steps, {} bytes of weights, {} bytes while it runs",
            manifest.onnx.digest, facts.nodes, facts.macs, facts.weight_bytes, facts.peak_bytes
        )
    })
}

pub(crate) fn read_manifest(path: &PathBuf) -> anyhow::Result<Manifest> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let manifest: Manifest = if bytes.first() == Some(&b'{') {
        serde_json::from_slice(&bytes).with_context(|| format!("{} is not a manifest", path.display()))?
    } else {
        Manifest::decode(&bytes).with_context(|| format!("{} is not a manifest", path.display()))?
    };
    manifest.check().with_context(|| format!("{} is not a manifest to register", path.display()))?;
    Ok(manifest)
}
