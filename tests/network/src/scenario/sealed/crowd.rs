//! A crowd of cheap jobs: those that nobody can do cost the blocks nothing, and of those that can be done none goes before one
//! that pays better. All of them end: the cheap ones done, the others called off when the patient takes her grant back.

use std::{ops::RangeInclusive, thread::sleep, time::Instant};

use aceso_types::{
    ModelId,
    query::{JobRow, JobStatus, QueryJob},
    sealed::Disclosure,
};
use anyhow::{Context, Result, ensure};

use super::PATIENCE;
use crate::{
    clinic::{Clinic, Visitor, picture},
    load::Accounts,
    net::{Net, POLL},
    pace::{self, Pace},
    ward::Ward,
};

/// Blocks in which jobs wait.
const LATE: u64 = 50_000;
/// Pixels of a row and a column of what the cheap jobs read: it keeps a member busy for some time.
const LARGE: u32 = 3072;
/// Blocks from the dear job's request to its outcome, at most.
const DEAR_BLOCKS: u64 = 8;

/// How much of it there is.
struct Size {
    jobs: u64,
    /// Blocks whose pace is looked at.
    blocks: u32,
    /// How much longer a block may take while jobs wait: few blocks tell less.
    slower: f64,
}

pub(super) fn run(net: &Net, accounts: &Accounts, clinic: &Clinic, dear: ModelId, quick: bool) -> Result<Vec<String>> {
    let size =
        if quick { Size { jobs: 60, blocks: 15, slower: 1.3 } } else { Size { jobs: 1_000, blocks: 100, slower: 1.1 } };
    let physician = Visitor::new(&net.nodes[2], accounts.authority.clone())?;
    let asking = physician.address.as_str();
    let [one, other, ..] = &accounts.keys[..] else { anyhow::bail!("no patients") };
    let lost = Ward::open(Visitor::new(&net.nodes[1], one.clone())?, asking, clinic, b"a lost record")?;
    let large = Ward::open(Visitor::new(&net.nodes[3], other.clone())?, asking, clinic, &picture(LARGE)?)?;
    large.store()?;
    let ask = |ward: &Ward, model, times| {
        let deadline = physician.client.height()? + LATE;
        ward.ask(&physician, model, &Disclosure::Sealed, times, deadline)
    };

    let idle = pace::ahead(net, size.blocks)?;
    let waiting = ask(&lost, clinic.model, size.jobs)?;
    let waited = pace::ahead(net, size.blocks)?;
    for job in [*waiting.start(), *waiting.end()] {
        ensure!(job_of(&physician, job)?.status() == JobStatus::Open, "job {job}, which nobody can do, has ended");
    }
    let slower = waited.p50 / idle.p50;
    ensure!(slower <= size.slower, "a block took {slower:.2} times as long while {} jobs waited", size.jobs);

    // Now there are jobs that nobody can do, cheap ones in front, and the dear one behind them all.
    let (first, begun) = (net.top(), Instant::now());
    let cheap = ask(&large, clinic.model, size.jobs)?;
    let late = *ask(&large, dear, 1)?.end();
    let late = physician.client.wait_job(late)?;
    ensure!(late.status() == JobStatus::Done, "the dear job is {:?}", late.status());
    let asked = requested(&late)?;
    let took = late.closed - asked;
    ensure!(took <= DEAR_BLOCKS, "the dear job took {took} blocks");
    let ended = end(&physician, cheap, JobStatus::Done)?;
    let behind = ended.iter().filter(|row| row.closed > late.closed).count();
    let last = ended.iter().map(|row| row.closed).max().unwrap_or_default();
    ensure!(behind * 4 > ended.len(), "of {} cheap jobs {behind} were done after the dear one", ended.len());
    let (busy, seconds) = (pace::blocks(&net.nodes[0], first, last)?, begun.elapsed().as_secs_f64());

    lost.revoke()?;
    end(&physician, waiting, JobStatus::Cancelled)?;
    let p50 = |pace: Pace| format!("{:.0} ms", pace.p50);
    Ok(vec![
        format!("block p50 idle {}, while {} jobs waited {} ({slower:.2} times)", p50(idle), size.jobs, p50(waited)),
        format!(
            "behind {} cheap jobs the dear one took {took} blocks, before {behind} of them; all were done in {seconds:.1} s, \
             block p50 {}",
            ended.len(),
            p50(busy)
        ),
        format!("{} jobs that nobody could do were called off", size.jobs),
    ])
}

fn job_of(by: &Visitor, job: u64) -> Result<JobRow> {
    by.client.ask(&QueryJob { job })?.with_context(|| format!("there is no job {job}"))
}

/// The height at which a job was asked for.
fn requested(row: &JobRow) -> Result<u64> {
    Ok(aceso_types::sealed::Statement::decode(&row.statement)?.requested.0)
}

/// Waits until jobs have ended, each like this.
fn end(by: &Visitor, jobs: RangeInclusive<u64>, like: JobStatus) -> Result<Vec<JobRow>> {
    let mut ended = Vec::new();
    for job in jobs {
        let begun = Instant::now();
        let row = loop {
            let row = job_of(by, job)?;
            if row.status() != JobStatus::Open {
                break row;
            }
            // Each is waited for from when the one before it has ended.
            ensure!(begun.elapsed() < PATIENCE, "job {job} has not ended after {} s", PATIENCE.as_secs());
            sleep(POLL);
        };
        ensure!(row.status() == like, "job {job} is {:?}", row.status());
        ended.push(row);
    }
    Ok(ended)
}
