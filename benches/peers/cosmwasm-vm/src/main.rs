//! Our engine and cosmwasm-vm 3.0.10 as published, in one process, on the same contracts. `README.md` says how each is run.
//!
//! ```text
//! bench [--json] [--quick] [--only GROUP] [--wasmd DIR]
//!                                                    what things cost on both
//! diff [--sequences N] [--seed N] [--wasmd DIR]      the same calls on both must come to the same
//! flows [--wasmd DIR] [--wasmvm DIR]                 what each contract is for, step by step, on both
//! verdicts [--wasmd DIR]                             which contracts each takes, as a table
//! receipts VERIFIER.wasm VECTORS.json                compact receipts, in a contract on the peer
//! ```
//!
//! `DIR` is the module `github.com/CosmWasm/wasmd@v0.61.14`, or `wasmvm/v3@v3.0.7`, of Go, from which a few more contracts are taken.

mod bench;
mod bombs;
mod calls;
mod classes;
mod codes;
mod diff;
mod engines;
mod flows;
mod many;
mod measure;
mod messages;
mod random;
mod receipts;
mod verdicts;
mod world;

use std::{env, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};

/// What all modes but `receipts` are told.
struct Options {
    json: bool,
    quick: bool,
    only: Option<String>,
    sequences: u64,
    seed: u64,
    wasmd: Option<PathBuf>,
    wasmvm: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<ExitCode> {
    let (mode, rest) = arguments.split_first().context("bench, diff, flows, verdicts or receipts?")?;
    let done = ExitCode::SUCCESS;
    match mode.as_str() {
        "receipts" => receipts::run(rest).map(|()| done),
        // What `bench` measures in processes of their own.
        "bomb" => bombs::child(rest).map(|()| done),
        "many" => many::child(rest).map(|()| done),
        "bench" => bench::run(&options(rest)?).map(|()| done),
        "verdicts" => verdicts::run(&options(rest)?).map(|()| done),
        "diff" => diff::run(&options(rest)?),
        "flows" => flows::run(&options(rest)?),
        other => bail!("there is no mode {other:?}"),
    }
}

fn options(arguments: &[String]) -> Result<Options> {
    let mut options =
        Options { json: false, quick: false, only: None, sequences: 1_000, seed: 1, wasmd: None, wasmvm: None };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} wants a value"));
        match argument.as_str() {
            "--json" => options.json = true,
            "--quick" => options.quick = true,
            "--only" => match value()? {
                group if bench::GROUPS.contains(&group.as_str()) => options.only = Some(group.clone()),
                group => bail!("there is no group {group:?}: {}", bench::GROUPS.join(", ")),
            },
            "--sequences" => options.sequences = value()?.parse()?,
            "--seed" => options.seed = value()?.parse()?,
            "--wasmd" => options.wasmd = Some(PathBuf::from(value()?)),
            "--wasmvm" => options.wasmvm = Some(PathBuf::from(value()?)),
            other => bail!("there is no option {other:?}"),
        }
    }
    Ok(options)
}
