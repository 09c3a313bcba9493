//! The blocks of `aceso dev`, replayed through the socket of `aceso start`: the same hashes at every height.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests wait and look at the clock")]

mod common;

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use aceso_types::{
    msg::{MsgRegisterBlob, Named},
    query::{Asked, BlobRow, BlobStatus, QueryBlob},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use common::{Node, Wallet, aceso, alice};
use prost::Message;
use serde_json::{Value, json};
use tendermint::{
    abci::{response::FinalizeBlock, types::ExecTxResult},
    validator,
};
use tendermint_proto::v0_38::abci as pb;
use tendermint_rpc::endpoint;

/// CometBFT's framing: a length as varint, then the message; a flush makes the server answer.
fn ask(stream: &mut UnixStream, request: pb::request::Value) -> pb::response::Value {
    for value in [request, pb::request::Value::Flush(pb::RequestFlush {})] {
        stream.write_all(&pb::Request { value: Some(value) }.encode_length_delimited_to_vec()).unwrap();
    }
    let answer = receive(stream);
    assert!(matches!(receive(stream), pb::response::Value::Flush(_)));
    answer
}

fn receive(stream: &mut UnixStream) -> pb::response::Value {
    let (mut length, mut byte) = (0usize, [0x80]);
    for shift in (0..).step_by(7) {
        stream.read_exact(&mut byte).unwrap();
        length |= usize::from(byte[0] & 0x7f) << shift;
        if byte[0] < 0x80 {
            break;
        }
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    pb::Response::decode(bytes.as_slice()).unwrap().value.unwrap()
}

fn get<T: serde::de::DeserializeOwned>(node: &Node, method: &str, height: u64) -> T {
    let params = if height == 0 { json!({}) } else { json!({"height": height.to_string()}) };
    serde_json::from_value(node.call(method, params).unwrap()).unwrap()
}

fn init_chain(home: &Path) -> pb::RequestInitChain {
    let text = std::fs::read(home.join("config/genesis.json")).unwrap();
    let genesis: tendermint::Genesis = serde_json::from_slice(&text).unwrap();
    let validators =
        genesis.validators.iter().map(|info| validator::Update { pub_key: info.pub_key, power: info.power });
    pb::RequestInitChain {
        time: Some(genesis.genesis_time.into()),
        chain_id: genesis.chain_id.to_string(),
        consensus_params: Some(genesis.consensus_params.into()),
        validators: validators.map(Into::into).collect(),
        app_state_bytes: serde_json::to_vec(&genesis.app_state).unwrap().into(),
        initial_height: 1,
    }
}

fn finalize(node: &Node, height: u64) -> pb::RequestFinalizeBlock {
    let block: endpoint::block::v0_38::DialectResponse = get(node, "block", height);
    let header = block.block.header;
    let votes = match block.block.last_commit {
        None => Vec::new(),
        Some(commit) => {
            assert_eq!(commit.signatures.len(), 1);
            let signers: endpoint::validators::Response = get(node, "validators", height - 1);
            let signer = &signers.validators[0];
            let validator =
                pb::Validator { address: signer.address.as_bytes().to_vec().into(), power: signer.power.into() };
            vec![pb::VoteInfo { validator: Some(validator), block_id_flag: 2 }]
        }
    };
    pb::RequestFinalizeBlock {
        txs: block.block.data.into_iter().map(Into::into).collect(),
        decided_last_commit: Some(pb::CommitInfo { round: 0, votes }),
        misbehavior: Vec::new(),
        hash: block.block_id.hash.into(),
        height: header.height.into(),
        time: Some(header.time.into()),
        next_validators_hash: header.next_validators_hash.into(),
        proposer_address: header.proposer_address.into(),
    }
}

/// What goes into `last_results_hash`, by the rules of CometBFT and not by ours.
fn results_hash(results: &[ExecTxResult]) -> tendermint::Hash {
    let leaves: Vec<_> = results
        .iter()
        .map(|result| {
            let kept = ExecTxResult {
                log: String::new(),
                info: String::new(),
                events: Vec::new(),
                codespace: String::new(),
                ..result.clone()
            };
            pb::ExecTxResult::from(kept).encode_to_vec()
        })
        .collect();
    tendermint::Hash::Sha256(tendermint::merkle::simple_hash_from_byte_vectors::<sha2::Sha256>(&leaves))
}

/// Uploads and registers a blob and waits until the validator's votes have made it available.
fn attest_a_blob(node: &Node, wallet: &Wallet) {
    let mut uploaded = ureq::post(format!("{}/aceso/blobs/v1", node.rest)).send(&b"a public image"[..]).unwrap();
    let uploaded: Value = serde_json::from_str(&uploaded.body_mut().read_to_string().unwrap()).unwrap();
    let cid = uploaded["cid"].as_str().unwrap().to_owned();
    let message = MsgRegisterBlob { owner: wallet.address.clone(), cid: cid.clone(), size: 14, term: 1000 };
    let account = wallet.account(node).unwrap();
    let chain_id = node.told["chain_id"].as_str().unwrap();
    let tx = wallet.sign(chain_id, account.account_number, account.sequence, MsgRegisterBlob::TYPE_URL, &message);
    let answer = node.call("broadcast_tx_commit", json!({"tx": STANDARD.encode(&tx)})).unwrap();
    assert_eq!(answer["tx_result"]["code"], 0, "{answer}");
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        let row: BlobRow = node.query(QueryBlob::PATH, &QueryBlob { cid: cid.clone() }).unwrap();
        if row.status == i32::from(BlobStatus::Available) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "the blob is not available: {row:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut fetched = ureq::get(format!("{}/ipfs/{cid}", node.rest)).call().unwrap();
    assert_eq!(fetched.body_mut().read_to_vec().unwrap(), b"a public image");
}

#[test]
fn a_dev_chain_replayed_through_the_socket() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("dev");
    let fund = alice(&home);
    let wallet = Wallet::open(&home.join("keys/alice.mnemonic"));
    let node = Node::start(&home, &["--fund", &fund]);
    let chain_id = node.told["chain_id"].as_str().unwrap();
    for n in 0..6 {
        let account = wallet.account(&node).unwrap();
        let tx = wallet.send(chain_id, account.account_number, account.sequence);
        let answer = node.call("broadcast_tx_commit", json!({"tx": STANDARD.encode(&tx)})).unwrap();
        assert_eq!(answer["tx_result"]["code"], 0, "{n}: {answer}");
    }
    attest_a_blob(&node, &wallet);
    let stolen = wallet.send("another-chain", 0, 0);
    let refused = node.call("broadcast_tx_sync", json!({"tx": STANDARD.encode(&stolen)})).unwrap();
    assert_ne!(refused["code"], 0);

    let replica = directory.path().join("replica");
    let socket = directory.path().join("abci.sock");
    let address = format!("unix://{}", socket.display());
    let mut child =
        aceso(&["start", "--home", replica.to_str().unwrap(), "--abci", &address, "--json"]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["height"], "0");
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    let mut stream = loop {
        match UnixStream::connect(&socket) {
            Ok(stream) => break stream,
            Err(e) => assert!(std::time::Instant::now() < deadline, "{e}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    };

    ask(&mut stream, pb::request::Value::InitChain(init_chain(&home)));
    let status: endpoint::status::Response = get(&node, "status", 0);
    let last = status.sync_info.latest_block_height.value();
    for height in 1..last {
        let done = ask(&mut stream, pb::request::Value::FinalizeBlock(finalize(&node, height)));
        let pb::response::Value::FinalizeBlock(done) = done else { panic!("{done:?}") };
        let done = FinalizeBlock::try_from(done).unwrap();
        let next: endpoint::block::v0_38::DialectResponse = get(&node, "block", height + 1);
        assert_eq!(next.block.header.app_hash, done.app_hash, "height {height}");
        assert_eq!(next.block.header.last_results_hash, Some(results_hash(&done.tx_results)), "height {height}");
        ask(&mut stream, pb::request::Value::Commit(pb::RequestCommit {}));
    }
    let killed = std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(killed.success());
    assert!(child.wait().unwrap().success());
    assert_eq!(node.stop(), 0);
}
