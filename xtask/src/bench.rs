//! Benches by name: one JSON object a line with `--json`, a table without.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::{
    faults, prepare,
    shell::{program, root},
    tools,
};

/// Builds what is measured and runs the bench.
pub(crate) fn run(arguments: Vec<String>) -> Result<ExitCode> {
    if arguments.first().is_some_and(|name| name == "net") {
        return faults::bench(&arguments[1..]);
    }
    let contracts = prepare::contracts()?;
    let binaries = prepare::binaries()?;
    let mut command = program(binaries.join("bench"), &[]);
    if arguments.first().is_some_and(|name| name == "reads") && tools::node().is_ok() {
        command.env("ACESO_VERIFY_WASM", prepare::verifier()?);
    }
    command.args(arguments).env("ACESO_CONTRACTS", contracts).env("ACESO_NODE", binaries.join("aceso"));
    command.current_dir(root());
    let status = command.status().context("cannot start the bench")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
