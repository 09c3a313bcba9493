//! The main job: a chain from nothing, the parties as separate clients, every refusal.
//!
//! This only prepares; the parties are played by the program `journey`, through the public client SDK.

use std::{
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{
    prepare,
    shell::{root, say, target},
    test::Count,
    tools,
};

/// Prepares and plays; the exit code is the journey's.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    // What is missing is said before anything is built.
    let engine = arguments.iter().any(|argument| argument == "--cometbft").then(tools::cometbft).transpose()?;
    let contracts = prepare::contracts()?;
    let mut command = journey(&contracts)?;
    if let Some(engine) = engine {
        command.arg("--engine").arg(engine);
    }
    // Whoever keeps the node wants to look at it; without Node.js the page says how to build it.
    if arguments.iter().any(|argument| argument == "--keep") {
        match prepare::page() {
            Ok(page) => drop(command.arg("--ui").arg(page)),
            Err(error) => say(&format!("no page: {error:#}")),
        }
    }
    // Tests are given no network: only who plays the demo gets a real image from far away, where none is at hand.
    command.arg("--download").arg(target().join("data"));
    command.args(arguments.iter().filter(|argument| *argument != "--cometbft"));
    say("playing the parties");
    let status = command.status().context("cannot start the journey")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes a synthetic image.
pub(crate) fn sample(arguments: &[String]) -> Result<ExitCode> {
    let [file] = arguments else { bail!("say where: `cargo xtask sample FILE`") };
    let journey = prepare::binaries()?.join("journey");
    let status = Command::new(journey).arg("--sample").arg(file).status().context("cannot start the journey")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The journey over these contracts, with everything that it runs built.
pub(crate) fn journey(contracts: &Path) -> Result<Command> {
    let binaries = prepare::binaries()?;
    let mut command = Command::new(binaries.join("journey"));
    command.arg("--node").arg(binaries.join("aceso")).arg("--contracts").arg(contracts);
    command.arg("--models").arg(root().join("models"));
    command.current_dir(root()).stdin(Stdio::null());
    Ok(command)
}

/// The journey as a suite: every step and every refusal is a case.
pub(crate) fn suite() -> Result<Count> {
    counted(journey(&prepare::contracts()?)?)
}

/// The same under one real CometBFT validator, as it comes, and under four with our client, of whom one answers no sealed
/// read; before them the tests of that client.
pub(crate) fn suite_cometbft() -> Result<Count> {
    let (engine, contracts) = (tools::cometbft()?, prepare::contracts()?);
    let play = |engine: &Path, validators: &[&str]| {
        let mut command = journey(&contracts)?;
        command.arg("--engine").arg(engine).args(validators);
        counted(command)
    };
    let count = tools::test_cometbft()?.add(play(&tools::stock_cometbft()?, &[])?);
    Ok(count.add(play(&engine, &["--validators", "4"])?))
}

/// Plays, and counts what went well.
fn counted(mut command: Command) -> Result<Count> {
    let output = command.arg("--json").stderr(Stdio::null()).output().context("cannot start the journey")?;
    let report: Value = serde_json::from_slice(&output.stdout).context("the journey did not report")?;
    let mut count = Count::default();
    for row in ["steps", "refusals"].iter().flat_map(|list| report[list].as_array().into_iter().flatten()) {
        if row["ok"] == true {
            count.passed += 1;
        } else {
            println!("{row}");
            count.failed += 1;
        }
    }
    if output.status.success() != (count.failed == 0) {
        bail!("the journey ended with {}, and {} of its cases failed", output.status, count.failed);
    }
    Ok(count)
}
