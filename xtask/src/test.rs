//! Every test, suite by suite, from nothing.
//!
//! A suite answers with how many of its cases passed, failed and were skipped; the last line adds them up. A missing
//! tool is a failure that names its install command, unless `--allow-skip` says that a skip is enough.

use std::{
    io::{BufRead, BufReader},
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};

use crate::{
    clients, demo, docs, faults, history, lint, mutants, node_tests, prepare, processors,
    shell::{cargo, program, quiet, say, target},
    tools,
};

/// How many cases went how.
#[derive(Clone, Copy, Default)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Count {
    pub(crate) fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }

    /// One case that went well or not.
    pub(crate) fn one(result: Result<()>) -> Self {
        match result {
            Ok(()) => Self { passed: 1, ..Self::default() },
            Err(error) => {
                eprintln!("error: {error:#}");
                Self { failed: 1, ..Self::default() }
            }
        }
    }
}

/// A suite: its name, what it needs of the outside, what it does.
struct Suite {
    name: &'static str,
    about: &'static str,
    run: fn() -> Result<Count>,
}

/// In the order in which they run: the quick and telling ones first.
const SUITES: &[Suite] = &[
    Suite { name: "format", about: "rustfmt", run: || Ok(Count::one(lint::formatting())) },
    Suite { name: "rust", about: "unit, golden, property and scenario tests of every crate", run: rust },
    Suite { name: "conformance", about: "ONNX's own node tests, and the table of them", run: conformance },
    Suite {
        name: "processors",
        about: "golden graphs on emulated processors: x86-64 without AVX, with AVX2, aarch64",
        run: processors::suite,
    },
    Suite { name: "journey", about: "the main job and every refusal on an embedded chain", run: demo::suite },
    Suite {
        name: "cometbft",
        about: "the same under real CometBFT validators, one and four",
        run: demo::suite_cometbft,
    },
    Suite { name: "network", about: "four CometBFT validators: kills, partitions, a liar", run: faults::suite },
    Suite { name: "history", about: "events in PostgreSQL, every query of docs/history.md", run: history::suite },
    Suite { name: "state-sync", about: "a second CometBFT node joins by state sync", run: state_sync },
    Suite { name: "mutants", about: "contracts without a check: the journey must notice", run: mutants::run },
    Suite {
        name: "cosmjs",
        about: "CosmJS, unmodified; our messages in both of its sign modes",
        run: node_tests::cosmjs,
    },
    Suite { name: "js", about: "our TypeScript package", run: node_tests::js },
    Suite { name: "browser", about: "the page, by clicks and keys in Chromium", run: node_tests::browser },
    Suite {
        name: "fuzz",
        about: "spoiled models, pictures, contracts and calls of them, twenty seconds each",
        run: fuzz,
    },
    Suite { name: "docs", about: "every command of the documentation", run: docs::suite },
    Suite { name: "clippy", about: "lints, warnings refused", run: || Ok(Count::one(lint::clippy())) },
    Suite { name: "crates", about: "licences and duplicates of dependencies", run: || Ok(Count::one(lint::crates())) },
];

/// Suites that run only when they are named.
const NAMED: &[Suite] = &[Suite {
    name: "clients",
    about: "cosmrs, cw-orch, older CosmJS, grpcurl and published contracts; only when named",
    run: clients::suite,
}];

/// Runs all suites, or one.
pub(crate) fn run(arguments: Vec<String>) -> Result<ExitCode> {
    use lexopt::prelude::*;
    let (mut only, mut allow_skip) = (None, false);
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("only") => only = Some(parser.value()?.string()?),
            Long("allow-skip") => allow_skip = true,
            other => return Err(other.unexpected().into()),
        }
    }
    if only.as_deref() == Some("list") {
        SUITES.iter().chain(NAMED).for_each(|suite| println!("{:<11} {}", suite.name, suite.about));
        return Ok(ExitCode::SUCCESS);
    }
    let chosen: Vec<&Suite> = match only.as_deref() {
        None => SUITES.iter().collect(),
        Some(name) => SUITES.iter().chain(NAMED).filter(|suite| suite.name == name).collect(),
    };
    if chosen.is_empty() {
        bail!("there is no suite {:?}; `cargo xtask test --only list` names them", only.unwrap_or_default());
    }

    let (mut total, begin) = (Count::default(), Instant::now());
    for suite in chosen {
        let start = Instant::now();
        say(&format!("suite {}: {}", suite.name, suite.about));
        let count = match (suite.run)() {
            Ok(count) => count,
            Err(error) if allow_skip && error.is::<MissingTool>() => {
                eprintln!("skipped: {error:#}");
                Count { skipped: 1, ..Count::default() }
            }
            Err(error) => Count::one(Err(error)),
        };
        println!(
            "suite {}: {} passed, {} failed, {} skipped in {} s",
            suite.name,
            count.passed,
            count.failed,
            count.skipped,
            start.elapsed().as_secs()
        );
        total = total.add(count);
    }
    if only.is_none() {
        prepare::note("test", begin)?;
    }
    println!("{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped);
    Ok(if total.failed == 0 && total.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A program that a suite needs is not there and cannot be installed from here.
#[derive(Debug)]
pub(crate) struct MissingTool(pub(crate) String);

impl std::fmt::Display for MissingTool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MissingTool {}

/// Records the golden vectors anew.
pub(crate) fn golden() -> Result<()> {
    let mut command = rust_tests()?;
    command.env("UPDATE_EXPECT", "1");
    let (count, success) = counted(command)?;
    if !success {
        bail!("{} tests fail for another reason than their vectors", count.failed);
    }
    Ok(())
}

fn rust() -> Result<Count> {
    let (mut count, success) = counted(rust_tests()?)?;
    if !success && count.failed == 0 {
        // It did not build, or a test binary died: there is no count of that.
        count.failed = 1;
    }
    // What is ignored there runs in a suite of its own.
    count.skipped = 0;
    Ok(count)
}

fn state_sync() -> Result<Count> {
    let engine = tools::cometbft()?;
    let mut command = cargo(&["test", "--release", "--workspace", "--test", "state_sync", "--", "--ignored"]);
    command.env("ACESO_COMETBFT", engine);
    Ok(counted(command)?.0)
}

fn conformance() -> Result<Count> {
    let python = tools::onnx()?;
    let folder = target().join("conformance");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let mut cases = program(python, &["-W", "ignore", "inference-host/tools/conformance.py"]);
    cases.arg(&folder);
    quiet(cases)?;
    let mut command = cargo(&["test", "--release", "--workspace", "--test", "conformance", "--", "--ignored"]);
    command.env("ACESO_CONFORMANCE", folder);
    Ok(counted(command)?.0)
}

fn fuzz() -> Result<Count> {
    let suites = counted(cargo(&["test", "--release", "--workspace", "--test", "fuzz", "--", "--ignored"]))?.0;
    // What only the node itself can reach.
    let inside = counted(cargo(&["test", "--release", "--workspace", "--lib", "--", "--ignored", "fuzzing::"]))?.0;
    Ok(suites.add(inside))
}

fn rust_tests() -> Result<Command> {
    let contracts = prepare::contracts()?;
    prepare::wasip1_contract()?;
    let mut command = cargo(&["test", "--release", "--workspace", "--no-fail-fast"]);
    command.env("ACESO_CONTRACTS", contracts);
    Ok(command)
}

/// Runs a command that prints the closing lines of Rust's test runner, passes its words on and adds the lines up.
pub(crate) fn counted(mut command: Command) -> Result<(Count, bool)> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let mut count = Count::default();
    for line in BufReader::new(child.stdout.take().context("no output")?).lines() {
        let line = line?;
        let closing = line.strip_prefix("test result: ");
        if closing.is_none() && !(line.starts_with("test ") && line.ends_with("... ok")) && !line.trim().is_empty() {
            println!("{line}");
        }
        count = closing.map_or(count, |text| count.add(closing_line(text)));
    }
    Ok((count, child.wait()?.success()))
}

/// `ok. 3 passed; 0 failed; 1 ignored; …`
fn closing_line(text: &str) -> Count {
    let number = |what: &str| {
        let mut words = text.split([';', '.']).map(str::trim).filter_map(|part| part.strip_suffix(what));
        words.next().and_then(|number| number.trim().parse().ok()).unwrap_or(0)
    };
    Count { passed: number("passed"), failed: number("failed"), skipped: number("ignored") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_understood() {
        let count =
            closing_line("FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.0s");
        assert_eq!((count.passed, count.failed, count.skipped), (12, 3, 1));
    }
}
