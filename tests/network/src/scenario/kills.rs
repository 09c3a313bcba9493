//! `kill -9` on a random validator, at a random moment, under load.

use std::{thread::sleep, time::Duration};

use anyhow::{Result, ensure};

use super::running;
use crate::{
    judge::judge,
    load::Load,
    net::{Programs, Which},
    random::Random,
};

pub(crate) fn run(programs: &Programs, quick: bool, random: &mut Random) -> Result<Vec<String>> {
    let kills: usize = if quick { 5 } else { 30 };
    let (mut net, accounts) = running(programs, false)?;
    let load = Load::start(&net, &accounts, random);
    for _ in 0..kills {
        sleep(Duration::from_millis(200 + random.below(1500)));
        let number = random.of(&net.all()).unwrap_or_default();
        let which = random.of(&[Which::App, Which::Engine, Which::Both]).unwrap_or(Which::Both);
        net.kill(number, which);
        // Sometimes it is back at once, sometimes the others are a few blocks further.
        sleep(Duration::from_millis(random.below(1500)));
        net.revive()?;
        net.wait_for(&[number], net.top(), Duration::from_secs(60))?;
    }
    ensure!(load.count() > 0, "nothing was acknowledged under the kills");
    let ledger = load.finish()?;
    let mut facts = vec![format!("{kills} kills")];
    facts.extend(judge(&net, &accounts, &ledger)?);
    Ok(facts)
}
