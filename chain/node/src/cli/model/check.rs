//! `aceso model check`: admission as a compiler's report. Each operation with its cost, what is seldom meant, and, where
//! Python has onnxruntime, whether that computes the same.

use std::path::PathBuf;

use aceso_inference::{Explanation, ModelRefused, Operation, admit, explain, meter};
use anyhow::{Result, anyhow};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{against, python::Python, read_manifest, read_onnx};
use crate::cli::Output;

/// Checks a model.
#[derive(Args)]
pub(crate) struct Check {
    /// The ONNX file.
    file: PathBuf,
    /// The manifest, in JSON or dag-cbor.
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// Also run it in another engine on seeded inputs, and say which tensors differ.
    #[arg(long, value_name = "ENGINE")]
    against: Option<Engine>,
    #[command(flatten)]
    python: Python,
}

/// What a model can be compared with.
#[derive(Clone, Copy, ValueEnum)]
enum Engine {
    /// ONNX Runtime, in Python.
    Onnxruntime,
}

impl Check {
    pub(super) fn run(self, output: Output) -> Result<()> {
        let manifest = read_manifest(&self.manifest)?;
        let onnx = read_onnx(&self.file)?;
        let explanation = explain(&onnx, &manifest).map_err(|refused| self.refused(&refused))?;
        let compared = match self.against {
            Some(Engine::Onnxruntime) => {
                let model = admit(&onnx, &manifest).map_err(|refused| self.refused(&refused))?;
                Some(against::compare(&self.file, &onnx, &model, &manifest, &self.python)?)
            }
            None => None,
        };
        let id = manifest.id().to_string();
        let mut object = json!({
            "ok": true,
            "model": id,
            "onnx": manifest.onnx,
            "inputs": shapes(&explanation.inputs),
            "outputs": shapes(&explanation.outputs),
            "facts": {
                "macs": explanation.facts.macs.to_string(),
                "element_ops": explanation.facts.element_ops.to_string(),
                "peak_bytes": explanation.facts.peak_bytes.to_string(),
                "weight_bytes": explanation.facts.weight_bytes.to_string(),
                "nodes": explanation.facts.nodes,
            },
            "gas": {
                "run": meter::run(&explanation.facts).to_string(),
                "load": meter::load(&explanation.facts).to_string(),
            },
            "operations": explanation.operations.iter().map(row).collect::<Vec<_>>(),
            "fused": explanation.fused,
            "warnings": explanation.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        if let Some(compared) = &compared {
            object["against"] = compared.object();
        }
        output.print(&object, || {
            let compared = compared.as_ref().map_or_else(String::new, |compared| format!("\n{}", compared.text()));
            format!("admitted: {id}\n  onnx.digest {}\n{}{compared}", manifest.onnx.digest, text(&explanation))
        })
    }

    fn refused(&self, refused: &ModelRefused) -> anyhow::Error {
        anyhow!("{} is refused: {refused}; {}", self.file.display(), refused.hint())
    }
}

fn shapes(specs: &[aceso_inference::TensorSpec]) -> Vec<Value> {
    specs.iter().map(|spec| json!({"name": spec.name, "type": spec.ty, "dims": spec.dims})).collect()
}

fn row(one: &Operation) -> Value {
    json!({
        "node": one.site.node,
        "op": one.site.op,
        "kind": one.kind,
        "type": one.ty,
        "dims": one.dims,
        "macs": one.macs.to_string(),
        "element_ops": one.element_ops.to_string(),
        "weight_bytes": one.weight_bytes.to_string(),
        "bytes": one.bytes.to_string(),
        "gas": one.gas.to_string(),
    })
}

/// The table, what was fused, what it costs, what to look at.
fn text(explanation: &Explanation) -> String {
    let (facts, price) = (&explanation.facts, meter::run(&explanation.facts));
    let head = ["node", "operation", "result", "MACs", "KiB", "Mgas", "%"].map(str::to_owned);
    let mut rows = vec![head];
    rows.extend(explanation.operations.iter().map(|one| {
        let dims: Vec<_> = one.dims.iter().map(ToString::to_string).collect();
        [
            shortened(&one.site.node),
            one.kind.clone(),
            format!("{}[{}]", one.ty, dims.join(",")),
            one.macs.to_string(),
            one.bytes.div_ceil(1024).to_string(),
            format!("{}.{}", one.gas / 1_000_000, one.gas / 100_000 % 10),
            (one.gas.saturating_mul(100) / price.max(1)).to_string(),
        ]
    }));
    let mut widths = [0; 7];
    for row in &rows {
        widths.iter_mut().zip(row).for_each(|(width, cell)| *width = cell.chars().count().max(*width));
    }
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths).enumerate();
        // Words to the left, numbers to the right.
        let cell = |(at, (cell, width))| if at < 3 { format!("{cell:width$}") } else { format!("{cell:>width$}") };
        text += &format!("  {}\n", cells.map(cell).collect::<Vec<_>>().join("  "));
    }
    if !explanation.fused.is_empty() {
        let fused: Vec<_> = explanation.fused.iter().map(|(op, count)| format!("{count} {op}")).collect();
        text += &format!("  float operators that became integer ones: {}\n", fused.join(", "));
    }
    text += &format!(
        "  {} operations, {} multiply-accumulate steps, {} bytes of weights, {} bytes while it runs\n  a run costs {price} wasm \
         gas, making it ready {}",
        facts.nodes,
        facts.macs,
        facts.weight_bytes,
        facts.peak_bytes,
        meter::load(facts)
    );
    for warning in &explanation.warnings {
        text += &format!("\n  warning: {warning}");
    }
    text
}

/// The end of a name that is too long for a column: exporters put the path first.
fn shortened(name: &str) -> String {
    const MOST: usize = 40;
    match name.char_indices().rev().nth(MOST - 1) {
        Some((at, _)) if at > 0 => format!("…{}", name[at..].chars().skip(1).collect::<String>()),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_their_end() {
        assert_eq!(shortened("conv"), "conv");
        assert_eq!(shortened(&"ü".repeat(40)), "ü".repeat(40));
        assert_eq!(shortened(&format!("{}/conv", "ü".repeat(60))), format!("…{}/conv", "ü".repeat(34)));
    }
}
