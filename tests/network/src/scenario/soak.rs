//! A working day: transfers, contract calls, open reads and blobs side by side, while memory and handles are watched.

use std::{
    collections::BTreeMap,
    fs,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread::{scope, sleep},
    time::{Duration, Instant},
};

use aceso_client::Key;
use anyhow::{Context, Result, ensure};

use super::{WORKERS, plan};
use crate::{
    clinic::{Clinic, Visitor},
    judge::judge,
    load::{Accounts, Load},
    net::{Net, Programs},
    pace,
    random::Random,
};

/// Looks at every process in a run.
const LOOKS: u32 = 60;
/// Looks at least this far apart.
const APART: Duration = Duration::from_secs(1);
/// From here on what is held must not grow: caches have filled.
const LONG: Duration = Duration::from_secs(600);
/// Handles that come and go with connections.
const HANDLES: u64 = 32;
/// Bytes that come and go, beside a twentieth.
const BYTES: u64 = 16 << 20;
/// Bytes of the state's files that a node has in memory: so few that they are there long before the end, and what still
/// grows then is not they.
const CACHE: u64 = 16 << 20;
/// Blocks that a blob of the load is kept.
const TERM: u64 = 60;
/// Bytes of the largest of them.
const BLOB_MAX: u64 = 512 << 10;

pub(crate) fn run(programs: &Programs, quick: bool, random: &mut Random) -> Result<Vec<String>> {
    run_for(programs, Duration::from_secs(if quick { 15 } else { 60 }), random)
}

/// Runs for so long.
pub(crate) fn run_for(programs: &Programs, time: Duration, random: &mut Random) -> Result<Vec<String>> {
    let mut accounts = Accounts::new(WORKERS)?;
    accounts.guests = (0..4).map(|_| Ok(Key::generate()?.0)).collect::<Result<_>>()?;
    let mut net = Net::prepare(programs, &plan(&accounts, false, 200))?;
    net.all().into_iter().try_for_each(|number| net.configure(number, "state_cache_bytes", &CACHE.to_string()))?;
    net.start_all()?;
    net.wait_for(&net.all(), 2, Duration::from_secs(60))?;
    let visitors = accounts.guests.iter().zip(&net.nodes).map(|(key, node)| Visitor::new(node, key.clone()));
    let visitors: Vec<Visitor> = visitors.collect::<Result<_>>()?;
    let [founder, holder, physician, archivist] = &visitors[..] else { anyhow::bail!("not four visitors") };
    let clinic = Clinic::found(founder, &accounts.guests)?;
    accounts.contracts.push(clinic.reader.clone());

    let first = net.top();
    let load = Load::start(&net, &accounts, random);
    let (stop, counts) = (AtomicBool::new(false), [const { AtomicU64::new(0) }; 3]);
    let mut blobs = Random::new(random.next());
    let looks = scope(|scope| {
        let (stop, counts, clinic) = (&stop, &counts, &clinic);
        let again = |count: &'static str, which: usize, mut work: Box<dyn FnMut() -> Result<()> + Send>| {
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    work().context(count)?;
                    counts[which].fetch_add(1, Ordering::Relaxed);
                }
                anyhow::Ok(())
            })
        };
        let workers = [
            again("a contract call", 0, {
                let to = founder.address.clone();
                Box::new(move || clinic.transfer(holder, &to).map(drop))
            }),
            again("a read", 1, Box::new(move || clinic.read(physician).map(drop))),
            again("a blob", 2, {
                Box::new(move || {
                    let bytes: Vec<u8> =
                        (0..=blobs.below(BLOB_MAX) / 8).flat_map(|_| blobs.next().to_le_bytes()).collect();
                    archivist.publish(&bytes, TERM).map(drop)
                })
            }),
        ];
        let looks = watch(&net, time);
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.join().map_err(|_| anyhow::anyhow!("a visitor panicked"))??;
        }
        looks
    })?;
    let ledger = load.finish()?;
    let mut facts = vec![format!(
        "{} s: {} transfers, {} contract calls, {} reads, {} blobs",
        time.as_secs(),
        ledger.len(),
        counts[0].load(Ordering::Relaxed),
        counts[1].load(Ordering::Relaxed),
        counts[2].load(Ordering::Relaxed)
    )];
    let pace = pace::blocks(&net.nodes[0], first, net.top())?;
    facts.push(format!("block time p50 {:.0} ms, p99 {:.0} ms", pace.p50, pace.p99));
    facts.extend(flat(&looks, time)?);
    facts.extend(judge(&net, &accounts, &ledger)?);
    Ok(facts)
}

/// What a process held at each look.
#[derive(Default)]
struct Held {
    bytes: Vec<u64>,
    handles: Vec<u64>,
}

/// Looks at every process until the time is over.
fn watch(net: &Net, time: Duration) -> Result<BTreeMap<String, Held>> {
    let (begun, mut looks) = (Instant::now(), BTreeMap::<String, Held>::new());
    while begun.elapsed() < time {
        sleep((time / LOOKS).max(APART));
        for node in &net.nodes {
            for (name, process) in node.processes() {
                let held = looks.entry(format!("{name} {}", node.number)).or_default();
                held.bytes.push(resident(process)?);
                held.handles.push(fs::read_dir(format!("/proc/{process}/fd"))?.count() as u64);
            }
        }
    }
    Ok(looks)
}

fn resident(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
}

/// Whether the last third of the time held no more than the third before, where the run was long enough to tell.
fn flat(looks: &BTreeMap<String, Held>, time: Duration) -> Result<Vec<String>> {
    let most = |of: &[u64]| of.iter().copied().max().unwrap_or_default();
    let (mut largest, mut handles) = (BTreeMap::<&str, [u64; 3]>::new(), 0);
    for (name, held) in looks {
        let third = held.bytes.len() / 3;
        let (before, after) = (third..2 * third, 2 * third..held.bytes.len());
        let (was, is) = (most(&held.bytes[before.clone()]), most(&held.bytes[after.clone()]));
        if time >= LONG {
            ensure!(is <= was + was / 20 + BYTES, "{name} grew from {} to {} MB", was >> 20, is >> 20);
        }
        let (had, has) = (most(&held.handles[before]), most(&held.handles[after]));
        ensure!(has <= had + HANDLES, "{name} had {had} open files and has {has}");
        let kind = name.split(' ').next().unwrap_or_default();
        let sizes = largest.entry(kind).or_default();
        for (size, held) in sizes.iter_mut().zip([most(&held.bytes[..third]), was, is]) {
            *size = (*size).max(held);
        }
        handles = handles.max(has);
    }
    let size = |(kind, thirds): (&&str, &[u64; 3])| {
        format!("{kind} {} MB", thirds.map(|bytes| (bytes >> 20).to_string()).join(", "))
    };
    let sizes = largest.iter().map(size).collect::<Vec<_>>().join("; ");
    Ok(vec![format!("most that was resident in each third of the time: {sizes}; {handles} open files")])
}
