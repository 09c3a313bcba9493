//! Builds, tests and runs everything, from nothing: `cargo xtask <task>`.
//!
//! A task prepares what it needs ([`prepare`]) and says while it works what it is doing. What it builds lands in
//! cargo's target folder; nothing outside the clone and that folder is touched, but for the compiler's wasm targets
//! and the tools that `cargo xtask test` installs by name.

#![allow(clippy::disallowed_methods, reason = "a tool of the rim: it reads the clock and the environment")]

use std::process::ExitCode;

use anyhow::{Result, bail};

mod bench;
mod clients;
mod demo;
mod docs;
mod engines;
mod faults;
mod history;
mod lint;
mod mutants;
mod node_tests;
mod postgres;
mod prepare;
mod processors;
mod shell;
mod test;
mod tools;

const HELP: &str = "\
cargo xtask <task>

  demo [--json] [--keep] [--cometbft [--validators N]] [--image FILE] [--data DIR]
                              the main job from nothing: a paid, checkable diagnosis of one image
  test [--only SUITE] [--allow-skip]
                              every test from nothing; `--only list` names the suites
  bench NAME [--json] [--quick]
                              one JSON object a line; `bench list` names them
  diff-vm [--sequences N] [--seed N]
                              random calls on our contract engine and on cosmwasm-vm must come to the same
  flows-vm                    so must what the published contracts are for, step by step
  check-contracts             CosmWasm's own check over our contracts, in instructions that every chain takes
  faults [--quick] [--seed N] [--only SCENARIO]
                              networks of real validators: kills, partitions, liars (`--list` names them)
  soak [--minutes N] [--seed N]
                              half an hour of mixed load on four validators; memory and handles must not grow
  lint                        formatting, clippy, licences and duplicate crates
  golden                      records protocol vectors anew (a change of protocol: read the files' headers first)
  sample FILE                 writes a synthetic chest image as DICOM
  contracts                   builds the contracts from source
  ui                          builds the page
  cometbft                    installs the consensus engine with Go

Try first:  cargo xtask demo
";

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let task = if arguments.is_empty() { String::new() } else { arguments.remove(0) };
    match run(&task, arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &str, arguments: Vec<String>) -> Result<ExitCode> {
    match task {
        "demo" => demo::run(&arguments),
        "test" => test::run(arguments),
        "bench" => bench::run(arguments),
        "diff-vm" => engines::peer("diff", &arguments),
        "check-contracts" => engines::check_contracts(),
        "flows-vm" => engines::peer("flows", &arguments),
        "faults" => faults::run(&arguments),
        "soak" => faults::soak(&arguments),
        "lint" => lint::all().map(|()| ExitCode::SUCCESS),
        "golden" => test::golden().map(|()| ExitCode::SUCCESS),
        "sample" => demo::sample(&arguments),
        "contracts" => {
            println!("{}", prepare::contracts()?.display());
            Ok(ExitCode::SUCCESS)
        }
        "ui" => {
            println!("{}", prepare::page()?.display());
            Ok(ExitCode::SUCCESS)
        }
        "cometbft" => {
            println!("{}", tools::cometbft()?.display());
            Ok(ExitCode::SUCCESS)
        }
        "" | "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("there is no task {other:?}; `cargo xtask help` lists them"),
    }
}
