//! `kill -9` on a random validator under load: at a random moment, or in a commit, before anything of the block is
//! written, between that and the flush, or in the middle of the flush with the power.

use std::{thread::sleep, time::Duration};

use anyhow::{Result, ensure};

use super::running;
use crate::{
    judge::judge,
    load::Load,
    net::{Programs, Which},
    random::Random,
};

/// Moments of a commit, as the node calls them.
const MOMENTS: [&str; 3] = ["begun", "written", "torn"];
/// How long a validator may take to come to the commit that it dies in, or to catch up.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn run(programs: &Programs, quick: bool, random: &mut Random) -> Result<Vec<String>> {
    let kills: usize = if quick { 5 } else { 30 };
    let (mut net, accounts) = running(programs, false)?;
    let load = Load::start(&net, &accounts, random);
    let mut in_commits = 0;
    for kill in 0..kills {
        sleep(Duration::from_millis(200 + random.below(1500)));
        let number = random.of(&net.all()).unwrap_or_default();
        // Every other one, so that each moment has its turn however few there are.
        if kill % 2 == 0 {
            net.doom(number, 1 + random.below(5), MOMENTS[kill / 2 % MOMENTS.len()], PATIENCE)?;
            in_commits += 1;
        } else {
            let which = random.of(&[Which::App, Which::Engine, Which::Both]).unwrap_or(Which::Both);
            net.kill(number, which);
        }
        // Sometimes it is back at once, sometimes the others are a few blocks further.
        sleep(Duration::from_millis(random.below(1500)));
        net.revive()?;
        net.wait_for(&[number], net.top(), PATIENCE)?;
    }
    ensure!(load.count() > 0, "nothing was acknowledged under the kills");
    let ledger = load.finish()?;
    let mut facts = vec![format!("{kills} kills, {in_commits} of them in a commit")];
    facts.extend(judge(&net, &accounts, &ledger)?);
    Ok(facts)
}
