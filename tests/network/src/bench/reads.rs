//! Sealed reads by a committee of four real validators: from a contract's request to its callback, and what jobs that wait
//! cost the blocks.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use aceso_client::GasLimit;
use aceso_types::{
    msg::MsgRequestRead,
    query::{JobStatus, QueryJob},
    sealed::{Disclosure, Outcome},
};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{
    bench::{LOOK, PATIENCE, VALIDATORS, network},
    clinic::{Clinic, SIDE, Visitor, picture},
    net::Programs,
    pace::{self, percentile},
    ward::{Said, Ward, staff},
};

/// Most blocks between a request and its callback.
const BLOCKS_MUST: f64 = 3.0;
/// How much longer a block may take while jobs wait.
const WAITING_MUST: f64 = 1.3;
/// Gas of a callback, and of a transaction with one request.
const CALLBACK_GAS: u64 = 400_000;
const ASK_GAS: u64 = 6_000_000;
/// Blocks in which jobs are answered, and in which they wait.
const SOON: u64 = 200;
const LATE: u64 = 50_000;
/// How long validators are left alone before blocks are looked at.
const SETTLE: Duration = Duration::from_secs(5);

/// Runs all cases.
pub(super) fn run(programs: &Programs, quick: bool, emit: &mut dyn FnMut(Value)) -> Result<()> {
    let mut row = |case: &str, ours: f64, unit: &str, must: Option<f64>| {
        emit(json!({
            "bench": "reads", "case": case, "ours": ours, "unit": unit, "peer": must,
            "peer_name": must.map(|_| "target"), "ratio": must.map(|must| must / ours),
        }));
    };
    let (net, guests) = network(programs, 4)?;
    staff(&net)?;
    let [founder, patient, other, physician] = &guests[..] else { bail!("no accounts") };
    let founder = Visitor::new(&net.nodes[0], founder.clone())?;
    let clinic = Clinic::found(&founder, &guests)?;
    let physician = Visitor::new(&net.nodes[2], physician.clone())?;

    let ward = Ward::open(Visitor::new(&net.nodes[1], patient.clone())?, &physician.address, &clinic, &picture(SIDE)?)?;
    ward.store()?;
    let (mut blocks, mut times) = (Vec::new(), Vec::new());
    for _ in 0..if quick { 5 } else { 60 } {
        let (between, took) = callback(&clinic, &ward, &physician)?;
        blocks.push(between);
        times.push(took);
    }
    row("request to callback, 4 validators, p50", percentile(&mut blocks, 50)?, "blocks", Some(BLOCKS_MUST));
    row("request to callback, 4 validators, p95", percentile(&mut blocks, 95)?, "blocks", None);
    row("request sent to callback seen, 4 validators, p50", percentile(&mut times, 50)?, "ms", None);
    row("request sent to callback seen, 4 validators, p95", percentile(&mut times, 95)?, "ms", None);

    // A file that nobody has: every job of it waits.
    let ward = Ward::open(Visitor::new(&net.nodes[1], other.clone())?, &physician.address, &clinic, b"a lost record")?;
    let (count, samples) = if quick { (1_000, 15) } else { (10_000, 100) };
    let idle = pace::ahead(&net, samples)?.p50;
    let one = Disclosure::Predicate(vec![clinic.finding.clone()]);
    let deadline = physician.client.height()? + LATE;
    let last = *ward.ask(&physician, clinic.model, &one, count, deadline)?.end();
    sleep(SETTLE);
    let waiting = pace::ahead(&net, samples)?.p50;
    let job = physician.client.ask(&QueryJob { job: last })?.context("the last job is not there")?;
    ensure!(job.status() == JobStatus::Open, "job {last} is {:?}", job.status());
    row("block interval, idle, p50", idle, "ms", None);
    row(&format!("block interval with {count} jobs that wait, p50"), waiting, "ms", None);
    row(&format!("block interval with {count} jobs that wait / idle"), waiting / idle, "times", Some(WAITING_MUST));
    Ok(())
}

/// Blocks from the one with a contract's request to the one in which the contract hears of the outcome, and milliseconds
/// from before the request was sent until after the callback could be seen.
fn callback(clinic: &Clinic, ward: &Ward, physician: &Visitor) -> Result<(f64, f64)> {
    let begun = Instant::now();
    let deadline = physician.client.height()? + SOON;
    let request = ward.request(&clinic.reader, &physician.address, clinic.model, &Disclosure::Open, deadline);
    let request = MsgRequestRead { callback_gas: CALLBACK_GAS, ..request };
    let ask = clinic.ask_message(physician, &request);
    let asked = physician.client.send(&physician.key, vec![ask], GasLimit::Fixed(ASK_GAS))?;
    let job = asked.attribute("request_read", "job").context("the request made no job")?.parse()?;
    let told = loop {
        if let Some(height) = clinic.told(physician, job)? {
            break height;
        }
        ensure!(begun.elapsed() < PATIENCE, "job {job} has no outcome after {} s", PATIENCE.as_secs());
        sleep(LOOK);
    };
    let took = begun.elapsed().as_secs_f64() * 1e3;
    let Said { row, outcome, .. } = Said::of(physician.client.ask(&QueryJob { job })?.context("the job is gone")?)?;
    ensure!(row.members.len() == VALIDATORS, "{row:?}");
    ensure!(matches!(outcome, Outcome::Open { .. }), "it came to {outcome:?}");
    let blocks = told.checked_sub(asked.height).context("the callback came before the request")?;
    Ok((f64::from(u32::try_from(blocks)?), took))
}
