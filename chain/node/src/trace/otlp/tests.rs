use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::mpsc::{Sender as Send, channel},
};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, Registry, filter::Targets, layer::SubscriberExt};

use super::*;

/// A collector that takes every request and passes its body on.
fn collector(bodies: Send<Json>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = Vec::new();
            let head = loop {
                let mut piece = [0; 4096];
                let got = stream.read(&mut piece).unwrap();
                bytes.extend_from_slice(&piece[..got]);
                if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                    break end + 4;
                }
            };
            let text = String::from_utf8(bytes[..head].to_vec()).unwrap().to_lowercase();
            assert!(text.starts_with("post /v1/traces http/1.1\r\n"), "{text}");
            assert!(text.contains("content-type: application/json\r\n"), "{text}");
            let length = text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
            let mut body = bytes.split_off(head);
            let mut rest = vec![0; length.parse::<usize>().unwrap() - body.len()];
            stream.read_exact(&mut rest).unwrap();
            body.extend(rest);
            if bodies.send(serde_json::from_slice(&body).unwrap()).is_err() {
                return;
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}").unwrap();
        }
    });
    endpoint
}

fn started(endpoint: &str) -> (impl tracing::Subscriber + std::marker::Send + Sync, Exporter, meters::Spans) {
    let meters = meters::Spans::default();
    let (spans, exporter) = start(Collector::at(endpoint, "clinic-1").unwrap().unwrap(), meters.clone()).unwrap();
    let ours = Targets::new().with_target("aceso", LevelFilter::INFO);
    (Registry::default().with(spans.with_filter(ours)), exporter, meters)
}

fn block() {
    let block = tracing::info_span!(target: "aceso::metrics", "block", height = 7_u64, hash = tracing::field::Empty);
    block.in_scope(|| {
        // One that nobody exports stands between.
        tracing::info_span!(target: "elsewhere", "hidden").in_scope(|| {
            let long = "x".repeat(1000);
            tracing::info_span!(target: "aceso_app::block", "tx", index = 0, flag = true, long).in_scope(|| {
                tracing::error!(target: "aceso_app", "it failed");
            });
        });
    });
    block.record("hash", tracing::field::display("AB"));
}

fn all(bodies: &Receiver<Json>) -> Vec<Json> {
    let spans = |body: Json| body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone();
    bodies.try_iter().flat_map(spans).collect()
}

#[test]
fn a_collector_gets_a_block_with_its_parts() {
    let (bodies, received) = channel();
    let (subscriber, exporter, meters) = started(&collector(bodies));
    tracing::subscriber::with_default(subscriber, block);
    // The end of a process sends what waits.
    drop(exporter);
    let body = received.recv_timeout(PATIENCE).unwrap();
    let attribute = |at: &Json, key: &str| {
        at["attributes"].as_array().unwrap().iter().find(|one| one["key"] == key).map(|one| one["value"].clone())
    };
    let resource = &body["resourceSpans"][0]["resource"];
    assert_eq!(attribute(resource, "service.name"), Some(json!({"stringValue": "aceso"})));
    assert_eq!(attribute(resource, "service.namespace"), Some(json!({"stringValue": "clinic-1"})));
    let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    assert_eq!(spans.len(), 2);
    let named = |name: &str| spans.iter().find(|span| span["name"] == name).unwrap();
    let (block, tx) = (named("block"), named("tx"));
    assert_eq!(block["traceId"].as_str().unwrap().len(), 32);
    assert_eq!(block["spanId"].as_str().unwrap().len(), 16);
    assert_eq!((&tx["traceId"], &tx["parentSpanId"]), (&block["traceId"], &block["spanId"]));
    assert!(block["parentSpanId"].is_null());
    assert_eq!(attribute(block, "height"), Some(json!({"intValue": "7"})));
    assert_eq!(attribute(block, "hash"), Some(json!({"stringValue": "AB"})));
    assert_eq!(attribute(tx, "flag"), Some(json!({"boolValue": true})));
    assert_eq!(attribute(tx, "long").unwrap()["stringValue"].as_str().unwrap().len(), 200);
    assert_eq!((&tx["status"]["code"], &block["status"]["code"]), (&json!(2), &json!(0)));
    let at = |span: &Json, key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
    assert!(at(block, "startTimeUnixNano") <= at(tx, "startTimeUnixNano"));
    assert!(at(tx, "endTimeUnixNano") <= at(block, "endTimeUnixNano"));
    assert_eq!(meters.exported.get(), 2);
}

#[test]
fn many_spans_come_in_batches() {
    let (bodies, received) = channel();
    let (subscriber, exporter, meters) = started(&collector(bodies));
    tracing::subscriber::with_default(subscriber, || (0..BATCH).for_each(|_| block()));
    drop(exporter);
    assert_eq!(meters.exported.get(), 2 * BATCH as u64);
    assert_eq!(all(&received).len(), 2 * BATCH);
}

#[test]
fn a_dead_collector_costs_nothing_but_spans() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    // This one takes connections and answers nothing.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    for endpoint in [closed, format!("http://{}", mute.local_addr().unwrap())] {
        let (subscriber, exporter, meters) = started(&endpoint);
        let (begun, blocks) = (Instant::now(), QUEUE);
        tracing::subscriber::with_default(subscriber, || (0..blocks).for_each(|_| block()));
        let made = begun.elapsed();
        assert!(made < PATIENCE, "{made:?} for {blocks} blocks");
        let begun = Instant::now();
        drop(exporter);
        assert!(begun.elapsed() < FLUSH + Duration::from_secs(1));
        assert_eq!(meters.exported.get(), 0);
        assert!(meters.dropped.counted("queue") + meters.dropped.counted("collector") > 0);
    }
}
