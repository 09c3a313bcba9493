//! What a network of four validators takes for things: `cargo xtask bench net`.
//!
//! Block interval and the time from a broadcast until another validator shows the transaction in a block, idle and under
//! a paced load of contract calls; an open read from its broadcast to a proof that was verified without the network; and
//! how fast a validator that has lost its state executes all of these blocks again.

use std::{
    fs,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread::{scope, sleep},
    time::{Duration, Instant},
};

use aceso_client::{Account, Key};
use anyhow::{Context, Result, bail, ensure};
use cosmos_sdk_proto::{Any, cosmos::tx::v1beta1::TxBody};
use serde_json::{Value, json};

use crate::{
    bench::{LOOK, PATIENCE, network},
    clinic::{Clinic, Visitor, read_of},
    load::found,
    net::{Net, Programs, Which},
    pace::{self, percentile},
};

/// Transactions a second of the load.
const RATE: u32 = 200;
/// Accounts that send them, each from a thread of its own.
const SENDERS: u32 = 10;
/// The validator that loses its state, and how long it may take to get it again.
const LAST: usize = 3;
const REPLAYED: Duration = Duration::from_secs(300);
/// Gas that a contract call of the load is given, and a read. A block has room for what its transactions are given.
const CALL_GAS: u64 = 300_000;
const READ_GAS: u64 = 20_000_000;

/// Runs all cases.
pub(crate) fn run(programs: &Programs, quick: bool, emit: &mut dyn FnMut(Value)) -> Result<()> {
    let mut row = |case: &str, ours: f64, unit: &str| {
        let none = Value::Null;
        emit(
            json!({"bench": "net", "case": case, "ours": ours, "unit": unit, "peer": none, "peer_name": none, "ratio": none}),
        );
    };
    let (mut net, guests) = network(programs, 3 + SENDERS)?;
    let [founder, asking, physician, senders @ ..] = &guests[..] else { bail!("no accounts") };
    let founder = Visitor::new(&net.nodes[0], founder.clone())?;
    let clinic = Clinic::found(&founder, &guests)?;
    let count = if quick { 15 } else { 100 };

    let mut asking = Sender::new(&net, 1, asking.clone())?;
    let first = net.top();
    report(&mut row, "idle", asking.finality(&net, &clinic, count)?)?;
    row("block interval, idle, p50", pace::blocks(&net.nodes[0], first, net.top())?.p50, "ms");

    let mut physician = Sender::new(&net, 2, physician.clone())?;
    let mut times = physician.proofs(&clinic, count)?;
    row("an open read, broadcast to verified proof, p50", percentile(&mut times, 50)?, "ms");
    row("an open read, broadcast to verified proof, p95", percentile(&mut times, 95)?, "ms");

    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let senders: Vec<Sender> =
        senders.iter().enumerate().map(|(at, key)| Sender::new(&net, at, key.clone())).collect::<Result<_>>()?;
    let first = net.top();
    let (times, rate) = scope(|scope| {
        let workers: Vec<_> =
            senders.into_iter().map(|sender| scope.spawn(|| sender.pace(&clinic, &stop, &sent))).collect();
        sleep(Duration::from_secs(2));
        let (begun, before) = (Instant::now(), sent.load(Ordering::Relaxed));
        let times = asking.finality(&net, &clinic, count);
        let rate = (sent.load(Ordering::Relaxed) - before) as f64 / begun.elapsed().as_secs_f64();
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            match worker.join() {
                Ok(ended) => ended?,
                Err(_) => bail!("a sender panicked"),
            }
        }
        Ok((times?, rate))
    })?;
    row("contract calls while measured", rate, "tx/s");
    report(&mut row, "under contract calls", times)?;
    let pace = pace::blocks(&net.nodes[0], first, net.top())?;
    row("block interval, under contract calls, p50", pace.p50, "ms");
    row("block interval, under contract calls, p99", pace.p99, "ms");

    let blocks = net.nodes[LAST].height().context("the last validator has no height")?;
    net.kill(LAST, Which::Both);
    fs::remove_dir_all(net.nodes[LAST].home.join("data/state"))?;
    let begun = Instant::now();
    net.start(LAST)?;
    net.wait_for(&[LAST], blocks, REPLAYED)?;
    row("replay from the first block, start included", blocks as f64 / begun.elapsed().as_secs_f64(), "blocks/s");
    row("contract calls in these blocks", sent.load(Ordering::Relaxed) as f64, "tx");
    Ok(())
}

fn report(row: &mut impl FnMut(&str, f64, &str), when: &str, mut times: Vec<f64>) -> Result<()> {
    row(&format!("broadcast to finality, {when}, p50"), percentile(&mut times, 50)?, "ms");
    row(&format!("broadcast to finality, {when}, p95"), percentile(&mut times, 95)?, "ms");
    Ok(())
}

/// Somebody who counts her own transactions.
struct Sender {
    visitor: Visitor,
    account: Account,
}

impl Sender {
    fn new(net: &Net, at: usize, key: Key) -> Result<Self> {
        let visitor = Visitor::new(&net.nodes[at % net.nodes.len()], key)?;
        Ok(Self { account: visitor.client.account(&visitor.address)?, visitor })
    }

    fn signed(&mut self, message: Any, gas: u64) -> Vec<u8> {
        let body = TxBody { messages: vec![message], ..TxBody::default() };
        let tx = self.visitor.client.signed(&self.visitor.key, &body, &self.account, gas);
        self.account.sequence += 1;
        tx
    }

    /// Milliseconds until another validator than the one that was told shows a contract call in a block.
    fn finality(&mut self, net: &Net, clinic: &Clinic, count: usize) -> Result<Vec<f64>> {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let message = clinic.transfer_message(&self.visitor, &self.visitor.address);
            let tx = self.signed(message, CALL_GAS);
            let begun = Instant::now();
            let hash = self.visitor.client.submit(&tx)?;
            loop {
                match found(&net.nodes[3].rpc, &hash) {
                    Some((_, 0)) => break,
                    Some((height, code)) => bail!("{hash} failed in block {height} with code {code}"),
                    None => sleep(LOOK),
                }
                ensure!(begun.elapsed() < PATIENCE, "{hash} is in no block after {} s", PATIENCE.as_secs());
            }
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(times)
    }

    /// Milliseconds until a read's receipt has been proven by a header, and verified with what was trusted before.
    fn proofs(&mut self, clinic: &Clinic, count: usize) -> Result<Vec<f64>> {
        let trust = self.visitor.client.trust()?;
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let message = clinic.read_message(&self.visitor);
            let tx = self.signed(message, READ_GAS);
            let begun = Instant::now();
            let done = self.visitor.client.broadcast(&tx)?;
            let file = self.visitor.client.evidence(read_of(&done)?)?.encode();
            aceso_verify::verify(&file, &trust)?;
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(times)
    }

    /// Sends its share of the rate until it is told to stop. What comes late is not made up for.
    fn pace(mut self, clinic: &Clinic, stop: &AtomicBool, sent: &AtomicU64) -> Result<()> {
        let apart = Duration::from_secs(1) * SENDERS / RATE;
        let mut next = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let message = clinic.transfer_message(&self.visitor, &self.visitor.address);
            let tx = self.signed(message, CALL_GAS);
            self.visitor.client.submit(&tx)?;
            sent.fetch_add(1, Ordering::Relaxed);
            next = (next + apart).max(Instant::now());
            sleep(next.saturating_duration_since(Instant::now()));
        }
        Ok(())
    }
}
