//! One of four validators lies; the other three neither stop nor believe it.

use std::{thread::sleep, time::Duration};

use aceso_types::msg::{Availability, Extension, Held, MsgAttest};
use anyhow::{Context, Result, ensure};
use cosmos_sdk_proto::{
    Any,
    cosmos::tx::v1beta1::{AuthInfo, Fee, TxBody, TxRaw},
};
use prost::Message;
use tendermint_proto::v0_38::abci::response::Value;

use super::prepared;
use crate::{
    judge::judge,
    load::Load,
    net::{Net, Programs},
    proxy::{Lie, Proxy},
    random::Random,
};

/// The one that lies.
const LIAR: usize = 3;
/// How long a network may take to make blocks.
const PATIENCE: Duration = Duration::from_secs(90);

/// What it lies about.
const LIES: &[(&str, Lie)] = &[
    ("garbage proposals", garbage_proposal),
    ("forged availability", forged_availability),
    ("garbage extensions", garbage_extension),
    ("oversized extensions", oversized_extension),
    ("statements of blobs that nobody registered", strange_extension),
];

pub(crate) fn run(programs: &Programs, quick: bool, random: &mut Random) -> Result<Vec<String>> {
    let mut facts = Vec::new();
    let lies = if quick { &LIES[..2] } else { LIES };
    for (name, lie) in lies {
        let (mut net, accounts) = prepared(programs, false)?;
        let socket = net.nodes[LIAR].socket.clone();
        (0..net.nodes.len()).try_for_each(|number| net.start_app(number, &[]))?;
        let proxy = Proxy::start(&socket, *lie)?;
        net.nodes[LIAR].between = Some(proxy.socket.clone());
        (0..net.nodes.len()).try_for_each(|number| net.start_engine(number, &[]))?;
        let honest: Vec<usize> = (0..LIAR).collect();
        net.wait_for(&honest, 2, PATIENCE)?;
        let load = Load::start(&net, &accounts, random);
        let begun = net.top();
        // Long enough for each to propose several times.
        net.wait_for(&honest, begun + 16, PATIENCE).with_context(|| (*name).to_owned())?;
        ensure!(proxy.lies() > 0, "{name}: the liar has not lied");
        let ledger = load.finish()?;
        judge(&net, &accounts, &ledger).with_context(|| (*name).to_owned())?;
        facts.push(format!("{name}: {} told", proxy.lies()));
    }
    facts.push(double_sign(programs, random)?);
    Ok(facts)
}

/// Two engines sign with one key; the evidence lands in a block.
fn double_sign(programs: &Programs, random: &mut Random) -> Result<String> {
    let (mut net, accounts) = prepared(programs, false)?;
    let twin = net.twin(LIAR)?;
    net.start_all()?;
    net.start(twin)?;
    net.wait_for(&(0..LIAR).collect::<Vec<_>>(), 2, PATIENCE)?;
    let load = Load::start(&net, &accounts, random);
    let mut at = 1;
    let evidence = loop {
        let top = net.top();
        ensure!(top < 400, "no evidence of the double signature in {top} blocks");
        if let Some(found) = (at..=top).find(|height| has_evidence(&net, *height)) {
            break found;
        }
        at = top.max(1);
        sleep(Duration::from_millis(300));
    };
    net.forget(twin);
    let ledger = load.finish()?;
    judge(&net, &accounts, &ledger).context("double signatures")?;
    Ok(format!("double signature: evidence in block {evidence}"))
}

fn has_evidence(net: &Net, height: u64) -> bool {
    let block = net.nodes[0].get(&format!("block?height={height}")).unwrap_or_default();
    block["block"]["evidence"]["evidence"].as_array().is_some_and(|list| !list.is_empty())
}

fn garbage_proposal(answer: &mut Value) -> bool {
    let Value::PrepareProposal(proposal) = answer else { return false };
    proposal.txs.insert(0, vec![0xff; 100].into());
    true
}

fn forged_availability(answer: &mut Value) -> bool {
    let Value::PrepareProposal(proposal) = answer else { return false };
    let said = Availability {
        cid: "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku".into(),
        size: 5,
        expires: 1_000_000,
        signers: vec![0b1111],
        signature: vec![7; 96],
    };
    let body = TxBody {
        messages: vec![Any {
            type_url: "/aceso.reads.v1.MsgAttest".into(),
            value: MsgAttest { available: vec![said] }.encode_to_vec(),
        }],
        ..TxBody::default()
    };
    let auth = AuthInfo { fee: Some(Fee::default()), ..AuthInfo::default() };
    let tx = TxRaw { body_bytes: body.encode_to_vec(), auth_info_bytes: auth.encode_to_vec(), signatures: vec![] };
    proposal.txs.insert(0, tx.encode_to_vec().into());
    true
}

fn garbage_extension(answer: &mut Value) -> bool {
    let Value::ExtendVote(vote) = answer else { return false };
    vote.vote_extension = vec![0xff; 1000].into();
    true
}

fn oversized_extension(answer: &mut Value) -> bool {
    let Value::ExtendVote(vote) = answer else { return false };
    vote.vote_extension = vec![1; 512 << 10].into();
    true
}

fn strange_extension(answer: &mut Value) -> bool {
    let Value::ExtendVote(vote) = answer else { return false };
    let held = (0..300_u64).map(|number| Held {
        cid: format!("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenx{number:06}"),
        size: number,
        expires: number,
        signature: vec![3; 96],
    });
    vote.vote_extension = Extension { held: held.collect(), reads: None }.encode_to_vec().into();
    true
}
