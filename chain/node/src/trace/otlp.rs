//! Spans to an OpenTelemetry collector: OTLP 1.x over HTTP in its JSON form, `POST {endpoint}/v1/traces`.
//!
//! One thread takes spans out of a bounded queue and sends them in batches, when one is full or a second old. What a
//! collector does not take is dropped and counted, never kept: a node does not grow because its collector is gone, and
//! whoever makes spans never waits for it. At the end of the process what waits is sent, within [`FLUSH`].
//!
//! The message types are those of `opentelemetry/proto/trace/v1/trace.proto`; identifiers are hexadecimal and 64-bit
//! numbers are strings, as its JSON mapping says.

use std::{
    sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};
use ureq::Agent;

use super::spans::{Span, Spans, Value};
use crate::metrics::meters;

/// Spans that may wait; about 400 bytes each.
const QUEUE: usize = 8192;
/// Spans of one request.
const BATCH: usize = 512;
/// How long the first of a batch waits for others.
const PERIOD: Duration = Duration::from_secs(1);
/// How long a collector may take for a batch.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the end of the process waits for the last batches.
const FLUSH: Duration = Duration::from_secs(2);

/// Where spans go, and in whose name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Collector {
    url: String,
    chain_id: String,
}

impl Collector {
    /// The collector at an endpoint such as `http://127.0.0.1:4318`; none if that is empty. The error says what is wrong
    /// with it.
    pub(crate) fn at(endpoint: &str, chain_id: &str) -> Result<Option<Self>, String> {
        if endpoint.is_empty() {
            return Ok(None);
        }
        let uri: axum::http::Uri = endpoint.parse().map_err(|e| format!("otlp_endpoint {endpoint:?}: {e}"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
            return Err(format!("otlp_endpoint {endpoint:?} is not http://HOST:PORT"));
        }
        let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
        Ok(Some(Self { url, chain_id: chain_id.into() }))
    }
}

/// What comes through the queue.
#[derive(Debug)]
pub(super) enum Message {
    Span(Span),
    /// Send what is here, and end.
    End,
}

/// The thread that exports. Dropped, it sends what waits and ends.
pub(crate) struct Exporter {
    queue: SyncSender<Message>,
    ended: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread, and answers what makes its spans.
pub(super) fn start(collector: Collector, meters: meters::Spans) -> anyhow::Result<(Spans, Exporter)> {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).map_err(|e| anyhow::anyhow!("no randomness to number spans with: {e}"))?;
    let (queue, waiting) = mpsc::sync_channel(QUEUE);
    let (end, ended) = mpsc::channel();
    let spans = Spans::new(queue.clone(), meters.clone(), u64::from_le_bytes(seed));
    let sender = Sender::new(collector, meters);
    let thread = std::thread::Builder::new().name("spans".into()).spawn(move || {
        sender.run(&waiting);
        // Whoever waited for it may have given up.
        let _ = end.send(());
    })?;
    Ok((spans, Exporter { queue, ended, thread: Some(thread) }))
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let until = Instant::now() + FLUSH;
        let mut message = Message::End;
        // While the queue is full, the thread is at work.
        while let Err(mpsc::TrySendError::Full(back)) = self.queue.try_send(message) {
            if Instant::now() >= until {
                return;
            }
            message = back;
            std::thread::sleep(Duration::from_millis(10));
        }
        let left = until.saturating_duration_since(Instant::now());
        if self.ended.recv_timeout(left) != Err(RecvTimeoutError::Timeout)
            && let Some(thread) = self.thread.take()
        {
            // Its panic was told when it happened.
            let _ = thread.join();
        }
    }
}

/// The exporting side.
struct Sender {
    collector: Collector,
    agent: Agent,
    meters: meters::Spans,
    /// Whether the last batch was taken: a collector that comes or goes is told of once.
    well: bool,
}

impl Sender {
    fn new(collector: Collector, meters: meters::Spans) -> Self {
        let config = Agent::config_builder().timeout_global(Some(PATIENCE)).max_redirects(0).build();
        Self { collector, agent: config.into(), meters, well: true }
    }

    fn run(mut self, waiting: &Receiver<Message>) {
        let mut batch = Vec::new();
        loop {
            // Sleeps until there is something to send.
            let goes_on = match waiting.recv() {
                Ok(Message::Span(span)) => {
                    batch.push(span);
                    fill(&mut batch, waiting)
                }
                Ok(Message::End) | Err(_) => false,
            };
            if !batch.is_empty() {
                self.send(&batch);
                batch.clear();
            }
            if !goes_on {
                return;
            }
        }
    }

    fn send(&mut self, batch: &[Span]) {
        let count = batch.len() as u64;
        let body = encode(&self.collector.chain_id, batch).to_string();
        match self.agent.post(&self.collector.url).header("content-type", "application/json").send(body) {
            Ok(_) => {
                self.meters.exported.inc_by(count);
                if !self.well {
                    tracing::info!(url = self.collector.url, "the collector takes spans again");
                }
                self.well = true;
            }
            Err(error) => {
                self.meters.dropped.count("collector", count);
                if self.well {
                    tracing::warn!(url = self.collector.url, %error, "the collector takes no spans; they are dropped");
                }
                self.well = false;
            }
        }
    }
}

/// Takes more spans until the batch is full or its time is over. False at the end.
fn fill(batch: &mut Vec<Span>, waiting: &Receiver<Message>) -> bool {
    let until = Instant::now() + PERIOD;
    while batch.len() < BATCH {
        match waiting.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Message::Span(span)) => batch.push(span),
            Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => return true,
        }
    }
    true
}

/// An `ExportTraceServiceRequest`.
fn encode(chain_id: &str, batch: &[Span]) -> Json {
    let resource = [
        ("service.name", json!({"stringValue": "aceso"})),
        ("service.version", json!({"stringValue": env!("CARGO_PKG_VERSION")})),
        ("service.namespace", json!({"stringValue": chain_id})),
    ];
    let resource: Vec<Json> = resource.into_iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    let spans: Vec<Json> = batch.iter().map(span).collect();
    json!({"resourceSpans": [{
        "resource": {"attributes": resource},
        "scopeSpans": [{"scope": {"name": "aceso"}, "spans": spans}],
    }]})
}

fn span(span: &Span) -> Json {
    /// `SPAN_KIND_INTERNAL` and `SPAN_KIND_SERVER`: work of the node's own, and an answer to somebody.
    const INTERNAL: u32 = 1;
    const SERVER: u32 = 2;
    let asked = matches!(span.name, "query" | "http");
    let attributes = span.fields.iter().map(|(key, value)| {
        let value = match value {
            Value::Text(text) => json!({"stringValue": text}),
            Value::Integer(number) => json!({"intValue": number.to_string()}),
            Value::Bool(flag) => json!({"boolValue": flag}),
        };
        json!({"key": key, "value": value})
    });
    let [high, low] = span.trace;
    let mut object = json!({
        "traceId": format!("{high:016x}{low:016x}"),
        "spanId": format!("{:016x}", span.id),
        "name": span.name,
        "kind": if asked { SERVER } else { INTERNAL },
        "startTimeUnixNano": span.begun.to_string(),
        "endTimeUnixNano": span.ended.to_string(),
        "attributes": attributes.collect::<Vec<_>>(),
        // `STATUS_CODE_UNSET` and `STATUS_CODE_ERROR`.
        "status": {"code": if span.failed { 2 } else { 0 }},
    });
    if let Some(parent) = span.parent {
        object["parentSpanId"] = format!("{parent:016x}").into();
    }
    object
}

#[cfg(test)]
mod tests;
