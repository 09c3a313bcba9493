//! What does a block of token transfers cost, beside wasmd's? `cargo xtask bench chain`.
//!
//! First our application in this process, called as CometBFT calls it ([`local`]): CheckTx, a proposal, FinalizeBlock and
//! Commit for each transaction, what it leaves on the disk, the same over a large state, and the memory that many uploads
//! of code take. The token is wasmd's own cw20_base, where Go can get it, and this repository's.
//! Then whole validators ([`nodes`]) under the same load over RPC ([`drive`]), in turns: ours, wasmd's, and CometBFT's
//! key-value store as the ceiling. Processor time is that of whole processes, with whatever they do beside.

mod drive;
mod load;
mod local;
mod nodes;
mod process;
mod wire;

use std::path::PathBuf;

use aceso_test_support::{contract, random::Random};
use anyhow::{Context, Result};
use serde_json::{Value, json};

use self::{
    drive::{Pace, load},
    load::People,
    nodes::{Kind, Node, Programs, pairs},
};

/// Accounts that send.
const ACCOUNTS: u32 = 200;
/// The pace at which latencies are measured, in transactions a second.
const RATE: u32 = 100;

/// A part of the bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Our application in this process.
    Application,
    /// Whole validators.
    Validators,
}

/// What a bench is told.
pub(crate) struct Settings {
    /// Less of everything.
    pub(crate) quick: bool,
    /// The part that is wanted; both without it.
    pub(crate) only: Option<Part>,
    /// wasmd's `cw20_base.wasm`.
    pub(crate) cw20: Option<PathBuf>,
    /// CometBFT's program; without it no validators run.
    pub(crate) cometbft: Option<PathBuf>,
    /// CometBFT as it comes.
    pub(crate) stock: Option<PathBuf>,
    /// wasmd's program; without it there is nothing to compare with.
    pub(crate) wasmd: Option<PathBuf>,
}

/// Runs all cases.
pub(crate) fn run(settings: &Settings, mut emit: impl FnMut(Value)) -> Result<()> {
    if settings.only != Some(Part::Validators) {
        local::run(settings, &mut emit)?;
    }
    let cometbft = settings.cometbft.clone().filter(|_| settings.only != Some(Part::Application));
    let Some(cometbft) = cometbft else { return Ok(()) };
    let aceso = std::env::var_os("ACESO_NODE").context("ACESO_NODE is not set: run `cargo xtask bench chain`")?;
    let programs =
        Programs { aceso: aceso.into(), cometbft, stock: settings.stock.clone(), wasmd: settings.wasmd.clone() };
    let wasm = match &settings.cw20 {
        Some(path) => std::fs::read(path)?,
        None => contract("token"),
    };
    validators(&programs, &wasm, settings.quick, &mut emit)
}

/// What one validator came to.
#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    rate: f64,
    cpu: f64,
    /// Of it the engine's, where that is a process of its own.
    engine: f64,
    bytes: f64,
    memory: f64,
    engine_memory: f64,
    paced: f64,
    paced_late: f64,
}

/// One number of what was measured.
type Field = fn(&Measured) -> f64;

/// Medians of what validators come to, in interleaved rounds.
fn validators(programs: &Programs, wasm: &[u8], quick: bool, emit: &mut impl FnMut(Value)) -> Result<()> {
    let (rounds, amount) = match quick {
        true => (1, Amount { count: 4_000, paced: 500, uploads: 30 }),
        false => (3, Amount { count: 20_000, paced: 3_000, uploads: 280 }),
    };
    let kinds = [Kind::Aceso, Kind::Wasmd, Kind::Kvstore, Kind::Stock];
    let kinds = kinds.into_iter().filter(|kind| match kind {
        Kind::Wasmd => programs.wasmd.is_some(),
        Kind::Stock => !quick,
        Kind::Aceso | Kind::Kvstore => true,
    });
    let mut all: Vec<(Kind, Vec<Measured>)> = kinds.map(|kind| (kind, Vec::new())).collect();
    for _ in 0..rounds {
        for (kind, measured) in &mut all {
            measured.push(measure(*kind, programs, wasm, amount)?);
        }
    }
    let of = |kind: Kind, field: fn(&Measured) -> f64| {
        let (_, measured) = all.iter().find(|(one, _)| *one == kind)?;
        let mut values: Vec<f64> = measured.iter().map(field).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let parts: [(&str, &str, Field); 2] = [
        ("CometBFT's part of node CPU per cw20 transfer", "us", |one| one.engine),
        ("CometBFT's part of memory", "MB", |one| one.engine_memory),
    ];
    for (case, unit, field) in parts {
        let ours = of(Kind::Aceso, field).context("nothing was measured")?;
        emit(row(case, ours, unit, of(Kind::Stock, field).map(|stock| (stock, "CometBFT as it comes"))));
    }
    let uploads = format!("memory after these and {} uploads, application and CometBFT", amount.uploads);
    let fields: [(&str, &str, Field); 6] = [
        ("sustained cw20 transfers", "tx/s", |one| one.rate),
        ("node CPU per cw20 transfer, application and CometBFT", "us", |one| one.cpu),
        ("disk per transfer, application", "bytes", |one| one.bytes),
        (&uploads, "MB", |one| one.memory),
        ("broadcast to block at 100 tx/s, p50", "ms", |one| one.paced),
        ("broadcast to block at 100 tx/s, p95", "ms", |one| one.paced_late),
    ];
    for (case, unit, field) in fields {
        let ours = of(Kind::Aceso, field).context("nothing was measured")?;
        emit(row(case, ours, unit, of(Kind::Wasmd, field).map(|peer| (peer, "wasmd 0.61.14"))));
    }
    let pace: [(&str, &str, Field); 2] =
        [("sustained", "tx/s", |one| one.rate), ("node CPU per transaction", "us", |one| one.cpu)];
    for (kind, peer) in [(Kind::Kvstore, "kvstore"), (Kind::Stock, "the same with CometBFT as it comes")] {
        for (case, unit, field) in pace {
            let Some(theirs) = of(kind, field) else { continue };
            let ours = of(Kind::Aceso, field).context("nothing was measured")?;
            emit(row(&format!("{case}, beside {peer}"), ours, unit, Some((theirs, peer))));
        }
    }
    Ok(())
}

/// How much a validator gets to do.
#[derive(Clone, Copy, Debug)]
struct Amount {
    count: usize,
    paced: usize,
    uploads: u32,
}

/// A fresh validator under all loads.
fn measure(kind: Kind, programs: &Programs, wasm: &[u8], amount: Amount) -> Result<Measured> {
    let Amount { count, paced, uploads } = amount;
    let mut people = People::new(ACCOUNTS, nodes::chain())?;
    let node = Node::start(kind, programs, &people)?;
    let accounts = ACCOUNTS as usize;
    let txs = match kind {
        Kind::Kvstore => pairs(count + paced),
        _ => {
            let token = node.token(&mut people, wasm)?;
            people.learn(|address| node.account(address))?;
            let others = people.addresses.clone();
            let to = |random: &mut Random| Ok(others[usize::try_from(random.below(ACCOUNTS.into()))?].clone());
            people.transfers(&token, count + paced, to)?
        }
    };
    let (closed, open) = txs.split_at(count);
    let before = node.kept()?;
    let closed = load(&node.rpc, &node.pids, closed, accounts, Pace::Closed)?;
    let bytes = node.kept()?.saturating_sub(before) as f64 / count as f64;
    let open = load(&node.rpc, &node.pids, open, accounts, Pace::Rate(RATE))?;
    if kind != Kind::Kvstore {
        let codes: Vec<Vec<u8>> =
            (0..uploads).map(|number| people.store(&another(wasm, number))).collect::<Result<_>>()?;
        load(&node.rpc, &node.pids, &codes, 1, Pace::Closed)?;
    }
    let memory = node.memory()?;
    Ok(Measured {
        rate: closed.rate,
        cpu: closed.cpu.iter().sum::<f64>() * 1e6 / count as f64,
        engine: closed.cpu.get(1).copied().unwrap_or_default() * 1e6 / count as f64,
        bytes,
        memory: memory.iter().sum(),
        engine_memory: memory.get(1).copied().unwrap_or_default(),
        paced: open.percentile(50)?,
        paced_late: open.percentile(95)?,
    })
}

/// The same contract under another checksum: a custom section `n` with a number is added.
fn another(wasm: &[u8], number: u32) -> Vec<u8> {
    [wasm, &[0, 6, 1, b'n'], &number.to_be_bytes()].concat()
}

/// A row. A rate is better when it is higher, everything else when it is lower.
fn row(case: &str, ours: f64, unit: &str, peer: Option<(f64, &str)>) -> Value {
    let better = |peer: f64| if unit.ends_with("/s") { ours / peer } else { peer / ours };
    json!({
        "bench": "chain", "case": case, "ours": ours, "unit": unit,
        "peer": peer.map(|(peer, _)| peer), "peer_name": peer.map(|(_, name)| name),
        "ratio": peer.map(|(peer, _)| better(peer)),
    })
}
