//! Every method over a real socket, read back with the types that stock Rust clients decode with.

use std::{
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};
use tendermint_rpc::endpoint;
use tokio::sync::watch;
use tungstenite::{Message, WebSocket, stream::MaybeTlsStream};

use super::{http, methods::METHODS};
use crate::{
    engine::header::tx_hash,
    net,
    testing::{Counter, Rig},
};

/// A chain that runs by itself, with its RPC on a free port.
struct Server {
    rig: Rig,
    address: SocketAddr,
    _home: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
    _stop: watch::Sender<bool>,
}

impl Server {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut rig = Rig::start(home.path(), Counter::default()).unwrap();
        rig.run();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (stop, stopped) = watch::channel(false);
        let (listener, address) = runtime.block_on(net::bind("--rpc", "127.0.0.1:0")).unwrap();
        runtime.spawn(net::serve(listener, http::router(rig.node.clone()), stopped));
        Self { rig, address, _home: home, _runtime: runtime, _stop: stop }
    }

    fn post(&self, body: &str) -> (u16, Value) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut response = agent.post(format!("http://{}/", self.address)).send(body).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        (response.status().as_u16(), serde_json::from_str(&text).unwrap_or_default())
    }

    fn get(&self, path: &str) -> (u16, Value) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut response = agent.get(format!("http://{}{path}", self.address)).call().unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        (response.status().as_u16(), serde_json::from_str(&text).unwrap_or_default())
    }

    fn call(&self, method: &str, params: Value) -> Result<Value, Value> {
        let request = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let (status, mut answer) = self.post(&request.to_string());
        assert_eq!((status, &answer["id"]), (200, &json!(7)));
        match answer["error"].take() {
            Value::Null => Ok(answer["result"].take()),
            error => Err(error),
        }
    }

    fn ok<T: serde::de::DeserializeOwned>(&self, method: &str, params: Value) -> (T, Value) {
        let value = self.call(method, params).unwrap();
        (serde_json::from_value(value.clone()).unwrap_or_else(|e| panic!("{method}: {e}: {value}")), value)
    }

    fn commit(&self, tx: &str) -> u64 {
        let (answer, _): (endpoint::broadcast::tx_commit::Response, _) =
            self.ok("broadcast_tx_commit", json!({"tx": super::json::base64(tx.as_bytes())}));
        assert!(answer.tx_result.code.is_ok());
        answer.height.value()
    }

    fn websocket(&self) -> WebSocket<MaybeTlsStream<TcpStream>> {
        let (socket, _) = tungstenite::connect(format!("ws://{}/websocket", self.address)).unwrap();
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        }
        socket
    }
}

fn hash(tx: &str) -> String {
    hex::encode_upper(tx_hash(tx.as_bytes()))
}

fn say(socket: &mut WebSocket<MaybeTlsStream<TcpStream>>, id: &str, method: &str, params: Value) {
    let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    socket.send(Message::text(request.to_string())).unwrap();
}

fn hear(socket: &mut WebSocket<MaybeTlsStream<TcpStream>>) -> Value {
    loop {
        if let Message::Text(text) = socket.read().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

/// The next answer to this request; what subscriptions bring in between is passed over.
fn hear_of(socket: &mut WebSocket<MaybeTlsStream<TcpStream>>, id: &str) -> Value {
    loop {
        let heard = hear(socket);
        if heard["id"] == id {
            return heard;
        }
    }
}

#[test]
fn stock_types_decode_every_answer() {
    let server = Server::start();
    let height = server.commit("a=1");
    let at = json!({"height": height.to_string()});

    let (status, raw): (endpoint::status::Response, _) = server.ok("status", json!({}));
    assert!(status.node_info.version.to_string().starts_with("0.38."));
    assert_eq!(status.validator_info.power(), 10);
    assert_eq!(raw["validator_info"]["pub_key"]["type"], "tendermint/PubKeyEd25519");
    assert!(raw["node_info"]["other"].as_object().unwrap().values().all(Value::is_string));

    let (block, raw): (endpoint::block::v0_38::DialectResponse, _) = server.ok("block", at.clone());
    assert_eq!(block.block.data, [b"a=1"]);
    assert_eq!(block.block.header.hash(), block.block_id.hash);
    for name in ["data_hash", "app_hash", "last_results_hash", "evidence_hash", "last_commit_hash"] {
        assert_eq!(raw["block"]["header"][name].as_str().unwrap().len(), 64, "{name}");
    }
    let by_hash = json!({"hash": super::json::base64(block.block_id.hash.as_bytes())});
    assert_eq!(server.call("block_by_hash", by_hash.clone()).unwrap(), raw);
    assert_eq!(server.call("header_by_hash", by_hash).unwrap(), server.call("header", at.clone()).unwrap());
    assert_eq!(server.call("block_by_hash", json!({"hash": "AA=="})).unwrap()["block"], Value::Null);
    let (first, _): (endpoint::block::v0_38::DialectResponse, _) = server.ok("block", json!({"height": "1"}));
    assert!(first.block.last_commit.is_none() && first.block.header.last_block_id.is_none());

    let (results, raw): (endpoint::block_results::Response, _) = server.ok("block_results", at.clone());
    assert_eq!(results.txs_results.unwrap().len(), 1);
    assert_eq!(results.finalize_block_events.len(), 1);
    assert_eq!(raw["txs_results"][0]["events"][0]["attributes"][0], json!({"key": "key", "value": "a", "index": true}));

    let mut empty = server.rig.node.store.results(1).unwrap().unwrap();
    empty.events.clear();
    let raw = super::json::block_results(1, &empty);
    assert_eq!((&raw["finalize_block_events"], &raw["txs_results"]), (&Value::Null, &Value::Null));
    serde_json::from_value::<endpoint::block_results::Response>(raw).unwrap();

    let (commit, _): (endpoint::commit::Response, _) = server.ok("commit", at.clone());
    assert_eq!(commit.signed_header.commit.block_id, block.block_id);
    let (validators, _): (endpoint::validators::Response, _) = server.ok("validators", at.clone());
    assert_eq!(validators.validators.len(), 1);
    let (params, _): (endpoint::consensus_params::Response, _) = server.ok("consensus_params", at);
    assert_eq!(params.consensus_params.abci.vote_extensions_enable_height.unwrap().value(), 1);

    let (chain, _): (endpoint::blockchain::Response, _) =
        server.ok("blockchain", json!({"minHeight": "1", "maxHeight": "2"}));
    assert_eq!(chain.block_metas.iter().map(|meta| meta.header.height.value()).collect::<Vec<_>>(), [2, 1]);
    let (info, _): (endpoint::abci_info::Response, _) = server.ok("abci_info", json!({}));
    assert_eq!(info.response.app_version, 1);
    let query = json!({"path": "/pair", "data": "61", "prove": false});
    let (pair, raw): (endpoint::abci_query::Response, _) = server.ok("abci_query", query);
    assert_eq!(pair.response.value, b"1");
    assert_ne!(raw["response"]["height"], "0");
    let (_, _): (endpoint::net_info::Response, _) = server.ok("net_info", json!({}));
    assert_eq!(server.call("genesis", json!({})).unwrap()["genesis"]["chain_id"], "test-1");
    let (chunk, _): (endpoint::genesis_chunked::Response, _) = server.ok("genesis_chunked", json!({"chunk": "0"}));
    assert_eq!((chunk.chunk, chunk.total), (0, 1));
    let (state, _): (endpoint::consensus_state::Response, _) = server.ok("consensus_state", json!({}));
    assert_eq!(state.round_state.height_vote_set.len(), 1);
    assert_eq!(state.round_state.proposer.address, status.validator_info.address);
    let dump = server.call("dump_consensus_state", json!({})).unwrap();
    assert_eq!((&dump["round_state"]["locked_round"], &dump["peers"]), (&json!(-1), &json!([])));
    assert_eq!(dump["round_state"]["validators"]["validators"][0]["voting_power"], "10");
    assert_eq!(server.call("health", json!({})).unwrap(), json!({}));
    assert_eq!(server.call("num_unconfirmed_txs", json!({})).unwrap()["n_txs"], "0");
    assert_eq!(server.call("unconfirmed_txs", json!({})).unwrap()["txs"], json!([]));
}

#[test]
fn transactions_are_found() {
    let server = Server::start();
    let heights: Vec<_> = ["a=1", "b=1", "c=2"].iter().map(|tx| server.commit(tx)).collect();
    let by_hash = json!({"hash": super::json::base64(&tx_hash(b"b=1")), "prove": true});
    let (tx, raw): (endpoint::tx::Response, _) = server.ok("tx", by_hash);
    assert_eq!((tx.height.value(), tx.index, tx.tx.as_slice()), (heights[1], 0, b"b=1".as_slice()));
    let block: Value = server.call("block", json!({"height": heights[1].to_string()})).unwrap();
    assert_eq!(raw["proof"]["root_hash"], block["block"]["header"]["data_hash"]);
    assert_eq!(raw["proof"]["proof"]["total"], "1");

    let search = |query: &str, more: Value| {
        let mut params = json!({"query": query});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (_, raw): (endpoint::tx_search::Response, _) = server.ok("tx_search", params);
        let hashes: Vec<_> =
            raw["txs"].as_array().unwrap().iter().map(|tx| tx["hash"].as_str().unwrap().to_owned()).collect();
        (hashes, raw["total_count"].as_str().unwrap().to_owned())
    };
    let found = |txs: &[&str]| (txs.iter().map(|tx| hash(tx)).collect::<Vec<_>>(), txs.len().to_string());
    assert_eq!(search(&format!("tx.hash='{}'", hash("a=1")), json!({})), found(&["a=1"]));
    assert_eq!(search("pair.value='1'", json!({})), found(&["a=1", "b=1"]));
    assert_eq!(search("pair.value='1' AND pair.key='b'", json!({"page": "1"})), found(&["b=1"]));
    assert_eq!(search("pair.value > 1", json!({})), found(&["c=2"]));
    assert_eq!(search(&format!("tx.height={}", heights[2]), json!({})), found(&["c=2"]));
    assert_eq!(search(&format!("tx.height<{}", heights[2]), json!({"order_by": "desc"})), found(&["b=1", "a=1"]));
    assert_eq!(search(&format!("tx.height>{} AND pair.value='1'", heights[0]), json!({})), found(&["b=1"]));
    assert_eq!(search("pair.key='z'", json!({})), found(&[]));
    let two = search("tx.height>0", json!({"per_page": "2", "page": "2"}));
    assert_eq!(two, (vec![hash("c=2")], "3".into()));

    let (blocks, _): (endpoint::block_search::v0_38::DialectResponse, _) =
        server.ok("block_search", json!({"query": format!("app_block.height={}", heights[1])}));
    assert_eq!(blocks.total_count, 1);
    let (blocks, _): (endpoint::block_search::v0_38::DialectResponse, _) =
        server.ok("block_search", json!({"query": "block.height<=2", "page": "1"}));
    assert_eq!(blocks.total_count, 2);
    let heights = |more: Value| {
        let mut params = json!({"query": "block.height<=2"});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (blocks, _): (endpoint::block_search::v0_38::DialectResponse, _) = server.ok("block_search", params);
        blocks.blocks.iter().map(|found| found.block.header.height.value()).collect::<Vec<_>>()
    };
    // The newest first, unless asked otherwise; transactions are found the other way round.
    assert_eq!(heights(json!({})), [2, 1]);
    assert_eq!(heights(json!({"order_by": ""})), [2, 1]);
    assert_eq!(heights(json!({"order_by": "asc"})), [1, 2]);
    server.commit("d=7uaceso");
    assert_eq!(search("pair.value > 2", json!({})), found(&[]));
    assert_eq!(search("pair.value = '7uaceso'", json!({})), found(&["d=7uaceso"]));
}

#[test]
fn a_transaction_is_refused_with_its_reason() {
    let server = Server::start();
    let send = |method: &str, tx: &str| server.call(method, json!({"tx": super::json::base64(tx.as_bytes())}));
    let refused = send("broadcast_tx_sync", "bad").unwrap();
    assert_eq!(
        (&refused["code"], &refused["codespace"], &refused["log"]),
        (&json!(2), &json!("sdk"), &json!("tx parse error"))
    );
    assert_eq!(refused["hash"], hash("bad"));
    let refused = send("broadcast_tx_commit", "bad").unwrap();
    assert_eq!((&refused["check_tx"]["code"], &refused["height"]), (&json!(2), &json!("0")));
    assert_eq!(send("check_tx", "bad").unwrap()["code"], 2);
    assert_eq!(send("broadcast_tx_sync", "x=1").unwrap()["code"], 0);
    assert_eq!(send("broadcast_tx_sync", "x=1").unwrap_err()["data"], "tx already exists in cache");
    assert_eq!(send("broadcast_tx_async", "x=1").unwrap()["hash"], hash("x=1"));
    let long = send("broadcast_tx_sync", &"=".repeat(1 << 17)).unwrap_err();
    assert!(long["data"].as_str().unwrap().starts_with("tx too large"), "{long}");
}

#[test]
fn each_wrong_request_has_its_error() {
    let server = Server::start();
    let code = |method: &str, params: Value| server.call(method, params).unwrap_err()["code"].as_i64().unwrap();
    assert_eq!(code("nothing", json!({})), -32601);
    assert_eq!(code("subscribe", json!({"query": "tm.event='Tx'"})), -32601);
    assert_eq!(code("block", json!({"height": "x"})), -32602);
    assert_eq!(code("block", json!([1, 2, 3])), -32602);
    assert_eq!(code("broadcast_evidence", json!({"evidence": {}})), -32603);
    // No transaction is an empty one, which the application looks at.
    let empty = server.call("broadcast_tx_sync", json!({})).unwrap();
    assert_eq!(empty, server.call("broadcast_tx_sync", json!({"tx": ""})).unwrap());
    assert_eq!((&empty["code"], &empty["hash"]), (&json!(2), &json!(hash(""))));
    let data = |method: &str, params: Value| {
        let error = server.call(method, params).unwrap_err();
        assert_eq!((&error["code"], &error["message"]), (&json!(-32603), &json!("Internal error")));
        error["data"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        data("tx", json!({"hash": super::json::base64(&[0xab; 32])})),
        format!("tx ({}) not found", "AB".repeat(32))
    );
    assert_eq!(data("block", json!({"height": "0"})), "height must be greater than 0, but got 0");
    assert!(data("block", json!({"height": "99"})).starts_with("height 99 must be less than or equal to the current"));
    assert!(data("tx_search", json!({"query": "a.b="})).contains("expected text in single quotes"));
    assert_eq!(
        data("tx_search", json!({"query": "tx.height>0", "page": "9"})),
        "page should be within [1, 1] range, given 9"
    );
    assert!(data("tx_search", json!({"query": "tx.height>0", "order_by": "up"})).starts_with("expected order_by"));
    assert_eq!(data("genesis_chunked", json!({"chunk": "5"})), "there are 0 chunks, 5 is invalid");
    assert_eq!(
        data("blockchain", json!({"minHeight": "2", "maxHeight": "1"})),
        "min height 2 can't be greater than max height 1"
    );

    for body in ["{", "7", "\"x\"", "{}", r#"{"id": {}, "method": "health"}"#, &"[".repeat(1000)] {
        let (status, answer) = server.post(body);
        assert_eq!((status, &answer["error"]["code"]), (500, &json!(-32700)), "{body}");
    }
    let health = r#"{"jsonrpc":"2.0","id":1,"method":"health"}"#;
    let (_, answers) = server.post(&format!("[{health},{health}]"));
    assert_eq!(answers.as_array().unwrap().len(), 2);
    let (status, answer) = server.post(&format!("[{}]", [health; 11].join(",")));
    assert_eq!((status, &answer["error"]["code"]), (200, &json!(-32600)));
    let (status, _) = server.post(r#"{"jsonrpc":"2.0","method":"health"}"#);
    assert_eq!(status, 200);
    let (status, _) = server.post(&"x".repeat((6 << 20) + 1));
    assert_eq!(status, 400);
}

/// Bodies with bytes changed, cut out or put in, and any JSON as parameters: an answer each time, and the next caller
/// is served as before.
#[test]
fn spoiled_bodies_are_answered() {
    let server = Server::start();
    server.commit("a=1");
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(10)))
        .build()
        .into();
    let request = |method: &str, params: Value| json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let tx = super::json::base64(b"b=2");
    let specimens: Vec<String> = [
        request("block", json!({"height": "1"})),
        request("broadcast_tx_sync", json!({"tx": tx})),
        request("broadcast_tx_commit", json!({"tx": tx})),
        request("tx", json!({"hash": super::json::base64(&tx_hash(b"a=1")), "prove": true})),
        request("tx_search", json!({"query": "pair.key='a' AND tx.height>0", "page": "1", "per_page": "30"})),
        request("block_search", json!({"query": "block.height<=2 OR app_block.height EXISTS", "order_by": "desc"})),
        request("abci_query", json!({"path": "/pair", "data": "61", "height": "0", "prove": false})),
        request("blockchain", json!({"minHeight": "1", "maxHeight": "2"})),
        request("validators", json!(["1", "1", "30"])),
        request("genesis_chunked", json!({"chunk": "0"})),
        json!([request("health", json!({})), request("status", json!([]))]),
    ]
    .iter()
    .map(Value::to_string)
    .collect();
    let answered = |body: &[u8]| {
        let mut answer = agent.post(format!("http://{}/", server.address)).send(body).map_err(|e| e.to_string())?;
        let text = answer.body_mut().read_to_string().map_err(|e| e.to_string())?;
        match (answer.status().as_u16(), serde_json::from_str::<Value>(&text)) {
            (200 | 500, Ok(_)) => Ok(()),
            (200, Err(_)) if text.is_empty() => Ok(()),
            (status, _) => Err(format!("status {status}: {text}")),
        }
    };
    let config = || ProptestConfig {
        cases: 400,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(17),
        ..ProptestConfig::default()
    };
    let edit = (any::<prop::sample::Index>(), 0_usize..5, prop::collection::vec(any::<u8>(), 0..5));
    let spoiled = (0..specimens.len(), prop::collection::vec(edit, 1..4));
    let outcome = TestRunner::new(config()).run(&spoiled, |(which, edits)| {
        let mut body = specimens[which].clone().into_bytes();
        for (at, cut, put) in edits {
            let at = at.index(body.len() + 1);
            let end = (at + cut).min(body.len());
            body.splice(at..end, put);
        }
        answered(&body).map_err(TestCaseError::fail)
    });
    outcome.unwrap();

    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(|number| Value::from(number.to_string())),
        "[ -~]{0,20}".prop_map(Value::from),
    ];
    let any_json = leaf.prop_recursive(3, 12, 4, |inner| {
        let names = prop::sample::select(vec!["height", "tx", "hash", "query", "page", "path", "data", "prove", "x"]);
        let fields = prop::collection::btree_map(names.prop_map(String::from), inner.clone(), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            fields.prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    let methods: Vec<&str> = METHODS.iter().map(|(method, _)| *method).collect();
    let outcome = TestRunner::new(config()).run(&(prop::sample::select(methods), any_json), |(method, params)| {
        answered(request(method, params).to_string().as_bytes()).map_err(TestCaseError::fail)
    });
    outcome.unwrap();
    assert_eq!(server.call("health", json!({})).unwrap(), json!({}));
    assert!(server.commit("c=3") > 1);
}

#[test]
fn the_same_by_uri() {
    let server = Server::start();
    server.commit("a=1");
    assert_eq!(server.get("/health").1["result"], json!({}));
    assert_eq!(server.get("/health").1["id"], -1);
    assert_eq!(server.get("/block?height=1").1["result"], server.call("block", json!({"height": "1"})).unwrap());
    let path = format!("/tx?hash=0x{}&prove=true", hash("a=1"));
    assert_eq!(server.get(&path).1["result"]["hash"], hash("a=1"));
    let (_, found) = server.get("/tx_search?query=%22pair.key=%27a%27%22");
    assert_eq!(found["result"]["total_count"], "1");
    let (_, pair) = server.get("/abci_query?path=%22/pair%22&data=%22a%22");
    assert_eq!(pair["result"]["response"]["value"], "MQ==");
    assert_eq!(server.get("/broadcast_tx_sync?tx=%22b=2%22").1["result"]["code"], 0);
    assert_eq!(server.get("/block?height=99").0, 500);
    assert_eq!(server.get("/nothing").0, 404);
    assert_eq!(server.get("/").0, 200);
    for (method, _) in METHODS {
        let (status, answer) = server.get(&format!("/{method}"));
        assert!(status == 200 || answer["error"]["code"].is_i64(), "{method}: {answer}");
    }
}

#[test]
fn browsers_may_ask() {
    let server = Server::start();
    let mut stream = TcpStream::connect(server.address).unwrap();
    std::io::Write::write_all(
        &mut stream,
        b"OPTIONS / HTTP/1.1\r\nhost: x\r\norigin: http://page\r\naccess-control-request-method: POST\r\nconnection: close\r\n\r\n",
    )
    .unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut stream, &mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 204"), "{text}");
    assert!(text.contains("access-control-allow-origin: *"), "{text}");
}

#[test]
fn subscriptions_bring_what_was_asked_for() {
    let server = Server::start();
    let mut socket = server.websocket();
    say(&mut socket, "blocks", "subscribe", json!({"query": "tm.event='NewBlock'"}));
    assert_eq!(hear(&mut socket), json!({"jsonrpc": "2.0", "id": "blocks", "result": {}}));
    let asked = format!("tm.event='Tx' AND tx.hash='{}'", hash("a=1"));
    say(&mut socket, "txs", "subscribe", json!({"query": asked}));
    assert_eq!(hear_of(&mut socket, "txs")["result"], json!({}));
    say(&mut socket, "again", "subscribe", json!({"query": asked}));
    assert_eq!(hear_of(&mut socket, "again")["error"]["data"], "already subscribed");
    let spaced = asked.replace('=', " =  ");
    say(&mut socket, "spaced", "subscribe", json!({"query": spaced}));
    assert_eq!(hear_of(&mut socket, "spaced")["error"]["data"], "already subscribed");
    say(&mut socket, "wrong", "subscribe", json!({"query": "tm.event="}));
    assert_eq!(hear_of(&mut socket, "wrong")["error"]["code"], -32603);
    say(&mut socket, "status", "status", json!({}));
    let status = loop {
        let heard = hear(&mut socket);
        if heard["id"] == "status" {
            break heard;
        }
    };
    assert_eq!(status["result"]["node_info"]["network"], "test-1");

    say(&mut socket, "send", "broadcast_tx_sync", json!({"tx": super::json::base64(b"a=1")}));
    let (mut block, mut tx) = (Value::Null, Value::Null);
    while block.is_null() || tx.is_null() {
        let heard = hear(&mut socket);
        match heard["id"].as_str().unwrap() {
            "blocks" if heard["result"]["data"]["value"]["block"]["data"]["txs"] != json!([]) => block = heard,
            "txs" => tx = heard,
            _ => {}
        }
    }
    let event: tendermint_rpc::event::v0_38::DeEvent = serde_json::from_value(block["result"].clone()).unwrap();
    assert_eq!(event.query, "tm.event='NewBlock'");
    assert_eq!(tx["result"]["data"]["type"], "tendermint/event/Tx");
    assert_eq!(tx["result"]["data"]["value"]["TxResult"]["tx"], super::json::base64(b"a=1"));
    assert_eq!(tx["result"]["events"]["tx.hash"], json!([hash("a=1")]));
    assert_eq!(tx["result"]["events"]["pair.key"], json!(["a"]));

    say(&mut socket, "stop", "unsubscribe", json!({"query": spaced}));
    let stopped = loop {
        let heard = hear(&mut socket);
        if heard["id"] == "stop" {
            break heard;
        }
    };
    assert_eq!(stopped["result"], json!({}));
    say(&mut socket, "stop", "unsubscribe_all", json!({}));
    say(&mut socket, "none", "unsubscribe_all", json!({}));
    loop {
        let heard = hear(&mut socket);
        if heard["id"] == "none" {
            assert_eq!(heard["error"]["data"], "subscription not found");
            break;
        }
    }
}

#[test]
fn websockets_are_bounded() {
    let server = Server::start();
    let (_one, mut two) = (server.websocket(), server.websocket());
    say(&mut two, &"i".repeat(600), "subscribe", json!({"query": "tm.event='Tx'"}));
    assert_eq!(hear(&mut two)["error"]["code"], -32600);
    assert!(tungstenite::connect(format!("ws://{}/websocket", server.address)).is_err());
    for n in 0..server.rig.node.limits.subscriptions {
        say(&mut two, "s", "subscribe", json!({"query": format!("tm.event='Tx' AND a.b='{n}'")}));
        assert_eq!(hear(&mut two)["result"], json!({}));
    }
    say(&mut two, "s", "subscribe", json!({"query": "tm.event='Tx'"}));
    assert!(hear(&mut two)["error"]["data"].as_str().unwrap().starts_with("max_subscriptions_per_client"));
    two.send(Message::text("{")).unwrap();
    assert_eq!(hear(&mut two)["error"]["code"], -32700);
}

#[test]
fn of_a_suspects_batch_nothing_is_looked_at_behind_one_that_is_refused() {
    for method in ["check_tx", "broadcast_tx_sync", "broadcast_tx_async", "broadcast_tx_commit"] {
        let server = Server::start();
        let (suspects, peer) = (&server.rig.node.suspects, server.address.ip().into());
        let send = |method: &str, tx: &str| {
            let params = json!({"tx": super::json::base64(tx.as_bytes())});
            json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
        };
        let post = |calls: Vec<Value>| server.post(&Value::from(calls).to_string()).1;
        // Of anybody else all of it is.
        let answers = post(vec![send("broadcast_tx_sync", "bad"), send("broadcast_tx_sync", "a=1")]);
        assert_eq!([&answers[0]["result"]["code"], &answers[1]["result"]["code"]], [2, 0]);
        for _ in 0..60 {
            server.post(&send(method, "bad").to_string());
        }
        assert!(suspects.holds(peer), "{method}");
        let other = json!({"jsonrpc": "2.0", "id": 7, "method": "health"});
        let [good, bad, late] = ["b=1", "bad", "c=1"].map(|tx| send("broadcast_tx_sync", tx));
        let answers = post(vec![good, bad, late.clone(), other]);
        assert_eq!([&answers[0]["result"]["code"], &answers[1]["result"]["code"]], [0, 2], "{answers}");
        assert_eq!(answers[2]["error"]["code"], -32000, "{answers}");
        assert!(answers[2]["error"]["data"].as_str().unwrap().contains("send it by itself"), "{answers}");
        assert_eq!(answers[3]["result"], json!({}));
        assert_eq!(server.post(&late.to_string()).1["result"]["code"], 0, "by itself it is taken");
    }
}
