//! State sync: a node that restores a snapshot, and peers that lie to it.

use std::time::Duration;

use aceso_app::{App, Config, SNAPSHOT_FORMAT};
use aceso_types::query::{Asked, QueryBlob, QueryImage, QueryJournal, QueryModel, QueryReceipts};
use bytes::Bytes;
use cosmos_sdk_proto::cosmwasm::wasm::v1::{QueryCodeRequest, QueryContractInfoRequest, QueryRawContractStateRequest};
use prost::Message;
use sha2::{Digest, Sha256};
use tendermint::{
    AppHash,
    abci::{response::ApplySnapshotChunkResult as Applied, types::Snapshot},
    v0_38::abci::{request, response},
};

use crate::{
    fixture::{Members, Net, alice, bob, height, send},
    reads::{Clinic, picture},
};

/// Snapshots are made in the background; this waits for the one of a height.
#[allow(clippy::disallowed_methods, reason = "the test waits for another thread")]
fn taken_at(net: &Net, at: u64) -> Snapshot {
    for _ in 0..2_000 {
        let listed = net.app.list_snapshots().snapshots;
        if let Some(found) = listed.into_iter().find(|one| one.height == height(at)) {
            return found;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("no snapshot of height {at} was taken");
}

fn taken(net: &Net) -> Snapshot {
    taken_at(net, net.height)
}

fn chunks(app: &App, snapshot: &Snapshot) -> Vec<Bytes> {
    let load = |chunk| request::LoadSnapshotChunk { height: snapshot.height, format: snapshot.format, chunk };
    (0..snapshot.chunks).map(|index| app.load_snapshot_chunk(&load(index)).chunk).collect()
}

fn offer(app: &App, snapshot: &Snapshot, app_hash: &AppHash) -> response::OfferSnapshot {
    let request = request::OfferSnapshot { snapshot: snapshot.clone(), app_hash: app_hash.clone() };
    app.offer_snapshot(&request).unwrap()
}

fn apply(app: &App, index: u32, chunk: &Bytes) -> response::ApplySnapshotChunk {
    let request = request::ApplySnapshotChunk { index, chunk: chunk.clone(), sender: "peer".into() };
    app.apply_snapshot_chunk(&request).unwrap()
}

/// Hands all of a snapshot over.
fn join(from: &Net, to: &Net) {
    let (snapshot, trusted) = (taken(from), from.app.info().last_block_app_hash);
    assert_eq!(offer(&to.app, &snapshot, &trusted), response::OfferSnapshot::Accept);
    for (index, chunk) in (0..).zip(chunks(&from.app, &snapshot)) {
        assert_eq!(apply(&to.app, index, &chunk).result, Applied::Accept);
    }
}

/// A chain that takes a snapshot of every height, one of whose reads is done.
fn clinic() -> Clinic {
    let mut clinic = Clinic::open();
    let msgs = vec![clinic.permit(|_| {}), clinic.read()];
    assert!(clinic.run(msgs).code.is_ok());
    clinic.net.reopen(|config| config.snapshot_interval = 1);
    clinic
}

fn ask<Q: Asked>(question: Q) -> (&'static str, Vec<u8>) {
    (Q::PATH, question.encode_to_vec())
}

#[test]
fn a_node_that_joins_answers_and_goes_on_as_the_others() {
    let mut clinic = clinic();
    let mut joined = clinic.net.joining();
    join(&clinic.net, &joined);
    assert_eq!(joined.app.info(), clinic.net.app.info());
    assert_eq!(joined.app.chain(), clinic.net.app.chain());

    let raw = QueryRawContractStateRequest { address: clinic.reader.clone(), query_data: b"info".to_vec() };
    let info = QueryContractInfoRequest { address: clinic.guard.clone() };
    let questions = [
        ask(QueryModel { model: clinic.model.clone() }),
        ask(QueryImage { cid: clinic.image.to_string() }),
        ask(QueryBlob { cid: clinic.image.to_string() }),
        ask(QueryReceipts { image: clinic.image.to_string(), page: None }),
        ask(QueryJournal { image: clinic.image.to_string(), page: None }),
        ("/cosmwasm.wasm.v1.Query/Code", QueryCodeRequest { code_id: 1 }.encode_to_vec()),
        ("/cosmwasm.wasm.v1.Query/ContractInfo", info.encode_to_vec()),
        ("/cosmwasm.wasm.v1.Query/RawContractState", raw.encode_to_vec()),
    ];
    for (path, data) in questions {
        let answer = joined.raw_query(path, data.clone());
        assert!(answer.code.is_ok() && !answer.value.is_empty(), "{path}: {}", answer.log);
        assert_eq!(answer, clinic.net.raw_query(path, data), "{path}");
    }
    let proof = |net: &Net| {
        let (path, data) = ("/store/chain/key".into(), "settings".into());
        net.app.query(request::Query { data, path, height: height(net.height), prove: true })
    };
    assert!(proof(&joined).proof.is_some());
    assert_eq!(proof(&joined), proof(&clinic.net));
    let before = joined.app.query(request::Query {
        data: vec![].into(),
        path: "/cosmwasm.wasm.v1.Query/Params".into(),
        height: height(joined.height - 1),
        prove: false,
    });
    let words = format!("height {} is pruned, the oldest one kept is {}", joined.height - 1, joined.height);
    assert!(before.log.contains(&words), "{}", before.log);

    // The next read needs contracts, the model's bytes, permits and balances out of the snapshot, and the image's
    // bytes from elsewhere.
    joined.put(&picture(0));
    let msgs = vec![clinic.permit(|request| request.grant = "g2".into()), clinic.read()];
    let tx = clinic.net.draft(&[&alice()], msgs).sign();
    assert!(joined.check(tx.clone()).code.is_ok());
    let there = clinic.net.block(vec![tx.clone()]);
    let here = joined.block(vec![tx]);
    assert!(here.tx_results[0].code.is_ok(), "{}", here.tx_results[0].log);
    assert_eq!(here, there);
    joined.reopen(|_| {});
    let next = [clinic.net.block(vec![]), joined.block(vec![])];
    assert_eq!(next[0], next[1]);
    assert!(joined.app.init_chain(joined.genesis(|_| {})).is_err());
    assert!(!clinic.net.app.list_snapshots().snapshots.is_empty());
    assert_eq!(joined.app.list_snapshots(), response::ListSnapshots::default());
}

#[test]
fn a_lying_peer_is_banned_and_the_next_one_tried() {
    let clinic = clinic();
    let joined = clinic.net.joining();
    let (snapshot, trusted) = (taken(&clinic.net), clinic.net.app.info().last_block_app_hash);
    let chunks = chunks(&clinic.net.app, &snapshot);
    let no = response::OfferSnapshot::RejectSender;

    let other = AppHash::try_from(vec![1; 32]).unwrap();
    assert_eq!(offer(&joined.app, &snapshot, &other), no);
    assert_eq!(offer(&joined.app, &snapshot, &AppHash::default()), no);
    let mut lies = vec![snapshot.clone(); 5];
    lies[0].hash = vec![0; 32].into();
    lies[1].chunks += 1;
    lies[2].height = height(1);
    lies[3].metadata = snapshot.metadata.slice(1..);
    lies[4].metadata = Bytes::new();
    for lie in &lies {
        assert_eq!(offer(&joined.app, lie, &trusted), no);
    }
    let format = Snapshot { format: SNAPSHOT_FORMAT + 1, ..snapshot.clone() };
    assert_eq!(offer(&joined.app, &format, &trusted), response::OfferSnapshot::RejectFormat);
    assert_eq!(apply(&joined.app, 0, &chunks[0]).result, Applied::Abort);

    // A snapshot that is consistent in itself, and false: one byte of a value, and the digest that goes with it.
    let mut altered = chunks[0].to_vec();
    altered[60] ^= 1;
    let digest = |chunk: &[u8]| <[u8; 32]>::from(Sha256::digest(chunk));
    let place = snapshot.metadata.windows(32).position(|bytes| bytes == digest(&chunks[0])).unwrap();
    let mut metadata = snapshot.metadata.to_vec();
    metadata[place..place + 32].copy_from_slice(&digest(&altered));
    let hash = Sha256::digest(&metadata).to_vec().into();
    let forged = Snapshot { metadata: metadata.into(), hash, ..snapshot.clone() };
    assert_eq!(offer(&joined.app, &forged, &trusted), response::OfferSnapshot::Accept);
    let refused = apply(&joined.app, 0, &altered.clone().into());
    assert_eq!((refused.result, refused.reject_senders), (Applied::RejectSnapshot, vec!["peer".to_owned()]));
    assert_eq!(apply(&joined.app, 0, &chunks[0]).result, Applied::Abort);
    assert_eq!(joined.app.info().last_block_height, height(0));

    // The honest one, with a chunk that its sender altered.
    assert_eq!(offer(&joined.app, &snapshot, &trusted), response::OfferSnapshot::Accept);
    let refused = apply(&joined.app, 0, &altered.into());
    assert_eq!((refused.result, refused.refetch_chunks), (Applied::Retry, vec![0]));
    assert_eq!(refused.reject_senders, ["peer"]);
    for (index, chunk) in (0..).zip(&chunks) {
        assert_eq!(apply(&joined.app, index, chunk).result, Applied::Accept);
    }
    assert_eq!(joined.app.info(), clinic.net.app.info());
    // CometBFT may have died before it noted that: it begins again.
    join(&clinic.net, &joined);
    // The chain itself restores nothing over its own blocks.
    assert_eq!(offer(&clinic.net.app, &snapshot, &trusted), response::OfferSnapshot::Abort);
}

#[test]
fn a_genesis_puts_an_end_to_a_restoration() {
    let clinic = clinic();
    let mut joined = clinic.net.joining();
    let (snapshot, trusted) = (taken(&clinic.net), clinic.net.app.info().last_block_app_hash);
    assert_eq!(offer(&joined.app, &snapshot, &trusted), response::OfferSnapshot::Accept);
    joined.app.init_chain(joined.genesis(|_| {})).unwrap();
    assert_eq!(apply(&joined.app, 0, &chunks(&clinic.net.app, &snapshot)[0]).result, Applied::Abort);
    joined.height = 0;
    joined.block(vec![]);
    assert_eq!(joined.app.info().last_block_height, height(1));
}

#[test]
fn the_last_two_snapshots_are_offered_also_after_a_restart() {
    let mut net = Net::start();
    net.reopen(|config| config.snapshot_interval = 2);
    while net.height < 6 {
        net.ok(&alice(), vec![send(&alice(), &bob().address(), 1)]);
        if net.height.is_multiple_of(2) {
            taken(&net);
        }
    }
    let heights = |net: &Net| {
        let listed = net.app.list_snapshots().snapshots;
        listed.iter().map(|one| one.height.value()).collect::<Vec<_>>()
    };
    assert_eq!(heights(&net), [4, 6]);
    let offered = net.app.list_snapshots();
    let older = chunks(&net.app, &offered.snapshots[0]);
    let folder = net.dir.path().join("snapshots");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3);
    std::fs::write(folder.join("00000000000000000005.snapshot"), b"damaged").unwrap();
    std::fs::write(folder.join("00000000000000000008.draft"), b"cut off").unwrap();
    net.reopen(|config| config.snapshot_interval = 2);
    assert_eq!(net.app.list_snapshots(), offered);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3);
    net.block(vec![]);
    assert_eq!(chunks(&net.app, &offered.snapshots[0]), older);

    let load = |height: u64, format, chunk| {
        let request = request::LoadSnapshotChunk { height: self::height(height), format, chunk };
        net.app.load_snapshot_chunk(&request).chunk
    };
    assert!(load(5, 1, 0).is_empty() && load(6, 2, 0).is_empty() && load(6, 1, u32::MAX).is_empty());
    // One that is offered no more is served on: somebody may be in the middle of it.
    assert!(!load(6, 1, 0).is_empty() && !load(2, 1, 0).is_empty());
    // What has left the window is neither.
    net.reopen(|config| (config.keep_heights, config.snapshot_interval) = (4, 2));
    // One is made at a time: a height that comes while another is made waits for the next block.
    while net.height < 11 {
        net.block(vec![]);
        if net.height.is_multiple_of(2) {
            taken(&net);
        }
    }
    assert!(heights(&net).iter().all(|height| *height >= net.height - 4), "{:?}", heights(&net));
    let request = request::LoadSnapshotChunk { height: height(4), format: 1, chunk: 0 };
    assert!(net.app.load_snapshot_chunk(&request).chunk.is_empty());
}

#[test]
fn a_window_that_is_too_short_is_refused() {
    let net = Net::start();
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path(), net.blobs.clone(), &Members);
    (config.keep_heights, config.snapshot_interval) = (1999, 1000);
    let words = "snapshots every 1000 heights are offered for 2000 heights, and only 1999 are kept; \
                 raise keep_heights to 2000, or lower snapshot_interval to 999 (0 takes none)";
    assert_eq!(App::open(config.clone()).err().unwrap().to_string(), words);
    // Either of the two is enough.
    for (keep, interval) in [(2000, 1000), (1999, 999), (1, 0)] {
        (config.keep_heights, config.snapshot_interval) = (keep, interval);
        assert!(App::open(config.clone()).is_ok());
    }
}
