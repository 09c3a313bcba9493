//! Questions from outside, answered from a committed height, beside running blocks.
//!
//! The order is that of the SDK's `baseapp.Query`: gRPC methods first ([`auth`], [`authz`], [`bank`], [`wasm`], [`service`],
//! [`ours`]), then `/app/…` and `/store/<component>/key` with its proof ([`store`]); all else is an unknown path.
//! Failures carry the SDK's numbers and words for gRPC status ([`status`]).

mod auth;
mod authz;
mod bank;
mod feegrant;
pub(crate) mod ours;
mod page;
mod sealed;
mod service;
mod status;
mod store;
mod wasm;

use std::sync::Arc;

use aceso_state::{Snapshot, StateError, Store};
use aceso_types::Height;
use bytes::Bytes;
use prost::Message;
use serde_json::Value;
use tendermint::{
    block,
    v0_38::abci::{request, response},
};

use crate::{
    chain::{self, Chain},
    code::{Code, Fault},
    error::Stop,
    host::Host,
    query::status::Status,
    run::{Block, Run},
    store::View,
};

pub(crate) use bank::metadata_page;

/// What the paths of questions about coins begin with.
const BANK: &str = "/cosmos.bank.v1beta1.Query/";

/// What a question came to: the answer in protobuf, or why there is none.
type Answered = Result<Vec<u8>, Status>;

/// Everything at hand while one question is answered.
pub(crate) struct Asked<'a> {
    host: &'a Host,
    chain: Arc<Chain>,
    /// The height that is asked about.
    block: Block,
    snapshot: Snapshot,
}

impl Asked<'_> {
    fn view(&self) -> View {
        View(self.snapshot.clone())
    }

    /// An address that a client wrote, in normal form.
    fn address(&self, what: &str, text: &str) -> Result<String, Status> {
        address(&self.chain, what, text)
    }
}

/// An address that a client or a contract wrote, in normal form.
fn address(chain: &Chain, what: &str, text: &str) -> Result<String, Status> {
    let address = chain.address(text);
    address.map(String::from).map_err(|fault| Status::Invalid(format!("invalid {what}: {}", fault.text)))
}

/// Answers a question.
pub(crate) fn answer(
    store: &Store,
    host: &Host,
    chain: Option<Arc<Chain>>,
    request: &request::Query,
) -> response::Query {
    let latest = store.latest().0;
    let refuse = |fault: Fault| refused(&fault.code, fault.text, latest);
    let Some(chain) = chain.filter(|_| latest > 0) else {
        return refuse(Code::InvalidHeight.because("the chain has no block yet; wait for the first"));
    };
    let wanted = request.height.value();
    let snapshot = if wanted == 0 { Ok(store.snapshot()) } else { store.snapshot_at(wanted) };
    let snapshot = match snapshot {
        Ok(snapshot) => snapshot,
        Err(error @ (StateError::Pruned { .. } | StateError::Future { .. })) => {
            let words = format_args!("failed to load state at height {wanted}; {error} (latest height: {latest})");
            return refuse(Code::InvalidRequest.because(words));
        }
        Err(error) => return refuse(Code::Internal.because(error)),
    };
    let height = snapshot.version();
    let nanos = match chain::time(&mut View(snapshot.clone())) {
        Ok(nanos) => nanos,
        Err(stop) => return refuse(Code::Internal.because(words(stop))),
    };
    let asked = Asked { host, chain, block: Block { height: Height(height), nanos }, snapshot };
    if let Some(rest) = request.path.strip_prefix("/store/") {
        return store::answer(&asked, rest, &request.data, request.prove);
    }
    match route(&asked, &request.path, &request.data) {
        Ok(value) => {
            response::Query { value: Bytes::from(value), height: height_of(height), ..response::Query::default() }
        }
        Err(status) => {
            let (code, text) = status.to_abci();
            refused(&code, text, height)
        }
    }
}

fn route(asked: &Asked<'_>, path: &str, data: &[u8]) -> Answered {
    let height = asked.block.height.0;
    let (service, method) = path.rsplit_once('/').unwrap_or((path, ""));
    match service {
        "/cosmos.auth.v1beta1.Query" => auth::answer(asked, method, data),
        "/cosmos.authz.v1beta1.Query" => authz::answer(asked, method, data),
        "/cosmos.bank.v1beta1.Query" => bank::answer(&mut asked.view(), &asked.chain, asked.block, method, data),
        "/cosmos.feegrant.v1beta1.Query" => feegrant::answer(asked, method, data),
        "/cosmwasm.wasm.v1.Query" => wasm::answer(asked, method, data),
        "/cosmos.tx.v1beta1.Service" | "/app" => service::answer(asked, method, data),
        _ => match ours::answer(&mut asked.view(), height, path, data) {
            Some(answered) => answered,
            None => Err(unknown(path)),
        },
    }
}

/// Answers a contract that asks by a path: about coins, or one of our own questions. None if contracts may not ask it.
pub(crate) fn of_contract(run: &mut Run<'_>, path: &str, data: &[u8]) -> Option<Answered> {
    let answered = about_coins(run, path, data).map(|(_, answered)| answered);
    answered.or_else(|| ours::answer(run, run.block.height.0, path, data))
}

/// The same about coins alone, in the SDK's JSON.
pub(crate) fn printed(run: &mut Run<'_>, path: &str, data: &[u8]) -> Option<Result<Value, Status>> {
    let (method, answered) = about_coins(run, path, data)?;
    Some(answered.and_then(|answer| bank::printed(method, &answer)))
}

fn about_coins(run: &mut Run<'_>, path: &str, data: &[u8]) -> Option<(&'static str, Answered)> {
    let asked = path.strip_prefix(BANK)?;
    let method = bank::FOR_CONTRACTS.into_iter().find(|method| *method == asked)?;
    let (chain, block) = (run.chain.clone(), run.block);
    Some((method, bank::answer(run, &chain, block, method, data)))
}

/// A path that nobody answers.
fn unknown(path: &str) -> Status {
    let path: String = path.chars().take(256).collect();
    Status::Plain(Code::UnknownRequest.because(format_args!("unknown query path {path:?}")))
}

/// Reads a request.
fn decode<M: Message + Default>(data: &[u8]) -> Result<M, Status> {
    M::decode(data).map_err(|e| Status::Invalid(format!("the request does not decode: {e}")))
}

fn encode<M: Message>(message: &M) -> Answered {
    Ok(message.encode_to_vec())
}

fn refused(code: &Code, log: String, height: u64) -> response::Query {
    response::Query {
        code: code.number().into(),
        codespace: code.space().into(),
        log,
        height: height_of(height),
        ..response::Query::default()
    }
}

fn words(stop: Stop) -> String {
    match stop {
        Stop::Refused(fault) => fault.text,
        Stop::Halt(error) => error.to_string(),
    }
}

fn height_of(height: u64) -> block::Height {
    block::Height::try_from(height).unwrap_or_default()
}
