//! Those who keep a long result: one has lost its disk, on another's the file was changed, a third sends something else, a
//! fourth was killed and comes again.
//!
//! Whoever asks goes from one to the next and believes what opens. A member that lacks a result it has signed for fetches it
//! from the others, past one that lies; one whose file was changed hands nothing out until somebody gives it the file again.

use std::fs;

use aceso_client::Client;
use aceso_types::{
    ReadId, Tensor,
    query::{QueryResults, ResultRow},
    sealed::Outcome,
};
use aceso_verify::outcome::open_result;
use anyhow::{Context, Result, bail, ensure};

use super::PATIENCE;
use crate::{
    fake::{Fake, endless, other_bytes},
    net::{Net, Node, Which},
    space::HERE,
    ward::{Said, Ward},
};

pub(super) fn run(net: &mut Net, ward: &Ward, long: &Said) -> Result<String> {
    let Outcome::Stored { blob, size, .. } = &long.outcome else { bail!("no long result: {:?}", long.outcome) };
    let open = |file: &[u8]| open_result(&ward.content, &long.statement, &long.outcome, Some(file));
    let signed = signed(net, &net.nodes[0].client()?, &blob.to_string())?;
    let [loser, changed, killed, ..] = signed[..] else { bail!("{signed:?} signed, and a quorum has three") };
    let file = net.nodes[killed].client()?.get_blob(blob)?.context("who has signed hands nothing out")?;
    let outputs = open(&file)?;
    ensure!(file.len() as u64 == *size && outputs.iter().any(|one| one.data().len() > 4 << 10), "it is not long");
    verify(&net.nodes[killed], long)?;

    // At once, as when the power fails: with three of four gone the chain waits for them.
    for number in [loser, changed, killed] {
        net.kill(number, Which::Both);
    }
    let liar = Fake::start(HERE, endless)?;
    fs::remove_dir_all(net.nodes[loser].home.join("data/blobs"))?;
    net.configure(loser, "blob_peers", &format!("{:?}", [&liar.url]))?;
    change(&net.nodes[changed], &file)?;
    net.configure(changed, "blob_peers", "[]")?;
    net.start_all()?;
    net.wait_for(&net.all(), net.top() + 2, PATIENCE).context("the chain goes on")?;

    let other = Fake::start(HERE, other_bytes)?;
    let rests = [loser, changed, killed].map(|number| net.nodes[number].rest.clone());
    let [first, second, last] = &rests;
    let client = net.nodes[killed].client()?;
    let mut asked = Vec::new();
    let mut found: Option<Vec<Tensor>> = None;
    for rest in [first, second, &other.url, last] {
        asked.push(rest);
        found = client.at(rest).get_blob(blob).ok().flatten().and_then(|file| open(&file).ok());
        if found.is_some() {
            break;
        }
    }
    ensure!(found.as_ref() == Some(&outputs), "none of {asked:?} gave what opens");
    ensure!(asked.len() == 4, "{asked:?} were asked, and the last of them should not have it");
    net.wait_until("the liar is found out", PATIENCE, |net| net.nodes[loser].logs("is left alone for an hour"))?;

    // The one whose disk has changed it is given the file by whoever has it.
    let has = |rest: &str| client.at(rest).get_blob(blob).ok().flatten().is_some_and(|got| got == file);
    let (again, _) = client.at(second).put_blob(&file[..])?;
    ensure!(again == *blob && has(second), "what was changed stays so");
    // The one that has lost it asks its peers, the liar first.
    for number in [loser, changed] {
        let mut peers = vec![liar.url.clone()];
        peers.extend(net.nodes.iter().filter(|node| node.number != number).map(|node| node.rest.clone()));
        net.kill(number, Which::Both);
        net.configure(number, "blob_peers", &format!("{peers:?}"))?;
        net.start(number)?;
    }
    net.wait_until("the result from another member", PATIENCE, |_| has(first))?;
    net.wait_for(&net.all(), net.top() + 1, PATIENCE)?;
    Ok(format!(
        "a result of {size} bytes was had from the fourth that was asked; the one that lost it has it from a peer, past one \
         that lied; the one that was killed has kept it"
    ))
}

/// The validators whose operators keep a result, as the chain says.
fn signed(net: &Net, client: &Client, cid: &str) -> Result<Vec<usize>> {
    let question = QueryResults { operator: String::new(), cid: cid.into(), page: None };
    let rows = client.ask(&question)?.unwrap_or_default().rows;
    let [ResultRow { operators, .. }] = &rows[..] else { bail!("the chain has {} results {cid}", rows.len()) };
    let mut numbers = Vec::new();
    for node in &net.nodes {
        if operators.contains(&node.operator()?) {
            numbers.push(node.number);
        }
    }
    Ok(numbers)
}

/// The receipt is proven by a header that more than two thirds have signed, and says what was signed of the job.
fn verify(node: &Node, said: &Said) -> Result<()> {
    let client = node.client()?;
    let file = client.evidence(ReadId(said.row.read))?.encode();
    let receipt = aceso_verify::verify(&file, &client.trust()?)?.receipt;
    let sealed = receipt.sealed.context("the receipt is of no sealed read")?;
    ensure!(sealed.outcome == said.outcome, "the receipt says {:?}", sealed.outcome);
    Ok(())
}

/// Changes one byte of a file, wherever a stopped node has it.
fn change(node: &Node, file: &[u8]) -> Result<()> {
    let mut places = 0;
    for entry in fs::read_dir(node.home.join("data/blobs/packs"))? {
        let path = entry?.path();
        let mut bytes = fs::read(&path)?;
        let found: Vec<usize> = memchr::memmem::find_iter(&bytes, file).collect();
        for at in &found {
            bytes[at + file.len() / 2] ^= 1;
        }
        places += found.len();
        if !found.is_empty() {
            fs::write(&path, bytes)?;
        }
    }
    ensure!(places > 0, "validator {} has the result nowhere", node.number);
    Ok(())
}
