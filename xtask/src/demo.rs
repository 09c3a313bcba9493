//! The main job: a chain from nothing, the parties as separate clients, every refusal.
//!
//! This only prepares; the parties are played by the program `journey`, through the public client SDK.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::{
    prepare,
    shell::{root, say},
    tools,
};

/// Prepares and plays; the exit code is the journey's.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let status = command(arguments)?.status().context("cannot start the journey")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The journey with all that it needs built.
pub(crate) fn command(arguments: &[String]) -> Result<Command> {
    let contracts = prepare::contracts()?;
    let binaries = prepare::binaries()?;
    let mut command = Command::new(binaries.join("journey"));
    command.arg("--node").arg(binaries.join("aceso")).arg("--contracts").arg(contracts);
    command.arg("--models").arg(root().join("models"));
    if arguments.iter().any(|argument| argument == "--cometbft") {
        command.arg("--engine").arg(tools::cometbft()?);
    }
    command.args(arguments.iter().filter(|argument| *argument != "--cometbft"));
    command.current_dir(root()).stdin(Stdio::null());
    say("playing the parties");
    Ok(command)
}
