//! The judgement that every scenario ends with.
//!
//! All validators come to one height and one app hash, which the next header commits. Every block is read from one of
//! them: each acknowledged transaction is there exactly once and was executed well, and every account of the load owns
//! what the ledger says, to the last coin, asked of every validator.

use std::{collections::BTreeMap, thread::sleep, time::Duration, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{
    load::{Accounts, FUNDS, Ledger, hash_of},
    net::{Net, POLL},
};

/// How long the validators may take to come together.
const PATIENCE: Duration = Duration::from_secs(120);

/// Judges; answers with facts to show.
pub(crate) fn judge(net: &Net, accounts: &Accounts, ledger: &Ledger) -> Result<Vec<String>> {
    let height = agree(net)?;
    read_blocks(net, height, ledger)?;
    balances(net, accounts, ledger)?;
    Ok(vec![
        format!("{} validators agree at block {height}", net.nodes.len()),
        format!("{} transactions acknowledged, each once", ledger.len()),
    ])
}

/// Waits until every validator has executed a common block beyond where they are, and compares what it made of it.
pub(crate) fn agree(net: &Net) -> Result<u64> {
    let height = net.top() + 2;
    let begun = Instant::now();
    let mut hashes: BTreeMap<usize, BTreeMap<u64, String>> = BTreeMap::new();
    // The application tells its latest state only, so each is listened to until they have been seen at one height.
    loop {
        for node in &net.nodes {
            if let Some((height, hash)) = node.state() {
                hashes.entry(node.number).or_default().insert(height, hash);
            }
        }
        let common = hashes.get(&0).into_iter().flat_map(BTreeMap::keys).rev().copied().find(|at| {
            *at >= height && hashes.len() == net.nodes.len() && hashes.values().all(|seen| seen.contains_key(at))
        });
        if let Some(at) = common {
            let told: Vec<&String> = hashes.values().filter_map(|seen| seen.get(&at)).collect();
            ensure!(told.windows(2).all(|pair| pair[0] == pair[1]), "app hashes differ at block {at}: {told:?}");
            return Ok(at);
        }
        if begun.elapsed() > PATIENCE {
            let heights: Vec<_> = net.nodes.iter().map(crate::net::Node::height).collect();
            bail!("the validators do not come together: heights {heights:?}");
        }
        sleep(POLL / 4);
    }
}

/// Reads all blocks that the first validator has.
fn read_blocks(net: &Net, height: u64, ledger: &Ledger) -> Result<()> {
    let node = &net.nodes[0];
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let earliest: u64 = node.get("status")?["sync_info"]["earliest_block_height"].as_str().unwrap_or("1").parse()?;
    for at in earliest..=height {
        let block = node.get(&format!("block?height={at}")).with_context(|| format!("block {at}"))?;
        let results =
            node.get(&format!("block_results?height={at}")).with_context(|| format!("results of block {at}"))?;
        let empty = Vec::new();
        let txs = block["block"]["data"]["txs"].as_array().unwrap_or(&empty);
        let codes = results["txs_results"].as_array().unwrap_or(&empty);
        ensure!(txs.len() == codes.len(), "block {at} has {} transactions and {} results", txs.len(), codes.len());
        for (tx, result) in txs.iter().zip(codes) {
            if result["code"].as_u64() == Some(0) {
                let hash = tx.as_str().and_then(hash_of).context("a transaction is not base64")?;
                *seen.entry(hash).or_default() += 1;
            }
        }
    }
    for (hash, (at, _)) in ledger {
        let times = seen.get(hash).copied().unwrap_or_default();
        ensure!(times == 1 || *at < earliest, "{hash} was acknowledged in block {at} and is in {times} blocks");
    }
    Ok(())
}

/// What every account owns, asked of every validator: nothing was made and nothing lost.
fn balances(net: &Net, accounts: &Accounts, ledger: &Ledger) -> Result<()> {
    let mut told: Vec<BTreeMap<String, u128>> = Vec::new();
    for node in &net.nodes {
        let client = node.client()?;
        let owners = accounts.people().map(|key| client.address(key)).chain(accounts.contracts.iter().cloned());
        told.push(owners.map(|owner| Ok((owner.clone(), client.balance(&owner)?))).collect::<Result<_>>()?);
    }
    ensure!(told.windows(2).all(|pair| pair[0] == pair[1]), "the validators tell different balances: {told:?}");
    let Some(told) = told.first() else { bail!("no validator") };
    let sink = told.get(&accounts.sink.address("aceso")).copied().unwrap_or_default();
    let received = sink.checked_sub(FUNDS).context("the sink has lost coins")?;
    let sent: u128 = ledger.values().map(|(_, amount)| amount).sum();
    ensure!(received == sent, "{sent} coins were acknowledged and {received} arrived");
    let (total, fees): (u128, u128) = (told.values().sum(), fees(net)?);
    let first = FUNDS * accounts.people().count() as u128;
    ensure!(total + fees == first, "{total} coins and {fees} of fees are not the {first} of the genesis");
    Ok(())
}

/// Coins that fees have brought, of the account that collects them.
fn fees(net: &Net) -> Result<u128> {
    let node = &net.nodes[0];
    let client = node.client()?;
    let account = fee_collector(node)?;
    Ok(client.balance(&account)?)
}

/// The account that fees go to, as the events of a transfer name it.
fn fee_collector(node: &crate::net::Node) -> Result<String> {
    let found = node.get("tx_search?query=%22tx.height%3E0%22&per_page=1")?;
    let events = found["txs"][0]["tx_result"]["events"].as_array().cloned().unwrap_or_default();
    let of = |event: &Value, key: &str| {
        let attributes = event["attributes"].as_array().cloned().unwrap_or_default();
        attributes.iter().find(|one| one["key"] == key).and_then(|one| one["value"].as_str().map(String::from))
    };
    // The first coins that move in a transaction are its fee.
    let first = events.iter().find(|event| event["type"] == "coin_received").and_then(|event| of(event, "receiver"));
    first.context("no transaction has paid a fee")
}
