//! Networks of real validators and what happens to them: the program `network`, prepared and started here.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{
    prepare,
    shell::{own_network, say},
    test::Count,
    tools,
};

/// Runs the long form of every scenario, or as the arguments say.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let mut command = network()?;
    command.args(arguments);
    say("running the scenarios");
    let status = command.status().context("cannot start the scenarios")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs a load of half an hour, or as long as the arguments say, while memory and handles are watched.
pub(crate) fn soak(arguments: &[String]) -> Result<ExitCode> {
    let (minutes, rest) = match arguments {
        [flag, minutes, rest @ ..] if flag == "--minutes" => (minutes.as_str(), rest),
        rest => ("30", rest),
    };
    let mut all = vec!["--soak".to_owned(), minutes.to_owned()];
    all.extend_from_slice(rest);
    run(&all)
}

/// What networks take for things: a bench by its name.
pub(crate) fn bench(name: &str, arguments: &[String]) -> Result<ExitCode> {
    let mut all = vec!["--bench".to_owned(), name.to_owned()];
    all.extend_from_slice(arguments);
    run(&all)
}

/// The short form as a suite: every scenario is a case.
pub(crate) fn suite() -> Result<Count> {
    let mut command = network()?;
    let output = command.args(["--quick", "--json"]).stderr(Stdio::inherit()).output();
    let output = output.context("cannot start the scenarios")?;
    let mut count = Count::default();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let row: Value = serde_json::from_str(line).with_context(|| format!("not a scenario's line: {line}"))?;
        if row["ok"] == true {
            count.passed += 1;
        } else {
            println!("{row}");
            count.failed += 1;
        }
    }
    if output.status.success() != (count.failed == 0 && count.passed > 0) {
        bail!("the scenarios ended with {}, and {} of them failed", output.status, count.failed);
    }
    Ok(count)
}

/// The scenarios in namespaces of their own: what they make of networks goes with them.
fn network() -> Result<Command> {
    tools::iproute()?;
    let (engine, contracts, binaries) = (tools::cometbft()?, prepare::contracts()?, prepare::binaries()?);
    let mut command = own_network("exec \"$0\" \"$@\"")?;
    command
        .arg(binaries.join("network"))
        .arg("--node")
        .arg(binaries.join("aceso"))
        .arg("--next")
        .arg(binaries.join("aceso-next"))
        .arg("--faulty")
        .arg(binaries.join("aceso-faulty"))
        .arg("--engine")
        .arg(engine)
        .arg("--stock")
        .arg(tools::stock_cometbft()?)
        .env("ACESO_CONTRACTS", contracts)
        .stdin(Stdio::null());
    Ok(command)
}
