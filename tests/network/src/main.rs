//! A network of real CometBFT validators under load, and what happens to it: kills, partitions, liars.
//!
//! `cargo xtask faults` builds what is needed and calls this; `cargo xtask test` runs the short form of every scenario.
//! A scenario ([`scenario`]) gets a network ([`net`]), in network namespaces of its own where addresses and rates
//! matter ([`space`]), and a load ([`load`]) whose every acknowledged transaction is written down. It ends with the
//! same judgement as all others ([`judge`]): one app hash, each acknowledged transaction exactly once, every coin where
//! the ledger says. What is random comes from the printed seed.

#![allow(clippy::disallowed_methods, reason = "tests of the rim: they have clocks and end processes")]

use std::{path::PathBuf, process::ExitCode, time::Instant};

use anyhow::{Context, Result};
use serde_json::json;

mod home;
mod judge;
mod load;
mod net;
mod proxy;
mod random;
mod scenario;
mod space;

use net::Programs;
use random::Random;

const HELP: &str = "\
network --node BIN --next BIN --engine COMETBFT --contracts DIR [--only SCENARIO] [--quick] [--seed N] [--json]
network --list

Runs fault scenarios; see `cargo xtask help`, task faults.
";

/// What the command line says.
#[derive(Default)]
struct Arguments {
    node: PathBuf,
    next: PathBuf,
    engine: PathBuf,
    contracts: PathBuf,
    only: Option<String>,
    quick: bool,
    seed: Option<u64>,
    json: bool,
}

fn main() -> ExitCode {
    match parse().and_then(|arguments| arguments.map_or(Ok(true), |arguments| run(&arguments))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn parse() -> Result<Option<Arguments>> {
    use lexopt::prelude::*;
    let mut arguments = Arguments::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("node") => arguments.node = parser.value()?.into(),
            Long("next") => arguments.next = parser.value()?.into(),
            Long("contracts") => arguments.contracts = parser.value()?.into(),
            Long("engine") => arguments.engine = parser.value()?.into(),
            Long("only") => arguments.only = Some(parser.value()?.string()?),
            Long("seed") => arguments.seed = Some(parser.value()?.parse()?),
            Long("quick") => arguments.quick = true,
            Long("json") => arguments.json = true,
            Long("list") => {
                scenario::ALL.iter().for_each(|one| println!("{:<12} {}", one.name, one.about));
                return Ok(None);
            }
            Long("help") => {
                print!("{HELP}");
                return Ok(None);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let needed = [
        ("node", &arguments.node),
        ("next", &arguments.next),
        ("engine", &arguments.engine),
        ("contracts", &arguments.contracts),
    ];
    for (name, path) in needed {
        anyhow::ensure!(!path.as_os_str().is_empty(), "--{name} is missing; `cargo xtask faults` gives it");
    }
    Ok(Some(arguments))
}

/// Runs the scenarios one after the other; true if all went as they should.
fn run(arguments: &Arguments) -> Result<bool> {
    let there = |path: &PathBuf| path.canonicalize().with_context(|| format!("no {}", path.display()));
    let programs = Programs {
        node: there(&arguments.node)?,
        next: there(&arguments.next)?,
        engine: arguments.engine.clone(),
        contracts: there(&arguments.contracts)?,
    };
    let chosen: Vec<_> =
        scenario::ALL.iter().filter(|one| arguments.only.as_deref().is_none_or(|name| name == one.name)).collect();
    anyhow::ensure!(!chosen.is_empty(), "there is no scenario {:?}; --list names them", arguments.only);
    let seed = arguments.seed.unwrap_or_else(random::seed);
    let mut well = true;
    for one in chosen {
        let (begun, mut random) = (Instant::now(), Random::new(seed));
        eprintln!("· {}: {} (seed {seed})", one.name, one.about);
        let outcome = (one.run)(&programs, arguments.quick, &mut random);
        let seconds = begun.elapsed().as_secs();
        well &= outcome.is_ok();
        if arguments.json {
            let error = outcome.as_ref().err().map(|e| format!("{e:#}"));
            let facts = outcome.as_ref().ok();
            println!(
                "{}",
                json!({"scenario": one.name, "ok": outcome.is_ok(), "seed": seed, "seconds": seconds, "facts": facts, "error": error})
            );
        } else {
            match &outcome {
                Ok(facts) => println!("{}: as it should be, {seconds} s: {}", one.name, facts.join("; ")),
                Err(error) => println!("{}: FAILED after {seconds} s (seed {seed}): {error:#}", one.name),
            }
        }
    }
    Ok(well)
}
