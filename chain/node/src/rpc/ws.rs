//! JSON-RPC over a websocket: the same methods, and subscriptions.
//!
//! A connection is a reader, which answers requests one after the other, and a writer behind a bounded queue. Each
//! subscription forwards into that queue. A client that does not read is let go: its subscriptions end with an error,
//! and when even that cannot be sent the connection is dropped.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures::{SinkExt, StreamExt, stream::SplitSink};
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{Node, Request, RpcError, envelope, methods, params::Params, query_grammar::Query};
use crate::engine::events::Subscription;

/// Messages that may wait for one client.
const QUEUE: usize = 128;
/// How long one message may take to be sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the client is asked for a sign of life, CometBFT's `defaultWSPingPeriod`.
const PING_PERIOD: Duration = Duration::from_secs(27);
/// How long it may be silent, CometBFT's `defaultWSReadWait`.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Turns the connection into a websocket, if there is room.
pub(crate) async fn upgrade(State(node): State<Arc<Node>>, upgrade: WebSocketUpgrade) -> Response {
    let Ok(place) = Arc::clone(&node.websockets).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "this node serves as many websockets as it can").into_response();
    };
    let limit = node.limits.body_bytes;
    upgrade.max_message_size(limit).max_frame_size(limit).on_upgrade(move |socket| async move {
        serve(node, socket).await;
        drop(place);
    })
}

async fn serve(node: Arc<Node>, socket: WebSocket) {
    let (sink, mut stream) = socket.split();
    let (queue, waiting) = mpsc::channel(QUEUE);
    let mut writer = tokio::spawn(write(sink, waiting));
    let mut client = Client { node, queue, subscriptions: Vec::new() };
    loop {
        let received = tokio::select! {
            received = tokio::time::timeout(READ_TIMEOUT, stream.next()) => received,
            _ = &mut writer => break,
        };
        let Ok(Some(Ok(message))) = received else { break };
        let bytes = match &message {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(_) => break,
        };
        if let Some(answer) = client.answer(bytes).await
            && client.queue.send(answer).await.is_err()
        {
            break;
        }
    }
    for (_, forwarding) in client.subscriptions {
        forwarding.abort();
    }
    writer.abort();
}

async fn write(mut sink: SplitSink<WebSocket, Message>, mut waiting: mpsc::Receiver<Value>) {
    let mut ping = tokio::time::interval(PING_PERIOD);
    loop {
        let message = tokio::select! {
            next = waiting.recv() => match next {
                Some(value) => Message::Text(value.to_string().into()),
                None => return,
            },
            _ = ping.tick() => Message::Ping(Default::default()),
        };
        match tokio::time::timeout(WRITE_TIMEOUT, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

struct Client {
    node: Arc<Node>,
    queue: mpsc::Sender<Value>,
    /// Queries and the tasks that forward their events. Two ways to write one query are one query.
    subscriptions: Vec<(Query, JoinHandle<()>)>,
}

impl Client {
    async fn answer(&mut self, bytes: &[u8]) -> Option<Value> {
        let parsed = serde_json::from_slice(bytes)
            .map_err(|e| RpcError::parse(format!("error unmarshaling request: {e}")))
            .and_then(Request::from_json);
        let request = match parsed {
            Ok(request) => request,
            Err(e) => return Some(envelope(Value::Null, Err(e))),
        };
        let id = request.id?;
        let answer = match request.method.as_str() {
            "subscribe" => self.subscribe(&id, request.params),
            "unsubscribe" => self.unsubscribe(request.params),
            "unsubscribe_all" => self.unsubscribe_all(),
            method => match methods::names(method) {
                None => Err(RpcError::method_not_found()),
                Some(names) => match Params::from_json(request.params, names) {
                    Ok(params) => methods::call(&self.node, method, params).await,
                    Err(e) => Err(e),
                },
            },
        };
        Some(envelope(id, answer))
    }

    fn subscribe(&mut self, id: &Value, params: Value) -> Result<Value, RpcError> {
        self.subscriptions.retain(|(_, forwarding)| !forwarding.is_finished());
        let query = query(params)?;
        if self.subscriptions.len() >= self.node.limits.subscriptions {
            let limit = self.node.limits.subscriptions;
            return Err(RpcError::internal(format!("max_subscriptions_per_client {limit} reached")));
        }
        if self.position(&query).is_some() {
            return Err(RpcError::internal("already subscribed"));
        }
        let subscription = self.node.hub.subscribe(query.clone()).map_err(RpcError::internal)?;
        let forwarding = forward(subscription, self.queue.clone(), id.clone(), query.text().to_owned());
        self.subscriptions.push((query, tokio::spawn(forwarding)));
        Ok(json!({}))
    }

    fn position(&self, query: &Query) -> Option<usize> {
        self.subscriptions.iter().position(|(known, _)| known.conditions() == query.conditions())
    }

    fn unsubscribe(&mut self, params: Value) -> Result<Value, RpcError> {
        let query = query(params)?;
        match self.position(&query) {
            Some(at) => {
                self.subscriptions.remove(at).1.abort();
                Ok(json!({}))
            }
            None => Err(RpcError::internal("subscription not found")),
        }
    }

    fn unsubscribe_all(&mut self) -> Result<Value, RpcError> {
        if self.subscriptions.is_empty() {
            return Err(RpcError::internal("subscription not found"));
        }
        for (_, forwarding) in std::mem::take(&mut self.subscriptions) {
            forwarding.abort();
        }
        Ok(json!({}))
    }
}

fn query(params: Value) -> Result<Query, RpcError> {
    let text = Params::from_json(params, &["query"])?.text("query")?.unwrap_or_default();
    Query::parse(&text).map_err(|e| RpcError::internal(format!("failed to parse query: {e}")))
}

async fn forward(mut subscription: Subscription, queue: mpsc::Sender<Value>, id: Value, text: String) {
    while let Some(event) = subscription.next().await {
        let result = json!({"query": text, "data": event.data, "events": event.attributes});
        if queue.send(envelope(id.clone(), Ok(result))).await.is_err() {
            return;
        }
    }
    let cancelled = "subscription was cancelled (reason: client is not pulling messages fast enough)";
    // If the client does not read this either, its writer gives up and the connection ends.
    let _ = queue.send(envelope(id, Err(RpcError::server(cancelled)))).await;
}
