//! Peers that lie: of snapshots to a node that joins, of blobs to a node that fetches. Both end up with the truth.

use std::{sync::atomic::Ordering, thread::sleep, time::Duration};

use anyhow::{Context, Result, ensure};
use prost::Message;
use sha2::{Digest, Sha256};
use tendermint_proto::v0_38::abci::response::Value;

use super::{Fill, paced, publish, slow_down, statesync::settings};
use crate::{
    fake::{Fake, endless, other_bytes, slow},
    judge::judge,
    load::{Accounts, Load},
    net::{Net, Programs},
    proxy::{Lie, Proxy},
    random::Random,
};

/// Where those listen that lie of blobs.
const HERE: &str = "127.0.0.1";
/// Those that lie of snapshots: together they have more peers for their tale than the honest one.
const LIARS: [usize; 2] = [1, 2];
/// The one that fetches blobs from liars. It offers no snapshots.
const FETCHER: usize = 3;
/// Height of the snapshots.
const HEIGHT: u64 = 50;
/// How long a network may take to make blocks.
const PATIENCE: Duration = Duration::from_secs(300);
/// Nodes that join until a lie about a chunk was told: who is asked for which chunk is chance.
const JOINERS: usize = 4;

/// What is lied about snapshots, and what the joining node says of it.
const TALES: &[(&str, Lie, &str)] = &[
    ("false entries", false_entries, "is false:"),
    ("false roots", false_roots, "roots make another app hash"),
    ("false chunks", false_chunks, "has another digest than the manifest says"),
];

pub(crate) fn run(programs: &Programs, quick: bool, random: &mut Random) -> Result<Vec<String>> {
    let (mut net, accounts) = paced(programs, false, 50)?;
    for number in 0..FETCHER {
        net.configure(number, "snapshot_interval", &HEIGHT.to_string())?;
    }
    net.configure(FETCHER, "snapshot_interval", "0")?;
    let mut fakes = vec![Fake::start(HERE, other_bytes)?, Fake::start(HERE, endless)?];
    if !quick {
        fakes.push(Fake::start(HERE, slow)?);
    }
    let mut peers: Vec<&str> = fakes.iter().map(|fake| fake.url.as_str()).collect();
    peers.push(&net.nodes[0].rest);
    net.configure(FETCHER, "blob_peers", &format!("{peers:?}"))?;
    (0..net.nodes.len()).try_for_each(|number| net.start_app(number, &[]))?;
    let proxy = |number: usize| Proxy::start(&net.nodes[number].socket, nothing);
    let proxies = LIARS.iter().map(|number| proxy(*number)).collect::<Result<Vec<_>>>()?;
    for (number, proxy) in LIARS.into_iter().zip(&proxies) {
        net.nodes[number].between = Some(proxy.socket.clone());
    }
    net.start_all()?;
    net.wait_for(&net.all(), 2, PATIENCE)?;

    let mut facts = vec![blobs(&net, &accounts, &fakes)?];
    // Several chunks, or one.
    Fill { rows: if quick { 1_000 } else { 50_000 }, bytes: 1000 }.run(&net, &accounts)?;
    net.wait_for(&net.all(), HEIGHT + 1, PATIENCE)?;
    slow_down(&mut net)?;
    let taken = |net: &Net| (0..FETCHER).all(|number| net.nodes[number].logs("snapshot taken"));
    net.wait_until("snapshots", PATIENCE, taken)?;
    let load = Load::start(&net, &accounts, random);
    for (name, lie, heard) in TALES.iter().take(if quick { 1 } else { TALES.len() }) {
        proxies.iter().for_each(|proxy| proxy.tell(*lie));
        facts.push(joins(&mut net, &proxies, heard).with_context(|| (*name).to_owned())?);
        proxies.iter().for_each(|proxy| proxy.tell(nothing));
    }
    let ledger = load.finish()?;
    facts.extend(judge(&net, &accounts, &ledger)?);
    Ok(facts)
}

/// Nodes join among the liars until one has heard their tale; all of them come to the chain's state.
fn joins(net: &mut Net, proxies: &[Proxy], heard: &str) -> Result<String> {
    let told = || proxies.iter().map(Proxy::lies).sum::<u64>();
    let before = told();
    for joiner in 1..=JOINERS {
        let settings = settings(net)?;
        let name = format!("joined{}", net.nodes.len());
        let number = net.join(&name, &settings)?;
        net.start(number)?;
        net.wait_for(&[number], net.top(), PATIENCE)?;
        ensure!(net.nodes[number].logs("snapshot restored"), "it has executed the chain instead of restoring it");
        if net.nodes[number].logs(heard) {
            return Ok(format!("{} lies told, heard by node {joiner}: \"{heard}\"", told() - before));
        }
    }
    anyhow::bail!("{JOINERS} nodes have joined and none has said {heard:?}; {} lies were told", told() - before)
}

/// A node whose first peers lie has the honest one's bytes in the end, and asks no liar twice.
fn blobs(net: &Net, accounts: &Accounts, fakes: &[Fake]) -> Result<String> {
    let fetcher = net.nodes[FETCHER].client()?;
    for seed in [1, 2] {
        let id = publish(&net.nodes[0], accounts, seed)?;
        net.wait_until("a blob from the honest peer", PATIENCE, |_| {
            fetcher.get_blob(&id).is_ok_and(|bytes| bytes.is_some())
        })?;
        fetcher.wait_available(&id)?;
        if seed == 1 {
            // What is tried in vain again and again would be asked for while the next one is put.
            sleep(Duration::from_secs(1));
        }
    }
    for fake in fakes {
        ensure!(
            fake.asked.load(Ordering::Relaxed) == 1,
            "a liar was asked {} times",
            fake.asked.load(Ordering::Relaxed)
        );
    }
    ensure!(net.nodes[FETCHER].logs("is left alone for an hour"), "nobody was called a liar");
    Ok(format!("two blobs fetched past {} liars, each asked once", fakes.len()))
}

/// A manifest, as far as it has to be known to forge one.
#[derive(Clone, PartialEq, Message)]
struct Manifest {
    #[prost(uint64, tag = "1")]
    height: u64,
    #[prost(uint32, tag = "2")]
    chunk_bytes: u32,
    #[prost(string, tag = "3")]
    components: String,
    #[prost(bytes = "vec", tag = "4")]
    roots: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    digests: Vec<u8>,
}

/// A chunk with an entry of the last component there can be.
const FALSE: &[u8] = &[0, 254, 1, b'k', 1, b'v', 0, 0];

fn nothing(_: &mut Value) -> bool {
    false
}

/// Offers what `forge` makes of every manifest, under the name that it has then.
fn offer(answer: &mut Value, forge: fn(&mut Manifest)) -> bool {
    let Value::ListSnapshots(list) = answer else { return false };
    for snapshot in &mut list.snapshots {
        let Ok(mut manifest) = Manifest::decode(&snapshot.metadata[..]) else { return false };
        forge(&mut manifest);
        snapshot.metadata = manifest.encode_to_vec().into();
        snapshot.hash = Sha256::digest(&snapshot.metadata).to_vec().into();
    }
    !list.snapshots.is_empty()
}

/// The roots are not those of the app hash.
fn false_roots(answer: &mut Value) -> bool {
    offer(answer, |manifest| manifest.roots.iter_mut().take(1).for_each(|byte| *byte ^= 1))
}

/// The roots are right and the chunk is the one in the manifest, but its entries are not those under the roots.
fn false_entries(answer: &mut Value) -> bool {
    if let Value::LoadSnapshotChunk(load) = answer {
        load.chunk = FALSE.into();
        return true;
    }
    offer(answer, |manifest| {
        let first = manifest.digests.iter_mut().zip(Sha256::digest(FALSE));
        first.for_each(|(byte, forged)| *byte = forged);
    })
}

/// The manifest is right, the chunk is another one.
fn false_chunks(answer: &mut Value) -> bool {
    let Value::LoadSnapshotChunk(load) = answer else { return false };
    load.chunk = FALSE.into();
    true
}
