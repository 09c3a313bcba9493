//! Four validators that have as little in common as can be, and then one whose processor errs in one bit.
//!
//! Threads, caches, the contracts' compiler and the kernels of inference differ; the state must not. When one of them
//! then computes one bit of one read otherwise, it learns so from the next votes, names the read and ends; the others do
//! not notice. Its state is thrown away and it comes back with a processor that works.

use std::{
    fs,
    time::{Duration, Instant},
};

use aceso_client::Key;
use anyhow::{Context, Result, bail, ensure};

use super::{WORKERS, plan};
use crate::{
    clinic::{Clinic, Visitor},
    judge::{agree, judge},
    load::{Accounts, Load},
    net::{Net, POLL, Programs, Which},
    random::Random,
};

/// What each validator's configuration says: no two agree. Kernels that its processor lacks are left out.
const SETTINGS: [&[(&str, &str)]; 4] = [
    &[("threads", "1"), ("compiler", "\"cranelift\""), ("inference_kernels", "\"scalar\"")],
    &[
        ("threads", "2"),
        ("compiler", "\"winch\""),
        ("code_cache_bytes", "1"),
        ("model_cache_bytes", "1"),
        ("inference_kernels", "\"avx2\""),
    ],
    &[("threads", "8"), ("model_cache_bytes", "1"), ("inference_kernels", "\"avx512-vnni\"")],
    &[("threads", "3"), ("compiler", "\"winch\""), ("inference_kernels", "\"auto\"")],
];
/// Who errs.
const ERRS: usize = 3;
/// How it says so.
const SENTENCE: &str = "this node computes what the others do not";
/// How long a network may take for anything.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn run(programs: &Programs, quick: bool, random: &mut Random) -> Result<Vec<String>> {
    let mut accounts = Accounts::new(WORKERS)?;
    accounts.guests = (0..2).map(|_| Ok(Key::generate()?.0)).collect::<Result<_>>()?;
    let mut net = Net::prepare(programs, &plan(&accounts, false, 200))?;
    let kernels = settle(&net)?;
    net.start_all()?;
    net.wait_for(&net.all(), 2, PATIENCE)?;
    let founder = Visitor::new(&net.nodes[0], accounts.guests[0].clone())?;
    let physician = Visitor::new(&net.nodes[1], accounts.guests[1].clone())?;
    let clinic = Clinic::found(&founder, &accounts.guests)?;
    accounts.contracts.push(clinic.reader.clone());
    let load = Load::start(&net, &accounts, random);
    for _ in 0..if quick { 3 } else { 20 } {
        clinic.read(&physician)?;
        clinic.transfer(&physician, &founder.address)?;
    }
    agree(&net)?;

    // From its next start on, its processor errs.
    net.kill(ERRS, Which::Both);
    net.nodes[ERRS].program = programs.faulty.clone();
    net.start(ERRS)?;
    net.wait_for(&[ERRS], net.top(), PATIENCE)?;
    let read = clinic.read(&physician)?;
    let (words, begun) = (last_words(&mut net)?, Instant::now());
    for needed in [SENTENCE, &clinic.image.to_string(), &clinic.model.to_string(), &clinic.reader] {
        ensure!(words.contains(needed), "it ended without saying {needed}: {words}");
    }
    let others: Vec<usize> = (0..ERRS).collect();
    net.wait_for(&others, net.top() + 3, PATIENCE).context("the others go on")?;
    clinic.read(&physician).context("the others read on")?;

    // It says so again over the state that errs, and comes back without it.
    net.kill(ERRS, Which::Both);
    net.nodes[ERRS].program = programs.node.clone();
    let again = net.start_app(ERRS, &[]).err().context("it started over the state that errs")?;
    ensure!(format!("{again:#}").contains(SENTENCE), "started again it says: {again:#}");
    net.kill(ERRS, Which::Both);
    forget_state(&net)?;
    net.start(ERRS)?;
    net.wait_for(&[ERRS], net.top(), PATIENCE).context("it comes back")?;
    let ledger = load.finish()?;
    let mut facts = vec![
        format!("threads, caches, compilers and kernels ({}) differ", kernels.join(", ")),
        format!("one bit of read {read} made one node end, naming it"),
        format!("it was back within {:.1} s", begun.elapsed().as_secs_f64()),
    ];
    facts.extend(judge(&net, &accounts, &ledger)?);
    Ok(facts)
}

/// Writes the settings, and answers which kernels run.
fn settle(net: &Net) -> Result<Vec<String>> {
    let (has, mut kernels) = (available()?, Vec::new());
    for (number, settings) in SETTINGS.iter().enumerate() {
        for (key, value) in *settings {
            if *key == "inference_kernels" {
                if !has.iter().any(|name| value.trim_matches('"') == *name) {
                    continue;
                }
                kernels.push(value.trim_matches('"').to_owned());
            }
            net.configure(number, key, value)?;
        }
    }
    Ok(kernels)
}

/// Kernels that this machine can run.
fn available() -> Result<Vec<&'static str>> {
    let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let has = |flag: &str| flags.split_ascii_whitespace().any(|one| one == flag);
    let sets = [("auto", true), ("scalar", true), ("avx2", has("avx2")), ("avx512-vnni", has("avx512_vnni"))];
    Ok(sets.into_iter().filter_map(|(name, there)| there.then_some(name)).collect())
}

/// What the one that errs has said in the end.
fn last_words(net: &mut Net) -> Result<String> {
    let begun = Instant::now();
    loop {
        if let Some(words) = net.nodes[ERRS].last_words() {
            return Ok(words);
        }
        if begun.elapsed() > PATIENCE {
            bail!("it has not ended within {} s; {}", PATIENCE.as_secs(), net.tails());
        }
        std::thread::sleep(POLL);
    }
}

/// Removes the state, and lets the engine begin at the genesis. What it has signed it keeps in mind.
fn forget_state(net: &Net) -> Result<()> {
    let data = net.nodes[ERRS].home.join("data");
    for folder in ["state", "snapshots", "blockstore.db", "state.db", "cs.wal", "evidence.db", "tx_index.db"] {
        let path = data.join(folder);
        if path.exists() {
            fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}
