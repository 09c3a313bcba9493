//! Plays the main job of the chain, and everything that must be refused, as separate clients over RPC.
//!
//! `cargo xtask demo` builds what is needed and calls this. The stage is set ([`stage`]), the parties get keys and
//! connections ([`parties`]), play the job ([`play`]) and try what they may not ([`refusals`]); an auditor checks in a
//! process of her own ([`auditor`]). What came of it is told by [`report`]. Everything goes through the public client;
//! nothing here reaches into the node.

#![allow(clippy::disallowed_methods, reason = "parties of the rim: they have clocks and wait for each other")]

use std::{path::PathBuf, process::ExitCode};

use aceso_interface::insurance::Claim;
use anyhow::{Context, Result};

mod auditor;
mod download;
mod float_model;
mod metrics;
mod parties;
mod phantom;
mod play;
mod refusals;
mod report;
mod sample;
mod sealed;
mod stage;
mod validators;

use auditor::Auditor;
use download::Download;
use parties::Person;
use play::Cast;
use report::Report;
use sample::Sources;
use stage::Stage;

const HELP: &str = "\
journey --node BIN --contracts DIR --models DIR [--engine COMETBFT [--validators N]] [--ui DIR]
        [--json] [--keep] [--home DIR] [--fund WHO=COINS] [--image FILE] [--data DIR] [--download DIR]
journey --sample FILE

Plays the main job; see `cargo xtask help`, task demo. With --home the node's files stay in DIR/node, and with --fund
somebody else has coins too. With --validators there are so many, and of four or more the last one answers no sealed read. With --sample writes a synthetic chest image as DICOM and ends.
";

/// What the command line says.
#[derive(Default)]
struct Arguments {
    node: PathBuf,
    contracts: PathBuf,
    models: PathBuf,
    engine: Option<PathBuf>,
    validators: Option<u16>,
    ui: Option<PathBuf>,
    image: Option<PathBuf>,
    data: Option<PathBuf>,
    download: Option<PathBuf>,
    home: Option<PathBuf>,
    funds: Vec<String>,
    json: bool,
    keep: bool,
}

fn main() -> ExitCode {
    let arguments = match parse() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(2);
        }
    };
    let mut report = Report::new();
    let played = play(&arguments, &mut report);
    report.clear();
    if arguments.json {
        println!("{}", report.json().unwrap_or_default());
    } else {
        print!("{}", report.table());
    }
    match played {
        Ok(epilogue) if report.ok() => {
            if !arguments.json {
                println!("\n{epilogue}");
            }
            ExitCode::SUCCESS
        }
        Ok(_) => {
            eprintln!("error: a step or a refusal was not as it should be; see above");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
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
            Long("contracts") => arguments.contracts = parser.value()?.into(),
            Long("models") => arguments.models = parser.value()?.into(),
            Long("engine") => arguments.engine = Some(parser.value()?.into()),
            Long("validators") => arguments.validators = Some(parser.value()?.parse()?),
            Long("ui") => arguments.ui = Some(parser.value()?.into()),
            Long("image") => arguments.image = Some(parser.value()?.into()),
            Long("data") => arguments.data = Some(parser.value()?.into()),
            Long("download") => arguments.download = Some(parser.value()?.into()),
            Long("home") => arguments.home = Some(parser.value()?.into()),
            Long("fund") => arguments.funds.push(parser.value()?.string()?),
            Long("json") => arguments.json = true,
            Long("keep") => arguments.keep = true,
            Long("sample") => {
                let path: PathBuf = parser.value()?.into();
                let file = sample::synthetic(1)?.file;
                std::fs::write(&path, file).with_context(|| format!("cannot write {}", path.display()))?;
                return Ok(None);
            }
            Long("help") => {
                print!("{HELP}");
                return Ok(None);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    for (name, path) in [("node", &arguments.node), ("contracts", &arguments.contracts), ("models", &arguments.models)]
    {
        anyhow::ensure!(!path.as_os_str().is_empty(), "--{name} is missing; `cargo xtask demo` gives it");
    }
    if let Some(validators) = arguments.validators {
        anyhow::ensure!(
            arguments.engine.is_some(),
            "--validators {validators}: an embedded chain has one; say --cometbft"
        );
    }
    Ok(Some(arguments))
}

fn play(arguments: &Arguments, report: &mut Report) -> Result<String> {
    let sources = Sources {
        image: arguments.image.clone(),
        data: arguments.data.clone(),
        usual: aceso_test_support::data_dir(),
        download: arguments.download.clone().map(Download::official),
    };
    let samples = sample::samples(&sources, &mut |what| report.progress(what))?;
    report.reads(&samples);
    let names = ["developer", "model author", "hospital", "patient", "physician", "insurer", "treasury"];
    let people = names.into_iter().map(Person::new).collect::<Result<Vec<_>>>()?;
    let (operator, words) = Person::with_words("operator")?;
    let everybody = people.iter().chain([&operator]);
    let funds: Vec<String> = everybody.map(Person::fund).chain(arguments.funds.iter().cloned()).collect();
    let home = arguments.home.as_deref();

    let ui = arguments.ui.as_deref();
    let chain = format!("aceso-demo-{}", std::process::id());
    let engine = arguments.engine.as_deref();
    let starts = match (engine, arguments.validators) {
        (None, _) => "starts an embedded chain".into(),
        (Some(_), None) => "starts a CometBFT validator".into(),
        (Some(_), Some(count)) => format!("starts {count} CometBFT validators"),
    };
    let stage = report.step("operator", starts, || {
        let stage = match (engine, arguments.validators) {
            (None, _) => Stage::dev(&arguments.node, home, &chain, &funds, ui)?,
            (Some(engine), None) => {
                let programs = (arguments.node.as_path(), engine);
                Stage::cometbft(programs, home, &chain, (&operator.address(), &words), &funds, ui)?
            }
            (Some(engine), Some(count)) => Stage::network((&arguments.node, engine), count, home, &chain, &funds, ui)?,
        };
        Ok((stage, None))
    })?;
    let parties = people.into_iter().map(|person| person.connect(&stage.endpoints)).collect::<Result<Vec<_>>>()?;
    let parties: [parties::Party; 7] = parties.try_into().ok().context("somebody is missing")?;
    let [developer, author, hospital, patient, physician, insurer, treasury] = parties;
    let cast = Cast { developer, author, hospital, patient, physician, insurer, treasury };
    // A chain that has just begun has no validators to name and no state to ask yet.
    cast.insurer.wait_for_height(2)?;
    if engine.is_some() {
        report.step("operator", "registers the key with which she opens what she is granted", || {
            Ok((stage.register_openers(&arguments.node)?, None))
        })?;
    }
    let auditor = Auditor::new(&arguments.node, &cast.insurer)?;
    let alone = auditor.is_alone();

    let scene = play::main_job(report, cast, auditor, samples, &arguments.contracts, &arguments.models)?;
    refusals::all(report, &scene, &arguments.contracts)?;
    sealed::play(report, &scene, &arguments.models)?;
    report.step("operator", "finds all of it in the metrics", || Ok((metrics::check(&stage.endpoints.rest)?, None)))?;
    Ok(epilogue(arguments, stage, &scene, alone))
}

/// What was read, and what to try next.
fn epilogue(arguments: &Arguments, stage: Stage, scene: &play::Scene, alone: bool) -> String {
    let mut text = format!("read: {}\n      {}\n", scene.samples.first.about, outcome(&scene.claim));
    let (second, stated) = (&scene.samples.second.about, &scene.stated);
    text.push_str(&format!("also: {second}, PNG, stated to be {stated}\n      {}\n", outcome(&scene.second)));
    text.push_str("      not for clinical use\n");
    if !alone {
        text.push_str(
            "note: this system lets nobody make a network namespace (`unshare -rn`), so the auditor was not cut off\n",
        );
    }
    if arguments.keep {
        let endpoints = stage.endpoints.clone();
        let home = stage.path().display().to_string();
        let processes: Vec<String> = stage.keep().iter().map(u32::to_string).collect();
        text.push_str(&format!(
            "\nthe node runs on: RPC {}  REST and page {}\nhome {home}; end it with: kill {}\n",
            endpoints.rpc,
            endpoints.rest,
            processes.join(" ")
        ));
    } else {
        text.push_str("\ntry next:  cargo xtask demo --keep          and open the page that it prints\n");
        text.push_str("           cargo xtask demo --cometbft      the same under a real CometBFT validator\n");
        text.push_str(
            "           cargo xtask demo --cometbft --validators 4    a committee of four, one of them silent\n",
        );
        text.push_str("           cargo xtask demo --image FILE    your own chest X-ray, DICOM, PNG or JPEG\n");
    }
    text
}

/// A claim's findings and scores, on one line.
fn outcome(claim: &Claim) -> String {
    let findings =
        claim.findings.iter().map(|one| format!("{}: {}", one.id, if one.present { "present" } else { "absent" }));
    let scores = claim
        .scores
        .iter()
        .map(|score| format!("{} {}.{:02} %", score.label, score.probability / 10_000, score.probability / 100 % 100));
    let (findings, scores) = (findings.collect::<Vec<_>>(), scores.collect::<Vec<_>>());
    format!("{} ({})", findings.join(", "), scores.join(", "))
}
