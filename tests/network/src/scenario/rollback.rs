//! A validator goes back by some heights, alone or together with its engine, and comes to the same app hashes again.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::running;
use crate::{
    judge::judge,
    load::Load,
    net::{Programs, Which},
    random::Random,
};

/// How long a validator may take to catch up.
const PATIENCE: Duration = Duration::from_secs(90);

/// Heights that the state goes back by, and whether the engine goes back too, which it does by one height only.
const WAYS: [(u64, bool); 4] = [(1, true), (1, false), (3, false), (2, true)];

pub(crate) fn run(programs: &Programs, quick: bool, random: &mut Random) -> Result<Vec<String>> {
    let (mut net, accounts) = running(programs, false)?;
    let load = Load::start(&net, &accounts, random);
    let mut facts = Vec::new();
    for (heights, both) in WAYS.into_iter().cycle().take(if quick { WAYS.len() } else { 3 * WAYS.len() }) {
        net.wait_for(&net.all(), net.top() + 5, PATIENCE)?;
        let number = random.of(&net.all()).unwrap_or_default();
        net.kill(number, Which::Both);
        let told = net.over(number, Which::App, &["--json", "rollback", "--heights", &heights.to_string()])?;
        let told: Value = serde_json::from_str(&told).with_context(|| format!("no JSON: {told}"))?;
        let [from, to] = ["from", "height"].map(|name| told[name].as_str().and_then(|text| text.parse::<u64>().ok()));
        ensure!(from.zip(to).is_some_and(|(from, to)| from - to == heights), "{told}");
        if both {
            net.over(number, Which::Engine, &["rollback"])?;
        }
        net.revive()?;
        net.wait_for(&[number], net.top(), PATIENCE)?;
        if facts.len() < WAYS.len() {
            facts.push(format!("back by {heights}{}", if both { " with the engine" } else { "" }));
        }
    }
    ensure!(load.count() > 0, "nothing was acknowledged meanwhile");
    let ledger = load.finish()?;
    facts.extend(judge(&net, &accounts, &ledger)?);
    Ok(facts)
}
