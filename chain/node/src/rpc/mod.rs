//! CometBFT 0.38's RPC over the embedded chain: JSON-RPC by POST, by URI and over a websocket.
//!
//! A request is read into [`params`], answered by one of [`methods`] in the shapes of [`json`], and wrapped by [`http`]
//! or [`ws`]. Everything that a client can reach is bounded: bytes of a body, requests of a batch, entries of a search,
//! subscriptions, the time that a method takes, and how many methods work at once.
//!
//! Absent: peers and evidence; of the consensus state only what a chain of one validator has. Start at [`http::router`].

pub(crate) mod http;
pub(crate) mod json;
pub(crate) mod methods;
pub(crate) mod params;
pub(crate) mod query_grammar;
pub(crate) mod ws;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tendermint::{PublicKey, account};

use crate::{
    abci::{info::Info, query::Queries},
    engine::{Origin, events::Hub, mempool::Mempool, store::Store},
    net::{places::Places, suspects::Suspects, turns::Turns},
    services::{self, engine::Rpc},
};

/// Version that clients choose their decoder by; the formats are those of this CometBFT.
pub(crate) const COMETBFT_VERSION: &str = "0.38.26";

/// Bounds of the RPC.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of one request's body or of one websocket message.
    pub(crate) body_bytes: usize,
    /// Websockets at the same time; one address has half of them at most.
    pub(crate) websockets: usize,
    /// Subscriptions of one websocket.
    pub(crate) subscriptions: usize,
    /// Methods that work at the same time; those of one address are half of them at most.
    pub(crate) workers: usize,
    /// How long a method may take.
    pub(crate) timeout: Duration,
    /// How long `broadcast_tx_commit` waits for the block.
    pub(crate) commit_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A block's worth of one transaction in base64, and the frame around it.
            body_bytes: 6 << 20,
            websockets: 100,
            subscriptions: 16,
            workers: 16,
            timeout: Duration::from_secs(30),
            commit_timeout: Duration::from_secs(10),
        }
    }
}

/// What the RPC answers from.
pub(crate) struct Node {
    /// What the chain started from.
    pub(crate) origin: Origin,
    /// The genesis file.
    pub(crate) genesis: Value,
    /// The blocks.
    pub(crate) store: Arc<Store>,
    /// The waiting transactions.
    pub(crate) mempool: Arc<Mempool>,
    /// The events.
    pub(crate) hub: Arc<Hub>,
    /// The application's info connection.
    pub(crate) info: Info,
    /// Questions to the application.
    pub(crate) queries: Queries,
    /// The validator's key.
    pub(crate) public: PublicKey,
    /// Where the RPC listens, as `HOST:PORT`.
    pub(crate) rpc_address: String,
    /// How many heights back stay readable.
    pub(crate) keep_heights: u64,
    /// Bounds.
    pub(crate) limits: Limits,
    /// One turn per method at work.
    pub(crate) workers: Arc<Turns>,
    /// Clients whose transactions wait in line.
    pub(crate) suspects: Arc<Suspects>,
    /// One place per websocket.
    pub(crate) websockets: Arc<Places>,
}

impl Node {
    /// Questions to the application and to this engine.
    pub(crate) fn questions(self: &Arc<Self>) -> Queries {
        let rpc = Rpc::Here(Arc::clone(self));
        self.queries.over(services::Engine { rpc, keep_heights: self.keep_heights })
    }

    /// The validator's address.
    pub(crate) fn address(&self) -> account::Id {
        account::Id::from(self.public)
    }

    /// `node_info` as `status` prints it.
    pub(crate) fn node_info(&self) -> Value {
        let app = self.info.info();
        json!({
            "protocol_version": {"p2p": "8", "block": crate::engine::header::BLOCK_PROTOCOL.to_string(), "app": app.app_version.to_string()},
            "id": hex::encode(self.address().as_bytes()),
            "listen_addr": "tcp://127.0.0.1:0",
            "network": self.origin.chain_id.as_str(),
            "version": COMETBFT_VERSION,
            // CometBFT's own; decoders demand that the member is not empty. No peer can open them here.
            "channels": "40202122233038606100",
            "moniker": "aceso",
            "other": {"tx_index": "on", "rpc_address": format!("tcp://{}", self.rpc_address)},
        })
    }
}

/// An error as JSON-RPC has them, with CometBFT's codes and messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RpcError {
    /// −32700, −32600 to −32603, −32000.
    pub(crate) code: i32,
    /// The code's name.
    pub(crate) message: &'static str,
    /// What happened.
    pub(crate) data: String,
}

impl RpcError {
    pub(crate) fn parse(data: impl ToString) -> Self {
        Self { code: -32700, message: "Parse error. Invalid JSON", data: data.to_string() }
    }

    pub(crate) fn invalid_request(data: impl ToString) -> Self {
        Self { code: -32600, message: "Invalid Request", data: data.to_string() }
    }

    pub(crate) fn method_not_found() -> Self {
        Self { code: -32601, message: "Method not found", data: String::new() }
    }

    pub(crate) fn invalid_params(data: impl ToString) -> Self {
        Self { code: -32602, message: "Invalid params", data: data.to_string() }
    }

    pub(crate) fn internal(data: impl ToString) -> Self {
        Self { code: -32603, message: "Internal error", data: data.to_string() }
    }

    pub(crate) fn server(data: impl ToString) -> Self {
        Self { code: -32000, message: "Server error", data: data.to_string() }
    }
}

/// The answer to one request.
pub(crate) fn envelope(id: Value, answer: Result<Value, RpcError>) -> Value {
    match answer {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(RpcError { code, message, data }) if data.is_empty() => {
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
        }
        Err(RpcError { code, message, data }) => {
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message, "data": data}})
        }
    }
}

/// One request: its id (absent in a notification), method and parameters.
pub(crate) struct Request {
    /// Text or a number.
    pub(crate) id: Option<Value>,
    /// The method.
    pub(crate) method: String,
    /// An object, a list, or nothing.
    pub(crate) params: Value,
}

impl Request {
    /// Reads a request.
    pub(crate) fn from_json(value: Value) -> Result<Self, RpcError> {
        let Value::Object(mut members) = value else {
            return Err(RpcError::parse("error unmarshaling request: a request is an object"));
        };
        let id = members.remove("id").filter(|id| !id.is_null());
        if let Some(id) = &id
            && !(id.is_string() || id.is_number())
        {
            return Err(RpcError::parse("error unmarshaling request: an id is text or a number"));
        }
        let Some(Value::String(method)) = members.remove("method") else {
            return Err(RpcError::parse("error unmarshaling request: the method is missing"));
        };
        Ok(Self { id, method, params: members.remove("params").unwrap_or_default() })
    }
}
