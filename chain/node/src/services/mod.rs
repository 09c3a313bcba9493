//! The services of a Cosmos node that the application alone cannot answer: they need the blocks, or the engine.
//!
//! One implementation for gRPC, REST and `abci_query`: [`crate::abci::query::Queries`] asks here first. Each method asks
//! the engine as CometBFT's RPC is asked ([`engine`]), so that it answers alike over the embedded chain and under CometBFT.
//! What fails is said in gRPC's [`status`]. Source of numbers and words: the SDK 0.53's `client/grpc` and `x/auth/tx`.

mod comet;
pub(crate) mod engine;
mod node;
pub(crate) mod status;
mod tx;

use aceso_app::ChainInfo;
use prost::Message;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tendermint::{
    block::Height,
    v0_38::abci::{request, response},
};

use self::{
    engine::{Failure, Rpc},
    status::Status,
};
use crate::abci::query::Queries;

/// What a question came to: the answer in protobuf, or why there is none.
type Answered = Result<Vec<u8>, Status>;

/// What a node knows beside its application.
#[derive(Clone)]
pub(crate) struct Engine {
    /// Who serves the RPC.
    pub(crate) rpc: Rpc,
    /// How many heights back stay readable here.
    pub(crate) keep_heights: u64,
}

/// Everything at hand while one question is answered.
struct Asked<'a> {
    queries: &'a Queries,
    engine: &'a Engine,
    chain: Option<ChainInfo>,
    /// The height that is asked about; 0 for the latest.
    height: u64,
    /// The height that the application has committed.
    latest: Height,
}

/// Whether a question is a transaction to be sent.
pub(crate) fn sends(path: &str) -> bool {
    path == "/cosmos.tx.v1beta1.Service/BroadcastTx"
}

/// Whether the answer to one says that the application has refused it; none where it was not asked.
pub(crate) fn is_refusal(answer: &response::Query) -> Option<bool> {
    tx::is_refusal(&answer.value).filter(|_| answer.code.is_ok())
}

/// What asks about the latest height. [`Height::default`] is the first.
pub(crate) fn latest() -> Height {
    Height::from(0_u32)
}

/// Answers a question; none if it is for the application.
pub(crate) fn answer(queries: &Queries, engine: &Engine, request: &request::Query) -> Option<response::Query> {
    let (service, method) = request.path.rsplit_once('/')?;
    let answer: fn(&Asked<'_>, &str, &[u8]) -> Option<Answered> = match service {
        "/cosmos.tx.v1beta1.Service" => tx::answer,
        "/cosmos.base.tendermint.v1beta1.Service" => comet::answer,
        "/cosmos.base.node.v1beta1.Service" => node::answer,
        _ => return None,
    };
    let latest = queries.height();
    let asked = Asked { queries, engine, chain: queries.chain(), height: request.height.value(), latest };
    let height = if asked.height == 0 { latest } else { request.height };
    Some(match answer(&asked, method, &request.data)? {
        Ok(value) => response::Query { value: value.into(), height, ..Default::default() },
        Err(status) => status.to_abci(height),
    })
}

impl Asked<'_> {
    fn call(&self, method: &'static str, params: Value) -> Result<Value, Failure> {
        self.engine.rpc.call(method, params)
    }

    /// A block and its id; the latest if none is named.
    fn block(&self, height: Option<i64>) -> Result<(tendermint::block::Id, tendermint::Block), Failure> {
        let params = height.map_or_else(|| json!({}), |height| json!({"height": height.to_string()}));
        let mut answer = self.call("block", params)?;
        Ok((member(&mut answer, "block_id")?, member(&mut answer, "block")?))
    }

    /// An address of a validator, as Cosmos chains write it.
    fn consensus_address(&self, bytes: &[u8]) -> Result<String, Status> {
        let prefix = self.chain.as_ref().map_or("", |chain| chain.prefix.as_str());
        let words = |e: &dyn std::fmt::Display| Status::new(tonic::Code::Internal, e.to_string());
        let hrp = bech32::Hrp::parse(&format!("{prefix}valcons")).map_err(|e| words(&e))?;
        bech32::encode::<bech32::Bech32>(hrp, bytes).map_err(|e| words(&e))
    }
}

/// Takes a member out of an answer.
fn member<T: DeserializeOwned>(answer: &mut Value, name: &str) -> Result<T, Failure> {
    let member = answer.get_mut(name).map(Value::take).unwrap_or_default();
    serde_json::from_value(member).map_err(|e| Failure::Shape(format!("{name}: {e}")))
}

/// A member that is a number, or one in text.
fn number(answer: &Value, name: &str) -> Result<i64, Failure> {
    let number = match &answer[name] {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    };
    number.ok_or_else(|| Failure::Shape(format!("{name} is no number")))
}

/// A member that is text.
fn text<'a>(answer: &'a Value, name: &str) -> Result<&'a str, Failure> {
    answer[name].as_str().ok_or_else(|| Failure::Shape(format!("{name} is no text")))
}

/// Reads a request.
fn decode<M: Message + Default>(data: &[u8]) -> Result<M, Status> {
    M::decode(data).map_err(|e| Status::invalid(e.to_string()))
}

fn encode(message: &impl Message) -> Answered {
    Ok(message.encode_to_vec())
}

/// As much of what a client wrote as is repeated to it.
fn short(text: &str) -> String {
    text.chars().take(80).collect()
}
