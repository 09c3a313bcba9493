//! Our contract engine beside cosmwasm-vm: `benches/peers/cosmwasm-vm`, a program of a workspace of its own.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};

use crate::{
    shell::{cargo, program, quiet, root, run, say, target},
    test::MissingTool,
};

/// The Go module whose contracts are run beside those of the published crate.
const WASMD: &str = "github.com/CosmWasm/wasmd@v0.61.14";

/// Builds the program and runs it in one of its modes.
pub(crate) fn peer(mode: &str, arguments: &[String]) -> Result<ExitCode> {
    let folder = target().join("peers/cosmwasm-vm");
    say("building our engine and cosmwasm-vm (ten minutes the first time)");
    let mut build = cargo(&["build", "--quiet", "--release", "--locked", "--target-dir"]);
    build.arg(&folder).current_dir(root().join("benches/peers/cosmwasm-vm"));
    run(build)?;
    let mut command = program(folder.join("release/cosmwasm-vm-peer"), &[mode]);
    command.args(arguments);
    match wasmd() {
        Ok(wasmd) => {
            command.arg("--wasmd").arg(wasmd);
        }
        Err(why) => say(&format!("without the contracts of wasmd: {why:#}")),
    }
    let status = command.status().context("cannot start what was built")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// wasmd's own cw20_base.
pub(crate) fn cw20() -> Result<PathBuf> {
    Ok(wasmd()?.join("benchmarks/testdata/cw20_base.wasm"))
}

/// The module's folder; Go fetches it where it is not there.
fn wasmd() -> Result<PathBuf> {
    let missing = |why: anyhow::Error| MissingTool(format!("Go cannot get {WASMD}: {why:#}"));
    let said = quiet(program("go", &["mod", "download", "-json", WASMD])).map_err(missing)?;
    let module: serde_json::Value = serde_json::from_str(&said)?;
    module["Dir"].as_str().map(PathBuf::from).with_context(|| format!("Go did not say where {WASMD} is"))
}
