//! Benches by name: one JSON object a line with `--json`, a table without.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::{
    engines, faults, prepare,
    shell::{program, root, say},
    tools,
};

/// Builds what is measured and runs the bench.
pub(crate) fn run(arguments: Vec<String>) -> Result<ExitCode> {
    let (name, rest) = arguments.split_first().map(|(name, rest)| (name.as_str(), rest)).unwrap_or_default();
    if name == "study" {
        return page(rest);
    }
    if name == "vm" {
        return engines::peer("bench", rest);
    }
    // What these measure needs validators in part only.
    let (alone, with_validators) = match name {
        "net" => ("sync", true),
        other => (other, other == "reads"),
    };
    let contracts = prepare::contracts()?;
    let binaries = prepare::binaries()?;
    let mut command = program(binaries.join("bench"), &[]);
    if name == "reads" && tools::node().is_ok() {
        command.env("ACESO_VERIFY_WASM", prepare::verifier()?);
    }
    command.arg(alone).args(rest);
    if name == "seal" && !arguments.iter().any(|one| one == "--boxo") {
        match tools::boxo() {
            Ok(boxo) => {
                command.arg("--boxo").arg(boxo);
            }
            Err(why) => say(&format!("without boxo, whose stated time stands in its place: {why:#}")),
        }
    }
    if name == "chain" {
        command.arg("--cometbft").arg(tools::cometbft()?).arg("--stock").arg(tools::stock_cometbft()?);
        for (flag, peer) in [("--cw20", engines::cw20()), ("--wasmd", tools::wasmd())] {
            match peer {
                Ok(path) => {
                    command.arg(flag).arg(path);
                }
                Err(why) => say(&format!("without {}: {why:#}", flag.trim_start_matches("--"))),
            }
        }
    }
    command.env("ACESO_CONTRACTS", contracts).env("ACESO_NODE", binaries.join("aceso"));
    command.current_dir(root());
    let status = command.status().context("cannot start the bench")?;
    match status.success() {
        true if with_validators => faults::bench(name, rest),
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::FAILURE),
    }
}

/// What the page does, measured in Chromium by a program of its own.
fn page(rest: &[String]) -> Result<ExitCode> {
    tools::chromium()?;
    prepare::page()?;
    let (contracts, node) = (prepare::contracts()?, prepare::binaries()?.join("aceso"));
    prepare::install("tests/clients/browser")?;
    let mut command = program("node", &["benches/page/study.mjs"]);
    command.args(rest).env("ACESO_CONTRACTS", contracts).env("ACESO_NODE", node).current_dir(root());
    let done = command.status().context("cannot start node")?.success();
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
