//! A load on a node over RPC: as much as it takes, with a bounded number on their way, or so many a second.
//!
//! Senders hand over transactions by `broadcast_tx_sync`, each account's in their order on one connection. One observer
//! waits for them: at a pace it takes every block as soon as the node shows it, and notes for each transaction when that was;
//! where it only has to know how many are done it asks for headers, since what a node does to show its blocks is no part of
//! what a transaction costs. Afterwards every result is looked at.

use std::{
    collections::BTreeMap,
    sync::{Condvar, Mutex, PoisonError},
    thread::{scope, sleep},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{process, wire::Wire};

/// Connections of the load.
const CONNECTIONS: usize = 32;
/// Transactions on their way at most: a few large blocks, well within a mempool.
const IN_FLIGHT: usize = 500;
/// Pause between two looks for a block where latency is measured, and where every look is work that the load does not get.
const LOOK: Duration = Duration::from_millis(2);
const GLANCE: Duration = Duration::from_millis(10);
/// Headers asked for at once; CometBFT gives no more than 20.
const HEADERS: u64 = 20;
/// How long nothing may happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// How transactions are sent.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// As fast as they get into blocks.
    Closed,
    /// So many a second.
    Rate(u32),
}

/// What came of a load.
pub(crate) struct Report {
    /// Transactions a second, from the first broadcast to the block of the last.
    pub(crate) rate: f64,
    /// Milliseconds from a broadcast until the node shows the transaction in a block, in rising order; nothing where as much
    /// was sent as it takes.
    pub(crate) latencies: Vec<f64>,
    /// Seconds of processor time of each process of the node.
    pub(crate) cpu: Vec<f64>,
}

/// How far a load is.
#[derive(Default)]
struct Progress {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Default)]
struct State {
    /// Transactions that were sent, and those that are in blocks.
    sent: usize,
    done: usize,
    over: bool,
}

impl Progress {
    /// Waits for room, unless all is over, which it answers.
    fn enter(&self, room: usize) -> bool {
        let state = lock(&self.state);
        let full = |state: &mut State| !state.over && state.sent >= state.done.saturating_add(room);
        let mut state = self.moved.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
        state.sent += 1;
        state.over
    }

    fn note(&self, change: impl FnOnce(&mut State)) {
        change(&mut lock(&self.state));
        self.moved.notify_all();
    }
}

impl Report {
    /// The smallest latency that so many hundredths do not pass.
    pub(crate) fn percentile(&self, hundredths: usize) -> Result<f64> {
        let at = (self.latencies.len() * hundredths).div_ceil(100).max(1) - 1;
        self.latencies.get(at).copied().context("nothing was measured")
    }
}

/// Sends transactions, of which those of `accounts` accounts follow each other in turn, and waits until all are in blocks.
/// One that fails is an error.
pub(crate) fn load(rpc: &str, pids: &[u32], txs: &[Vec<u8>], accounts: usize, pace: Pace) -> Result<Report> {
    let sent: Vec<Mutex<Option<Instant>>> = txs.iter().map(|_| Mutex::default()).collect();
    let progress = Progress::default();
    let first = height(&mut Wire::connect(rpc)?)?;
    let cpu = || pids.iter().map(|pid| process::cpu(&pid.to_string())).collect::<Result<Vec<f64>>>();
    let (before, begun) = (cpu()?, Instant::now());
    let (sent, progress) = (&sent, &progress);
    let room = match pace {
        Pace::Closed => IN_FLIGHT,
        Pace::Rate(_) => usize::MAX,
    };
    let mut latencies = scope(|scope| {
        let senders: Vec<_> = (0..CONNECTIONS)
            .map(|number| {
                scope.spawn(move || -> Result<()> {
                    let mut wire = Wire::connect(rpc)?;
                    for (at, tx) in txs.iter().enumerate().filter(|(at, _)| at % accounts % CONNECTIONS == number) {
                        if let Pace::Rate(rate) = pace {
                            let due = Duration::from_secs_f64(at as f64 / f64::from(rate));
                            sleep(due.saturating_sub(begun.elapsed()));
                        }
                        if progress.enter(room) {
                            return Ok(());
                        }
                        *lock(&sent[at]) = Some(Instant::now());
                        let answer = wire.call("broadcast_tx_sync", &json!({"tx": STANDARD.encode(tx)}))?;
                        ensure!(answer["code"] == 0, "transaction {at} was refused: {}", answer["log"]);
                    }
                    Ok(())
                })
            })
            .collect();
        let observed = match pace {
            Pace::Closed => count(rpc, first, txs.len(), progress).map(|()| Vec::new()),
            Pace::Rate(_) => observe(rpc, first, txs, sent, progress),
        };
        progress.note(|state| state.over = true);
        for sender in senders {
            match sender.join() {
                Ok(ended) => ended?,
                Err(_) => bail!("a sender panicked"),
            }
        }
        observed
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    let cpu = cpu()?.iter().zip(before).map(|(now, before)| now - before).collect();
    check(rpc, first, txs.len())?;
    latencies.sort_by(f64::total_cmp);
    Ok(Report { rate: txs.len() as f64 / seconds, latencies, cpu })
}

/// Looks at what the headers of blocks say until so many transactions are in one.
fn count(rpc: &str, first: u64, txs: usize, progress: &Progress) -> Result<()> {
    let mut wire = Wire::connect(rpc)?;
    let (mut last, mut done, mut moved) = (first, 0, Instant::now());
    while done < txs {
        ensure!(moved.elapsed() < PATIENCE, "{} of {txs} transactions are in no block", txs - done);
        sleep(GLANCE);
        let range = json!({"minHeight": (last + 1).to_string(), "maxHeight": (last + HEADERS).to_string()});
        // There is no block yet.
        let Ok(found) = wire.call("blockchain", &range) else { continue };
        for meta in found["block_metas"].as_array().into_iter().flatten() {
            let number = |value: &Value| value.as_str().and_then(|text| text.parse::<u64>().ok());
            let height = number(&meta["header"]["height"]).context("a header without a height")?;
            let within = number(&meta["num_txs"]).context("a header without a number of transactions")?;
            (last, moved) = (last.max(height), Instant::now());
            done += usize::try_from(within)?;
        }
        progress.note(|state| state.done = done);
    }
    Ok(())
}

/// Takes blocks until all transactions were in one; the milliseconds that each took.
fn observe(
    rpc: &str,
    first: u64,
    txs: &[Vec<u8>],
    sent: &[Mutex<Option<Instant>>],
    progress: &Progress,
) -> Result<Vec<f64>> {
    let hash = |tx: &Vec<u8>| <[u8; 32]>::from(Sha256::digest(tx));
    let places: BTreeMap<[u8; 32], usize> = txs.iter().enumerate().map(|(at, tx)| (hash(tx), at)).collect();
    let mut wire = Wire::connect(rpc)?;
    let (mut next, mut latencies, mut moved) = (first + 1, Vec::with_capacity(sent.len()), Instant::now());
    while latencies.len() < sent.len() {
        ensure!(
            moved.elapsed() < PATIENCE,
            "{} of {} transactions are in no block",
            sent.len() - latencies.len(),
            sent.len()
        );
        let Ok(block) = wire.call("block", &json!({"height": next.to_string()})) else {
            sleep(LOOK);
            continue;
        };
        let Some(txs) = block["block"]["data"]["txs"].as_array() else {
            sleep(LOOK);
            continue;
        };
        next += 1;
        for tx in txs.iter().filter_map(Value::as_str) {
            let hash: [u8; 32] = Sha256::digest(STANDARD.decode(tx)?).into();
            let Some(at) = places.get(&hash).copied() else { continue };
            let began = lock(&sent[at]).context("a transaction is in a block that was not sent")?;
            latencies.push(began.elapsed().as_secs_f64() * 1000.0);
            moved = Instant::now();
        }
        progress.note(|state| state.done = latencies.len());
    }
    Ok(latencies)
}

/// That so many transactions are done since a height and none has failed. Results are asked for after the load: they cost
/// the node time.
fn check(rpc: &str, first: u64, txs: usize) -> Result<()> {
    let (mut wire, mut done, mut height, begun) = (Wire::connect(rpc)?, 0, first, Instant::now());
    while done < txs {
        // The latest block may have no results yet.
        let Ok(results) = wire.call("block_results", &json!({"height": (height + 1).to_string()})) else {
            ensure!(begun.elapsed() < PATIENCE, "{} of {txs} transactions have no results", txs - done);
            sleep(GLANCE);
            continue;
        };
        height += 1;
        for result in results["txs_results"].as_array().into_iter().flatten() {
            ensure!(result["code"] == 0, "a transaction failed in block {height}: {}", result["log"]);
            done += 1;
        }
    }
    Ok(())
}

/// The latest height.
pub(crate) fn height(wire: &mut Wire) -> Result<u64> {
    let status = wire.call("status", &json!({}))?;
    let height = status["sync_info"]["latest_block_height"].as_str().context("no height")?;
    Ok(height.parse()?)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
