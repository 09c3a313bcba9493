//! Images are read, their terms end and every validator removes them; then a node begins at the genesis.
//!
//! It comes to the same state from what the others say of the reads, and has seen no image.

use std::{
    fs,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use aceso_client::Key;
use aceso_types::query::QueryBlob;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{WORKERS, plan};
use crate::{
    clinic::{Clinic, Visitor},
    judge::judge,
    load::{Accounts, Load},
    net::{Net, POLL, Programs},
    random::Random,
};

/// For how many blocks model and image are kept.
const TERM: u64 = 60;
/// Blocks for which nodes hold them on.
const GRACE: u64 = 5;
/// After how many seconds nodes look for what they need not hold any more.
const SWEEP: u64 = 5;
/// How long a network may take for anything.
const PATIENCE: Duration = Duration::from_secs(120);
/// What a node logs that has executed a block so.
const REPLAYED: &str = "executed with a transcript of its reads";

pub(crate) fn run(programs: &Programs, quick: bool, random: &mut Random) -> Result<Vec<String>> {
    let mut accounts = Accounts::new(WORKERS)?;
    accounts.guests = vec![Key::generate()?.0];
    let mut net = Net::prepare(programs, &plan(&accounts, false, 200))?;
    net.nodes.iter().try_for_each(|node| hurry(&node.home))?;
    net.start_all()?;
    net.wait_for(&net.all(), 2, PATIENCE)?;
    let visitor = Visitor::new(&net.nodes[0], accounts.guests[0].clone())?;
    let clinic = Clinic::found_for(&visitor, &[], TERM)?;
    accounts.contracts.push(clinic.reader.clone());

    let load = Load::start(&net, &accounts, random);
    let reads = if quick { 2 } else { 10 };
    (0..reads).try_for_each(|_| clinic.read(&visitor).map(drop))?;
    gone(&net, &visitor, &clinic)?;
    let ledger = load.finish()?;

    let (joiner, begun, top) = (net.join("joined", "")?, Instant::now(), net.top());
    net.start(joiner)?;
    net.wait_for(&[joiner], top, PATIENCE)?;
    let log = fs::read_to_string(net.nodes[joiner].home.join("aceso.log"))?;
    let replayed = log.lines().filter(|line| line.contains(REPLAYED)).count();
    ensure!(replayed == reads, "{reads} blocks have read and {replayed} were executed without images");
    let mut facts = vec![format!("{top} blocks in {:.1} s, {replayed} without images", begun.elapsed().as_secs_f32())];
    facts.extend(judge(&net, &accounts, &ledger)?);
    drop(net);
    Ok(facts)
}

/// Makes a home forget soon: what its terms leave over, and how often it looks for that.
fn hurry(home: &Path) -> Result<()> {
    let genesis = home.join("config/genesis.json");
    let mut text: Value = serde_json::from_slice(&fs::read(&genesis)?)?;
    text["app_state"]["params"]["blob_grace"] = json!(GRACE);
    fs::write(&genesis, text.to_string())?;
    let config = home.join("config/aceso.toml");
    let (key, text) = ("blob_unregistered_seconds = ", fs::read_to_string(&config)?);
    let changed = text.replace(&format!("{key}3600"), &format!("{key}{SWEEP}"));
    ensure!(changed != text, "{} has no {key}3600", config.display());
    Ok(fs::write(&config, changed)?)
}

/// Waits until no validator has the image any more; the model stays.
fn gone(net: &Net, visitor: &Visitor, clinic: &Clinic) -> Result<()> {
    let begun = Instant::now();
    let left = || -> Result<bool> {
        let row = visitor.client.ask(&QueryBlob { cid: clinic.image.to_string() })?.context("no image")?;
        let blobs = net.nodes.iter().map(|node| blobs(&node.rest)).collect::<Result<Vec<u64>>>()?;
        Ok(row.held || blobs.iter().any(|count| *count != 1))
    };
    while left()? {
        ensure!(begun.elapsed() < PATIENCE, "the image is still there after {} s", PATIENCE.as_secs());
        sleep(POLL);
    }
    Ok(())
}

/// How many blobs a node has, as its metrics say.
fn blobs(rest: &str) -> Result<u64> {
    let text = ureq::get(format!("{rest}/metrics")).call()?.body_mut().read_to_string()?;
    let count = text.lines().find_map(|line| line.strip_prefix("aceso_blobs ")).context("no aceso_blobs")?;
    Ok(count.parse()?)
}
