//! One of four validators lies; the other three neither stop nor believe it.

use std::{thread::sleep, time::Duration};

use aceso_types::msg::{Availability, Extension, Held, MsgAttest, Named};
use anyhow::{Context, Result, ensure};
use cosmos_sdk_proto::{
    Any,
    cosmos::tx::v1beta1::{AuthInfo, Fee, TxBody, TxRaw},
};
use prost::Message;
use tendermint_proto::v0_38::abci::response::Value;

use super::{prepared, publish};
use crate::{
    judge::judge,
    load::{Accounts, Load},
    net::{Net, Programs},
    proxy::{Lie, Proxy},
    random::Random,
};

/// The one that lies.
const LIAR: usize = 3;
/// How long a network may take to make blocks.
const PATIENCE: Duration = Duration::from_secs(90);

/// The message of a block's first item.
const ATTEST: &str = MsgAttest::TYPE_URL;

/// A kind of lie.
struct Kind {
    name: &'static str,
    lie: Lie,
    /// What the others say of it; nothing where they hear nothing, since votes' extensions are always accepted.
    heard: &'static str,
    /// Whether it is told of blobs, which have to be there then.
    of_blobs: bool,
}

/// What it lies about.
const KINDS: &[Kind] = &[
    Kind { name: "garbage proposals", lie: garbage_proposal, heard: "does not decode", of_blobs: false },
    Kind { name: "false aggregates", lie: false_aggregate, heard: "the attestation does not hold", of_blobs: true },
    Kind { name: "withheld shares", lie: withheld, heard: "", of_blobs: true },
    Kind {
        name: "forged availability",
        lie: forged_availability,
        heard: "the attestation does not hold",
        of_blobs: false,
    },
    Kind { name: "garbage extensions", lie: garbage_extension, heard: "", of_blobs: true },
    Kind { name: "oversized extensions", lie: oversized_extension, heard: "", of_blobs: true },
    Kind { name: "statements of blobs that nobody registered", lie: strange_extension, heard: "", of_blobs: true },
];
/// Kinds of the short form.
const QUICK: usize = 2;

pub(crate) fn run(programs: &Programs, quick: bool, random: &mut Random) -> Result<Vec<String>> {
    let mut facts = Vec::new();
    let (mut net, accounts) = prepared(programs, false)?;
    (0..net.nodes.len()).try_for_each(|number| net.start_app(number, &[]))?;
    let proxy = Proxy::start(&net.nodes[LIAR].socket, nothing)?;
    net.nodes[LIAR].between = Some(proxy.socket.clone());
    (0..net.nodes.len()).try_for_each(|number| net.start_engine(number, &[]))?;
    net.wait_for(&net.all(), 2, PATIENCE)?;
    let load = Load::start(&net, &accounts, random);
    for kind in KINDS.iter().take(if quick { QUICK } else { KINDS.len() }) {
        facts.push(lies(&net, &accounts, &proxy, kind).with_context(|| kind.name)?);
    }
    let ledger = load.finish()?;
    facts.extend(judge(&net, &accounts, &ledger)?);
    drop(net);
    facts.push(double_sign(programs, random)?);
    Ok(facts)
}

/// One kind of lie, until it was told and the others have gone on and, where blobs matter, made three available.
fn lies(net: &Net, accounts: &Accounts, proxy: &Proxy, kind: &Kind) -> Result<String> {
    let honest: Vec<usize> = (0..LIAR).collect();
    let (before, begun) = (proxy.lies(), net.top());
    proxy.tell(kind.lie);
    if kind.of_blobs {
        let mut blobs = 0;
        while blobs < 3 || proxy.lies() == before {
            ensure!(blobs < 40, "{blobs} blobs became available and the liar has not lied");
            publish(&net.nodes[blobs % LIAR], accounts, net.top())?;
            blobs += 1;
            // A blob takes the same number of blocks each time, and proposers take turns.
            net.wait_for(&honest, net.top() + blobs as u64 % 3, PATIENCE)?;
        }
    } else {
        // Long enough to propose several times.
        net.wait_for(&honest, begun + 16, PATIENCE)?;
        ensure!(proxy.lies() > before, "the liar has not lied");
    }
    proxy.tell(nothing);
    net.wait_for(&net.all(), net.top() + 2, PATIENCE)?;
    let told = proxy.lies() - before;
    ensure!(net.nodes[0].logs(kind.heard), "nobody has said: {}", kind.heard);
    Ok(format!("{}: {told} told", kind.name))
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

fn nothing(_: &mut Value) -> bool {
    false
}

/// An aggregate that was made by others than its bitmap says.
fn false_aggregate(answer: &mut Value) -> bool {
    let Value::PrepareProposal(proposal) = answer else { return false };
    let Some(first) = proposal.txs.first_mut() else { return false };
    let Ok(mut tx) = TxRaw::decode(&first[..]) else { return false };
    let Ok(mut body) = TxBody::decode(&tx.body_bytes[..]) else { return false };
    let Some(message) = body.messages.first_mut().filter(|one| one.type_url == ATTEST) else { return false };
    let Ok(mut attest) = MsgAttest::decode(&message.value[..]) else { return false };
    for signers in attest.available.iter_mut().filter_map(|one| one.signers.first_mut()) {
        *signers ^= 1;
    }
    message.value = attest.encode_to_vec();
    tx.body_bytes = body.encode_to_vec();
    *first = tx.encode_to_vec().into();
    true
}

fn withheld(answer: &mut Value) -> bool {
    let Value::ExtendVote(vote) = answer else { return false };
    !std::mem::take(&mut vote.vote_extension).is_empty()
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
            type_url: ATTEST.into(),
            value: MsgAttest { available: vec![said], ..MsgAttest::default() }.encode_to_vec(),
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
    vote.vote_extension = Extension { held: held.collect(), ..Extension::default() }.encode_to_vec().into();
    true
}
