//! What a running node says of itself: its log, its metrics, its spans; and that it says all of it before it ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::{
    io::Read,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use axum::{Router, body::Bytes, http::HeaderMap, routing::post};
use base64::{Engine, engine::general_purpose::STANDARD};
use common::{Node, Wallet, aceso, alice, dev, run};
use serde_json::{Value, json};

/// A collector, and the spans that it gets.
fn collector() -> (String, Receiver<Vec<Value>>) {
    let (told, spans) = channel();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let traces = post(move |headers: HeaderMap, body: Bytes| async move {
        assert_eq!(headers["content-type"], "application/json");
        let body: Value = serde_json::from_slice(&body).unwrap();
        told.send(body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone()).unwrap();
        "{}"
    });
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, Router::new().route("/v1/traces", traces)).await.unwrap();
        });
    });
    (endpoint, spans)
}

fn configure(home: &std::path::Path, endpoint: &str) {
    std::fs::create_dir_all(home.join("config")).unwrap();
    std::fs::write(home.join("config/aceso.toml"), format!("otlp_endpoint = {endpoint:?}\n")).unwrap();
}

/// Sends a coin and answers the height that it is in.
fn send(node: &Node, wallet: &Wallet) -> u64 {
    let chain_id = node.told["chain_id"].as_str().unwrap();
    let account = wallet.account(node).unwrap();
    let tx = STANDARD.encode(wallet.send(chain_id, account.account_number, account.sequence));
    let sent = node.call("broadcast_tx_commit", json!({"tx": tx})).unwrap();
    assert_eq!(sent["tx_result"]["code"], 0, "{sent}");
    sent["height"].as_str().unwrap().parse().unwrap()
}

fn metrics(node: &Node) -> String {
    ureq::get(format!("{}/metrics", node.rest)).call().unwrap().body_mut().read_to_string().unwrap()
}

/// Waits until such a line is among the metrics.
fn until(node: &Node, wanted: impl Fn(&str) -> bool) {
    let there = || metrics(node).lines().any(&wanted);
    let found = (0..200).any(|_| {
        there() || {
            std::thread::park_timeout(Duration::from_millis(50));
            false
        }
    });
    assert!(found, "it is not in\n{}", metrics(node));
}

fn attribute<'a>(span: &'a Value, key: &str) -> &'a Value {
    let mut attributes = span["attributes"].as_array().unwrap().iter();
    attributes.find(|one| one["key"] == key).map_or(&Value::Null, |one| &one["value"])
}

#[test]
fn a_block_is_logged_counted_and_traced() {
    let home = tempfile::tempdir().unwrap();
    let (endpoint, spans) = collector();
    configure(home.path(), &endpoint);
    let fund = alice(home.path());
    let wallet = Wallet::open(fund.split('=').next().unwrap().as_ref());
    let more = ["--fund", &fund, "--log", "info", "--log-format", "json"];
    let mut node = Node::run(aceso(&dev(home.path(), &more))).unwrap();
    // The node registers its opener key by itself, once it answers.
    until(&node, |line| line == "aceso_transactions_total{outcome=\"done\"} 1");
    let height = send(&node, &wallet);
    let put = ureq::post(format!("{}/aceso/blobs/v1", node.rest)).send("a picture").unwrap();
    assert_eq!(put.status(), 200);
    let page = metrics(&node);
    for line in
        ["aceso_transactions_total{outcome=\"done\"} 2", "aceso_blobs_unregistered 1", "aceso_mempool_transactions 0"]
    {
        assert!(page.lines().any(|one| one == line), "no {line} in\n{page}");
    }
    let mut log = node.child.stderr.take().unwrap();
    assert_eq!(node.stop(), 0);

    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let committed = |line: &&Value| line["message"] == "committed block" && line["height"] == height;
    let block = lines.iter().find(committed).unwrap();
    assert_eq!((&block["txs"], &block["failed"], &block["level"]), (&json!(1), &json!(0), &json!("INFO")));
    assert_eq!((&block["spans"][0]["name"], &block["spans"][0]["height"]), (&json!("block"), &json!(height)));

    // The node has ended, so everything is here.
    let spans: Vec<Value> = spans.try_iter().flatten().collect();
    let named = |name: &str| spans.iter().filter(|span| span["name"] == name).collect::<Vec<_>>();
    let at = height.to_string();
    let at_height = |span: &&Value| attribute(span, "height")["intValue"] == *at;
    let block = named("block").into_iter().find(at_height).unwrap();
    assert_eq!(attribute(block, "txs")["intValue"], "1");
    let within = |name: &str, parent: &Value| {
        let found = named(name).into_iter().find(|span| span["parentSpanId"] == parent["spanId"]);
        let found = found.unwrap_or_else(|| panic!("no {name} in {parent}: {spans:#?}"));
        assert_eq!(found["traceId"], block["traceId"]);
        found.clone()
    };
    for stage in ["prepare", "process", "commit"] {
        within(stage, block);
    }
    let tx = within("tx", &within("execute", block));
    assert_eq!(
        (&attribute(&tx, "code")["intValue"], attribute(&tx, "index")["intValue"].as_str()),
        (&json!("0"), Some("0"))
    );
    assert_eq!(attribute(&tx, "hash")["stringValue"].as_str().unwrap().len(), 64);
    let upload = named("http").into_iter().find(|span| attribute(span, "route")["stringValue"] == "/aceso/blobs/v1");
    assert_eq!(attribute(upload.unwrap(), "status")["intValue"], "200");
    assert!(named("query").iter().any(|span| attribute(span, "path")["stringValue"] != Value::Null));
    assert!(!named("http").iter().any(|span| attribute(span, "route")["stringValue"] == "/metrics"));
}

#[test]
fn an_absent_collector_stops_nobody() {
    let home = tempfile::tempdir().unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    configure(home.path(), &format!("http://{nobody}"));
    let fund = alice(home.path());
    let wallet = Wallet::open(fund.split('=').next().unwrap().as_ref());
    let node = Node::start(home.path(), &["--fund", &fund]);
    send(&node, &wallet);
    until(&node, |line| line.starts_with("aceso_spans_dropped_total{reason=\"collector\"}"));
    send(&node, &wallet);
    assert_eq!(node.stop(), 0);
}

#[test]
fn a_wrong_endpoint_is_refused() {
    let home = tempfile::tempdir().unwrap();
    configure(home.path(), "collector:4317");
    let (code, _, error) = run(&dev(home.path(), &[]));
    let said = "aceso.toml: otlp_endpoint \"collector:4317\" is not http://HOST:PORT";
    assert!(code == 1 && error.contains(said), "{error}");
}
