//! A network of real CometBFT validators under load, and what happens to it: kills, partitions, liars.
//!
//! `cargo xtask faults` builds what is needed and calls this; `cargo xtask test` runs the short form of every scenario.
//! A scenario ([`scenario`]) gets a network ([`net`]), in network namespaces of its own where addresses and rates
//! matter ([`space`]), and a load ([`load`]) whose every acknowledged transaction is written down. It ends with the
//! same judgement as all others ([`judge`]): one app hash, each acknowledged transaction exactly once, every coin where
//! the ledger says. What is random comes from the printed seed.

#![allow(clippy::disallowed_methods, reason = "tests of the rim: they have clocks and end processes")]

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use aceso_test_support::random::{self, Random};
use anyhow::{Context, Result};
use serde_json::json;

mod bench;
mod clinic;
mod fake;
mod home;
mod judge;
mod load;
mod net;
mod pace;
mod proxy;
mod scenario;
mod space;
mod ward;
mod wire;

use net::Programs;
use scenario::soak;

const HELP: &str = "\
network --node BIN --next BIN --faulty BIN --engine COMETBFT --stock COMETBFT [--only SCENARIO] [--quick] [--seed N] [--json]
network --node BIN --next BIN --faulty BIN --engine COMETBFT --stock COMETBFT --soak MINUTES [--seed N] [--json]
network --node BIN --next BIN --faulty BIN --engine COMETBFT --stock COMETBFT --bench net|reads [--quick] [--json]
network --list

Runs fault scenarios, a long load, or the bench; see `cargo xtask help`, tasks faults, soak and bench.
";

/// What the command line says.
#[derive(Default)]
struct Arguments {
    node: PathBuf,
    next: PathBuf,
    faulty: PathBuf,
    engine: PathBuf,
    stock: PathBuf,
    only: Option<String>,
    quick: bool,
    seed: Option<u64>,
    json: bool,
    soak: Option<u64>,
    bench: Option<String>,
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
            Long("faulty") => arguments.faulty = parser.value()?.into(),
            Long("engine") => arguments.engine = parser.value()?.into(),
            Long("stock") => arguments.stock = parser.value()?.into(),
            Long("only") => arguments.only = Some(parser.value()?.string()?),
            Long("seed") => arguments.seed = Some(parser.value()?.parse()?),
            Long("quick") => arguments.quick = true,
            Long("json") => arguments.json = true,
            Long("soak") => arguments.soak = Some(parser.value()?.parse()?),
            Long("bench") => arguments.bench = Some(parser.value()?.string()?),
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
    let Arguments { node, next, faulty, engine, stock, .. } = &arguments;
    let needed = [("node", node), ("next", next), ("faulty", faulty), ("engine", engine), ("stock", stock)];
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
        faulty: there(&arguments.faulty)?,
        engine: arguments.engine.clone(),
        stock: arguments.stock.clone(),
    };
    if let Some(name) = &arguments.bench {
        bench::run(name, &programs, arguments.quick, &mut |row| {
            let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
            let line =
                || format!("{:<56} {:>10.1} {}", text("case"), row["ours"].as_f64().unwrap_or_default(), text("unit"));
            println!("{}", if arguments.json { row.to_string() } else { line() });
        })?;
        return Ok(true);
    }
    let seed = arguments.seed.unwrap_or_else(seed);
    if let Some(minutes) = arguments.soak {
        let work = |random: &mut Random| soak::run_for(&programs, Duration::from_secs(60 * minutes), random);
        return Ok(told(arguments, "soak", &format!("a load of {minutes} minutes"), seed, work));
    }
    let chosen: Vec<_> =
        scenario::ALL.iter().filter(|one| arguments.only.as_deref().is_none_or(|name| name == one.name)).collect();
    anyhow::ensure!(!chosen.is_empty(), "there is no scenario {:?}; --list names them", arguments.only);
    let mut well = true;
    for one in chosen {
        well &= told(arguments, one.name, one.about, seed, |random| (one.run)(&programs, arguments.quick, random));
    }
    Ok(well)
}

/// A seed that nobody has chosen.
fn seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_secs())
}

/// Runs one scenario and says what came of it; true if it went as it should.
fn told(
    arguments: &Arguments,
    name: &str,
    about: &str,
    seed: u64,
    work: impl FnOnce(&mut Random) -> Result<Vec<String>>,
) -> bool {
    let (begun, mut random) = (Instant::now(), Random::new(seed));
    eprintln!("· {name}: {about} (seed {seed})");
    let outcome = work(&mut random);
    let seconds = begun.elapsed().as_secs();
    if arguments.json {
        let (error, facts) = (outcome.as_ref().err().map(|e| format!("{e:#}")), outcome.as_ref().ok());
        let ok = outcome.is_ok();
        println!(
            "{}",
            json!({"scenario": name, "ok": ok, "seed": seed, "seconds": seconds, "facts": facts, "error": error})
        );
    } else {
        match &outcome {
            Ok(facts) => println!("{name}: as it should be, {seconds} s: {}", facts.join("; ")),
            Err(error) => println!("{name}: FAILED after {seconds} s (seed {seed}): {error:#}"),
        }
    }
    outcome.is_ok()
}
