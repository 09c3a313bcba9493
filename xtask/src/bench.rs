//! Benches by name: one JSON object a line with `--json`, a table without.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::{
    faults, prepare,
    shell::{program, root, say},
    tools,
};

/// Builds what is measured and runs the bench.
pub(crate) fn run(arguments: Vec<String>) -> Result<ExitCode> {
    let (name, rest) = arguments.split_first().map(|(name, rest)| (name.as_str(), rest)).unwrap_or_default();
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
    command.env("ACESO_CONTRACTS", contracts).env("ACESO_NODE", binaries.join("aceso"));
    command.current_dir(root());
    let status = command.status().context("cannot start the bench")?;
    match status.success() {
        true if with_validators => faults::bench(name, rest),
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::FAILURE),
    }
}
