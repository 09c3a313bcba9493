//! A fifth node joins by state sync, becomes a validator and signs; a node that keeps few heights answers for them.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use aceso_types::msg::MsgSetValidator;
use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{Fill, paced, slow_down};
use crate::{
    home::consensus_key,
    judge::judge,
    load::{Accounts, Load},
    net::{Net, Programs},
    random::Random,
};

/// The one that keeps few heights and offers no snapshot.
const FORGETFUL: usize = 3;
/// Heights that it keeps.
const KEPT: u64 = 10;
/// How long a state of a gigabyte may take until its node follows.
const MUST: Duration = Duration::from_secs(60);
/// How long a network may take to make blocks.
const PATIENCE: Duration = Duration::from_secs(900);

/// How much is done.
struct Size {
    /// What the state holds.
    fill: Fill,
    /// The height of the snapshot.
    height: u64,
}

pub(crate) fn run(programs: &Programs, quick: bool, random: &mut Random) -> Result<Vec<String>> {
    let size = if quick {
        Size { fill: Fill { rows: 5_000, bytes: 1000 }, height: 50 }
    } else {
        Size { fill: Fill { rows: 1_000_000, bytes: 1000 }, height: 1000 }
    };
    let (mut net, accounts) = paced(programs, false, 20)?;
    for number in 0..FORGETFUL {
        net.configure(number, "snapshot_interval", &size.height.to_string())?;
    }
    net.configure(FORGETFUL, "snapshot_interval", "0")?;
    net.configure(FORGETFUL, "keep_heights", &KEPT.to_string())?;
    net.start_all()?;
    net.wait_for(&net.all(), 2, PATIENCE)?;
    let mut facts = vec![size.fill.run(&net, &accounts)?];
    net.wait_for(&net.all(), size.height + 1, PATIENCE)?;
    slow_down(&mut net)?;
    let taken = |net: &Net| (0..FORGETFUL).all(|number| net.nodes[number].logs("snapshot taken"));
    net.wait_until("snapshots", PATIENCE, taken)?;

    let load = Load::start(&net, &accounts, random);
    let (joined, took, fact) = join(&mut net, &size)?;
    facts.push(fact);
    facts.push(validates(&net, &accounts, joined)?);
    // Later than the load's own answers, so that there is something to forget.
    net.wait_for(&net.all(), size.height + KEPT + 5, PATIENCE)?;
    facts.push(pruned(&net, joined, size.height)?);
    let ledger = load.finish()?;
    facts.extend(judge(&net, &accounts, &ledger)?);
    // Last: a machine that is too slow says nothing of the rest.
    ensure!(took <= MUST, "it took longer than {} s: {}", MUST.as_secs(), facts.join("; "));
    Ok(facts)
}

/// What an engine's configuration says of state sync, trusting an early block.
pub(super) fn settings(net: &Net) -> Result<String> {
    let trusted = net.nodes[0].get("block?height=2")?;
    let hash = trusted["block_id"]["hash"].as_str().context("block 2 has no hash")?;
    Ok(format!(
        "[statesync]\nenable = true\nrpc_servers = \"{},{}\"\ntrust_height = 2\ntrust_hash = \"{hash}\"\n\
         trust_period = \"168h0m0s\"\ndiscovery_time = \"5s\"\n",
        net.nodes[0].rpc, net.nodes[1].rpc
    ))
}

/// Starts a node without a state and waits until it follows; its number, and how long that took.
fn join(net: &mut Net, size: &Size) -> Result<(usize, Duration, String)> {
    let joined = net.join("joined", &settings(net)?)?;
    let begun = Instant::now();
    net.start(joined)?;
    let after = |words: &'static str| {
        net.wait_until(words, PATIENCE, |net| net.nodes[joined].logs(words)).map(|()| begun.elapsed())
    };
    let (offered, restored) = (after("restoring a snapshot")?, after("snapshot restored")?);
    net.wait_for(&[joined], net.top(), PATIENCE)?;
    let all = begun.elapsed();
    let earliest = net.nodes[joined].get("status")?["sync_info"]["earliest_block_height"].clone();
    let earliest: u64 = earliest.as_str().unwrap_or_default().parse()?;
    ensure!(earliest > size.height, "it has block {earliest}: it has executed the chain instead of restoring it");
    let megabytes = size.fill.megabytes();
    // Less than the whole must is far below a second.
    let speed = megabytes / (restored - offered).as_secs_f64().max(0.001);
    Ok((
        joined,
        all,
        format!(
            "joined in {:.1} s with {megabytes:.0} MB of rows: an offer after {:.1} s, restored in {:.1} s, {speed:.0} MB/s",
            all.as_secs_f64(),
            offered.as_secs_f64(),
            (restored - offered).as_secs_f64()
        ),
    ))
}

/// The authority adds the node, its operator registers its attestation key, and it signs blocks.
fn validates(net: &Net, accounts: &Accounts, joined: usize) -> Result<String> {
    let (node, client) = (&net.nodes[joined], net.nodes[joined].client()?);
    let (key, address) = consensus_key(&node.home)?;
    let authority = client.address(&accounts.authority);
    let adding = MsgSetValidator {
        authority: authority.clone(),
        consensus_key: STANDARD.decode(key)?,
        power: 10,
        operator: authority,
        name: "joined".into(),
    };
    client.send(&accounts.authority, vec![aceso_client::any(&adding)], aceso_client::GasLimit::Auto)?;
    let words = node.home.join("authority.words");
    fs::write(&words, &accounts.words)?;
    let mut command = Command::new(&node.program);
    command.args(["attester", "register", "--node", &node.rpc, "--rest", &node.rest]);
    let output = command.arg("--home").arg(&node.home).arg("--from").arg(&words).output()?;
    ensure!(output.status.success(), "no attestation key: {}", String::from_utf8_lossy(&output.stderr));

    let begun = Instant::now();
    loop {
        let top = node.height().unwrap_or_default();
        let commit = node.get(&format!("commit?height={}", top.saturating_sub(1))).unwrap_or_default();
        let signatures = commit["signed_header"]["commit"]["signatures"].as_array().cloned().unwrap_or_default();
        if signatures.iter().any(|one| one["validator_address"] == address.as_str()) {
            return Ok(format!("signs block {}", top - 1));
        }
        if begun.elapsed() > PATIENCE {
            bail!("the new validator signs nothing");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Who keeps few heights proves them and calls the others pruned; who was restored does from its snapshot on.
fn pruned(net: &Net, joined: usize, snapshot: u64) -> Result<String> {
    let ask = |number: usize, height: u64| -> Result<Value> {
        let path = "abci_query?path=%22/store/chain/key%22&data=0x73657474696e6773&prove=true";
        Ok(net.nodes[number].get(&format!("{path}&height={height}"))?["response"].take())
    };
    let whole = |number: usize, height: u64| -> Result<()> {
        let answer = ask(number, height)?;
        ensure!(
            answer["code"] == 0 && answer["proofOps"]["ops"].is_array(),
            "node {number}, height {height}: {answer}"
        );
        Ok(())
    };
    let gone = |number: usize, height: u64| -> Result<()> {
        let answer = ask(number, height)?;
        let said = answer["log"].as_str().unwrap_or_default();
        ensure!(said.contains(&format!("height {height} is pruned")), "node {number}, height {height}: {answer}");
        Ok(())
    };
    let top = net.nodes[FORGETFUL].height().context("it is gone")?;
    // It may be a block further when it is asked.
    for height in [top, top - KEPT / 2, top - KEPT + 3] {
        whole(FORGETFUL, height)?;
    }
    for height in [1, top - KEPT - 1] {
        gone(FORGETFUL, height)?;
    }
    whole(0, 3)?;
    whole(joined, snapshot)?;
    gone(joined, snapshot - 1)?;
    Ok(format!("{KEPT} heights are kept and proven where that was promised, the others are called pruned"))
}
