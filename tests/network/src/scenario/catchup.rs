//! A chain is executed again from its first block on: by a node that comes late, and by one that has lost its state.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use super::{paced, slow_down};
use crate::{
    judge::{agree, judge},
    load::Load,
    net::{Net, Programs, Which},
    random::Random,
};

/// The one that loses its state.
const POOR: usize = 3;
/// How long a network may take to make blocks, or a node to execute them.
const PATIENCE: Duration = Duration::from_secs(900);

pub(crate) fn run(programs: &Programs, quick: bool, random: &mut Random) -> Result<Vec<String>> {
    let blocks = if quick { 60 } else { 2000 };
    let (mut net, accounts) = paced(programs, false, 20)?;
    net.start_all()?;
    net.wait_for(&net.all(), 2, PATIENCE)?;
    let load = Load::start(&net, &accounts, random);
    net.wait_for(&net.all(), blocks, PATIENCE)?;
    slow_down(&mut net)?;
    let mut facts = vec![format!("{} transactions in {} blocks", load.count(), net.top())];

    let joined = net.join("joined", "")?;
    facts.push(format!("from peers: {}", executed(&mut net, joined)?));
    agree(&net)?;

    net.kill(POOR, Which::Both);
    fs::remove_dir_all(net.nodes[POOR].home.join("data/state"))?;
    facts.push(format!("from the engine's own blocks: {}", executed(&mut net, POOR)?));
    let ledger = load.finish()?;
    facts.extend(judge(&net, &accounts, &ledger)?);
    Ok(facts)
}

/// Starts a node without a state and waits until it has executed all blocks that there are; how fast that was.
fn executed(net: &mut Net, number: usize) -> Result<String> {
    let (begun, top) = (Instant::now(), net.top());
    net.start(number)?;
    net.wait_for(&[number], top, PATIENCE)?;
    let seconds = begun.elapsed().as_secs_f64();
    let earliest = net.nodes[number].get("status")?["sync_info"]["earliest_block_height"].clone();
    ensure!(earliest == "1", "node {number} begins at block {earliest}");
    Ok(format!("{top} blocks in {seconds:.1} s, {:.0} a second", top as f64 / seconds))
}
