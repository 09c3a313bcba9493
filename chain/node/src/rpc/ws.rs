//! JSON-RPC over a websocket: the same methods, and subscriptions.
//!
//! A connection is a reader, which answers requests one after the other, and a writer behind a queue that is bounded in
//! messages and in bytes. Each subscription forwards into that queue. A client that does not read is let go: its
//! subscriptions end with an error, and when even that cannot be sent the connection is dropped.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures::{SinkExt, StreamExt, stream::SplitSink};
use serde_json::{Value, json};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
};

use super::{Node, Request, RpcError, envelope, methods, params::Params, query_grammar::Query};
use crate::{
    engine::events::{Event, Subscription},
    net::Peer,
};

/// Messages that may wait for one client.
const QUEUE: usize = 128;
/// Their bytes; a message that is longer waits alone.
const QUEUE_BYTES: u32 = 4 << 20;
/// Longest id of a subscription, in bytes of JSON: every event repeats it.
const ID_MAX: usize = 512;
/// How long one message may take to be sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the client is asked for a sign of life, CometBFT's `defaultWSPingPeriod`.
const PING_PERIOD: Duration = Duration::from_secs(27);
/// How long it may be silent, CometBFT's `defaultWSReadWait`.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Turns the connection into a websocket, if there is room.
pub(crate) async fn upgrade(
    State(node): State<Arc<Node>>,
    Extension(peer): Extension<Peer>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let place = match node.websockets.take(peer) {
        Ok(place) => place,
        Err(full) => return (StatusCode::SERVICE_UNAVAILABLE, full.to_string()).into_response(),
    };
    let limit = node.limits.body_bytes;
    upgrade.max_message_size(limit).max_frame_size(limit).on_upgrade(move |socket| async move {
        serve(node, peer, socket).await;
        drop(place);
    })
}

async fn serve(node: Arc<Node>, peer: Peer, socket: WebSocket) {
    let (sink, mut stream) = socket.split();
    let (queue, waiting) = mpsc::channel(QUEUE);
    let mut writer = tokio::spawn(write(sink, waiting));
    let outbox = Outbox { queue, room: Arc::new(Semaphore::new(QUEUE_BYTES as usize)) };
    let mut client = Client { node, peer, outbox, subscriptions: Vec::new() };
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
            && client.outbox.put(answer.to_string()).await.is_none()
        {
            break;
        }
    }
    for (_, forwarding) in client.subscriptions {
        forwarding.abort();
    }
    writer.abort();
}

async fn write(mut sink: SplitSink<WebSocket, Message>, mut waiting: mpsc::Receiver<Waiting>) {
    let mut ping = tokio::time::interval(PING_PERIOD);
    loop {
        // What is being sent takes its room until it is.
        let (message, _room) = tokio::select! {
            next = waiting.recv() => match next {
                Some(Waiting { text, room }) => (Message::Text(text.into()), Some(room)),
                None => return,
            },
            _ = ping.tick() => (Message::Ping(Default::default()), None),
        };
        match tokio::time::timeout(WRITE_TIMEOUT, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

/// Where messages wait for the client.
#[derive(Clone)]
struct Outbox {
    queue: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
}

/// A message, and the room that it takes.
struct Waiting {
    text: String,
    room: OwnedSemaphorePermit,
}

impl Outbox {
    /// Waits for room for so many bytes; none once the writer has gone.
    async fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let takes = u32::try_from(bytes).unwrap_or(u32::MAX).clamp(1, QUEUE_BYTES);
        tokio::select! {
            taken = Arc::clone(&self.room).acquire_many_owned(takes) => taken.ok(),
            () = self.queue.closed() => None,
        }
    }

    /// Lets a message wait, once there is room; none once the writer has gone.
    async fn put(&self, text: String) -> Option<()> {
        let room = self.room(text.len()).await?;
        self.queue.send(Waiting { text, room }).await.ok()
    }

    /// The same of an event, which becomes a message only when there is room for it.
    async fn tell(&self, id: &Value, query: &str, event: &Event) -> Option<()> {
        let room = self.room(event.bytes).await?;
        let (query, data, events) = (Value::from(query), &event.data, json!(event.attributes));
        let text =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"query":{query},"data":{data},"events":{events}}}}}"#);
        self.queue.send(Waiting { text, room }).await.ok()
    }
}

struct Client {
    node: Arc<Node>,
    peer: Peer,
    outbox: Outbox,
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
                    Ok(params) => methods::call(&self.node, self.peer, method, params).await,
                    Err(e) => Err(e),
                },
            },
        };
        Some(envelope(id, answer))
    }

    fn subscribe(&mut self, id: &Value, params: Value) -> Result<Value, RpcError> {
        self.subscriptions.retain(|(_, forwarding)| !forwarding.is_finished());
        let query = query(params)?;
        if id.to_string().len() > ID_MAX {
            return Err(RpcError::invalid_request(format!("the id of a subscription has at most {ID_MAX} bytes")));
        }
        if self.subscriptions.len() >= self.node.limits.subscriptions {
            let limit = self.node.limits.subscriptions;
            return Err(RpcError::internal(format!("max_subscriptions_per_client {limit} reached")));
        }
        if self.position(&query).is_some() {
            return Err(RpcError::internal("already subscribed"));
        }
        let subscription = self.node.hub.subscribe(query.clone()).map_err(RpcError::internal)?;
        let forwarding = forward(subscription, self.outbox.clone(), id.clone(), query.text().to_owned());
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

async fn forward(mut subscription: Subscription, outbox: Outbox, id: Value, text: String) {
    while let Some(event) = subscription.next().await {
        if outbox.tell(&id, &text, &event).await.is_none() {
            return;
        }
    }
    let cancelled = "subscription was cancelled (reason: client is not pulling messages fast enough)";
    // If the client does not read this either, its writer gives up and the connection ends.
    let _ = outbox.put(envelope(id, Err(RpcError::server(cancelled))).to_string()).await;
}
