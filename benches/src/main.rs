//! What things cost. `cargo xtask bench NAME [--json] [--quick] [--record] [--data DIR] [--python PATH] [--tract PATH] [--boxo PATH]`.
//!
//! Each bench hands out one JSON object per case: `{"bench","case","ours","peer","peer_name","unit","ratio"}`, where a
//! ratio above 1 is better than the peer. Where there is no peer the stated must stands in its place, named "target";
//! where there is neither, peer and ratio are null. What was measured when stands in `RESULTS.md`. Other engines are compared
//! by programs of their own under `peers`, each of which says at its top how it is run.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

mod accuracy;
mod chain;
mod engine;
mod first;
mod grants;
mod host;
mod inference;
mod reads;
mod reads_compact;
mod reads_kept;
mod seal;
mod state;
mod sync;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, bail};
use serde_json::{Value, json};

const NAMES: [(&str, &str); 13] = [
    ("first", "calls, reads, transactions, blobs, builds"),
    (
        "chain",
        "blocks of token transfers, beside wasmd: each ABCI call, bytes kept, a large state, whole nodes under load",
    ),
    ("accuracy", "the bundled models on their test splits; --record draws the cards' pictures anew"),
    ("grants", "proofs about keys, as the chain checks them"),
    ("host", "functions that contracts call, beside their prices in gas"),
    ("inference", "runs of models, beside ONNX Runtime with --python PATH and tract with --tract PATH"),
    ("seal", "records sealed and imported, beside boxo with --boxo PATH; grants"),
    // Its last cases are run by the program that makes networks.
    ("reads", "sealed reads: outcomes in a block, receipts checked without the chain, bytes kept; four validators"),
    ("state", "roots, commits, reads, proofs"),
    ("sync", "a state that is cut into chunks, served and restored"),
    // Run as `sync`, and then by the program that makes networks.
    ("net", "state sync; four validators: pace, finality, reads with their proofs, blocks executed again"),
    // A program of its own, `peers/cosmwasm-vm`.
    ("vm", "the contract engine beside cosmwasm-vm: calls, loops, stores, modules made to be slow to compile, memory"),
    // A program of its own, `page/study.mjs`.
    ("study", "a study of 500 files sealed, uploaded and granted in the page, in Chromium"),
];

/// A case that has no peer: what must be reached stands in its place, where anything must. Less is better.
fn beside_must(bench: &str, case: &str, ours: f64, unit: &str, must: Option<f64>) -> Value {
    json!({
        "bench": bench, "case": case, "ours": ours, "unit": unit,
        "peer": must, "peer_name": must.map(|_| "target"), "ratio": must.map(|must| must / ours),
    })
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    use lexopt::prelude::*;
    let (mut name, mut json, mut quick, mut record) = (None, false, false, false);
    let (mut data, mut python, mut tract, mut boxo) = (None, None, None, None);
    let (mut cw20, mut cometbft, mut stock, mut wasmd, mut only) = (None, None, None, None, None);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Value(value) if name.is_none() => name = Some(value.string()?),
            Long("json") => json = true,
            Long("quick") => quick = true,
            Long("record") => record = true,
            Long("only") => {
                only = Some(match parser.value()?.string()?.as_str() {
                    "application" => chain::Part::Application,
                    "validators" => chain::Part::Validators,
                    other => bail!("there is no part {other:?}: application, validators"),
                });
            }
            Long("cometbft") => cometbft = Some(PathBuf::from(parser.value()?)),
            Long("stock") => stock = Some(PathBuf::from(parser.value()?)),
            Long("wasmd") => wasmd = Some(PathBuf::from(parser.value()?)),
            Long("cw20") => cw20 = Some(PathBuf::from(parser.value()?)),
            Long("data") => data = Some(PathBuf::from(parser.value()?)),
            Long("boxo") => boxo = Some(PathBuf::from(parser.value()?)),
            Long("python") => python = Some(PathBuf::from(parser.value()?)),
            Long("tract") => tract = Some(PathBuf::from(parser.value()?)),
            other => return Err(other.unexpected().into()),
        }
    }
    let emit = |row: serde_json::Value| println!("{}", if json { row.to_string() } else { line(&row) });
    match name.as_deref() {
        Some("first") => first::run(quick, emit),
        Some("chain") => chain::run(&chain::Settings { quick, only, cw20, cometbft, stock, wasmd }, emit),
        Some("accuracy") => accuracy::run(&aceso_test_support::repository(), data, record, emit),
        Some("grants") => grants::run(quick, emit),
        Some("host") => host::run(&aceso_test_support::repository(), quick, emit),
        Some("inference") => inference::run(&aceso_test_support::repository(), python, tract, quick, emit),
        Some("seal") => seal::run(tempfile::tempdir()?.path(), boxo, quick, emit),
        Some("reads") => {
            reads::run(quick, emit)?;
            let wasm = std::env::var_os("ACESO_VERIFY_WASM").map(PathBuf::from);
            reads_compact::run(&aceso_test_support::repository(), wasm.as_deref(), quick, emit)?;
            reads_kept::run(emit)
        }
        Some("state") => state::run(tempfile::tempdir()?.path(), quick, emit),
        Some("sync") => sync::run(tempfile::tempdir()?.path(), quick, emit),
        Some("list") | None => {
            NAMES.iter().for_each(|(name, about)| println!("{name:<10} {about}"));
            Ok(())
        }
        Some(other) => bail!("there is no bench {other:?}; `cargo xtask bench list` names them"),
    }
}

/// A row for people.
fn line(row: &Value) -> String {
    let text = |field: &str| row[field].as_str().unwrap_or_default().to_string();
    let number = |field: &str| row[field].as_f64().map(|number| format!("{number:.3}")).unwrap_or_default();
    let peer = match row["peer"].is_null() {
        true => String::new(),
        false => format!("{} {} (ratio {})", text("peer_name"), number("peer"), number("ratio")),
    };
    format!("{:<48} {:>14} {:<8} {peer}", text("case"), number("ours"), text("unit"))
}
