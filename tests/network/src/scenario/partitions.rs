//! Lines that are cut, come and go, or are slow.

use std::{thread::sleep, time::Duration};

use anyhow::{Result, ensure};

use super::running;
use crate::{judge::judge, load::Load, net::Net, net::Programs, random::Random};

/// How long a network may take to make blocks again.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) fn run(programs: &Programs, quick: bool, random: &mut Random) -> Result<Vec<String>> {
    let (net, accounts) = running(programs, true)?;
    let load = Load::start(&net, &accounts, random);
    let mut facts = Vec::new();

    // Half of the power decides nothing.
    cut(&net, &[&[0, 1], &[2, 3]])?;
    sleep(Duration::from_secs(2));
    let halted = net.top();
    sleep(Duration::from_secs(if quick { 4 } else { 15 }));
    ensure!(net.top() <= halted + 1, "2|2 went on from block {halted} to {}", net.top());
    heal(&net)?;
    net.wait_for(&net.all(), halted + 3, PATIENCE)?;
    facts.push(format!("2|2 halted at block {halted} and went on"));

    // Three quarters do, and the fourth comes after.
    cut(&net, &[&[0, 1, 2], &[3]])?;
    let (before, alone) = (net.top(), net.nodes[3].height().unwrap_or_default());
    net.wait_for(&[0, 1, 2], before + 5, PATIENCE)?;
    let behind = net.nodes[3].height().unwrap_or_default();
    ensure!(behind <= alone + 2, "the validator that was cut off went on from block {alone} to {behind}");
    heal(&net)?;
    net.wait_for(&[3], net.top(), PATIENCE)?;
    facts.push(format!("3|1 went on, the fourth caught up {} blocks", net.top().saturating_sub(behind)));

    for _ in 0..if quick { 2 } else { 8 } {
        let one = random.of(&net.all()).unwrap_or_default();
        let others: Vec<usize> = net.all().into_iter().filter(|other| *other != one).collect();
        cut(&net, &[&others, &[one]])?;
        sleep(Duration::from_millis(300 + random.below(2000)));
        heal(&net)?;
        sleep(Duration::from_millis(random.below(1000)));
    }
    net.wait_for(&net.all(), net.top() + 2, PATIENCE)?;

    // A tenth of what a block and its votes need in comfort.
    if let Some(spaces) = &net.spaces {
        spaces.rate(3, Some(100))?;
        let before = net.top();
        net.wait_for(&[0, 1, 2], before + if quick { 5 } else { 30 }, PATIENCE)?;
        spaces.rate(3, None)?;
    }
    net.wait_for(&net.all(), net.top(), PATIENCE)?;
    facts.push("flapping and a line of 100 kbit/s survived".into());

    let ledger = load.finish()?;
    facts.extend(judge(&net, &accounts, &ledger)?);
    Ok(facts)
}

fn cut(net: &Net, groups: &[&[usize]]) -> Result<()> {
    net.spaces.as_ref().map_or(Ok(()), |spaces| spaces.partition(groups))
}

fn heal(net: &Net) -> Result<()> {
    net.spaces.as_ref().map_or(Ok(()), |spaces| spaces.heal())
}
