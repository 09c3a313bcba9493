//! `cosmos.tx.v1beta1.Service/GetTx`: answered from the block store, since the application keeps no transactions.

use bytes::Bytes;
use cosmos_sdk_proto::{
    Any,
    cosmos::{
        base::abci::v1beta1::TxResponse,
        tx::v1beta1::{GetTxRequest, GetTxResponse, Tx},
    },
    tendermint::abci as pb,
};
use prost::Message;
use tendermint::{abci::EventAttribute, block::Height, v0_38::abci::response};

use super::{Node, json};
use crate::engine::store::StoreError;

/// The path under which it is asked.
pub(crate) const PATH: &str = "/cosmos.tx.v1beta1.Service/GetTx";
const TX: &str = "/cosmos.tx.v1beta1.Tx";

/// The application's number for a request that makes no sense, in the codespace `sdk`.
const INVALID_REQUEST: u32 = 18;
/// The same for what is not there.
const NOT_FOUND: u32 = crate::abci::query::NOT_FOUND;

/// Answers the query.
pub(crate) fn answer(node: &Node, data: &Bytes) -> Result<response::Query, StoreError> {
    let latest = node.store.height();
    let refuse = |code: u32, log: String| response::Query {
        code: code.into(),
        codespace: "sdk".into(),
        log,
        height: Height::try_from(latest).unwrap_or_default(),
        ..Default::default()
    };
    let invalid = |why: String| {
        refuse(INVALID_REQUEST, format!("rpc error: code = InvalidArgument desc = {why}: invalid request"))
    };
    let request = match GetTxRequest::decode(data.clone()) {
        Ok(request) => request,
        Err(e) => return Ok(invalid(e.to_string())),
    };
    if request.hash.is_empty() {
        return Ok(invalid("tx hash cannot be empty".into()));
    }
    let Ok(hash) = hex::decode(&request.hash) else {
        return Ok(invalid(format!("tx hash {:?} is not hexadecimal", short(&request.hash))));
    };
    let not_found = || {
        let hash = short(&request.hash);
        refuse(NOT_FOUND, format!("rpc error: code = NotFound desc = tx not found: {hash}: key not found"))
    };
    let Some((height, index)) = node.store.tx(&hash)? else { return Ok(not_found()) };
    let at = usize::try_from(index).unwrap_or(usize::MAX);
    let (Some(stored), Some(mut results)) = (node.store.block(height)?, node.store.results(height)?) else {
        return Ok(not_found());
    };
    let Some(tx) = stored.block.data.get(at).filter(|_| at < results.tx_results.len()) else { return Ok(not_found()) };
    let result = results.tx_results.swap_remove(at);
    let time = json::time(stored.block.header.time);
    let whole_seconds = time.split_once('.').map_or(time.clone(), |(seconds, _)| format!("{seconds}Z"));
    let tx_response = TxResponse {
        height: i64::try_from(height).unwrap_or(i64::MAX),
        txhash: json::hex(&hash),
        codespace: result.codespace,
        code: result.code.value(),
        data: json::hex(&result.data),
        raw_log: result.log,
        logs: Vec::new(),
        info: result.info,
        gas_wanted: result.gas_wanted,
        gas_used: result.gas_used,
        tx: Some(Any { type_url: TX.into(), value: tx.clone() }),
        timestamp: whole_seconds,
        events: result.events.into_iter().map(event).collect(),
    };
    // The raw form has the same encoding as the one whose parts are spelled out.
    let answer = GetTxResponse { tx: Tx::decode(tx.as_slice()).ok(), tx_response: Some(tx_response) };
    Ok(response::Query {
        value: answer.encode_to_vec().into(),
        height: Height::try_from(latest).unwrap_or_default(),
        ..Default::default()
    })
}

fn event(event: tendermint::abci::Event) -> pb::Event {
    let attribute = |attribute: EventAttribute| pb::EventAttribute {
        key: attribute.key_str().unwrap_or_default().to_owned(),
        value: attribute.value_str().unwrap_or_default().to_owned(),
        index: attribute.index(),
    };
    pb::Event { r#type: event.kind, attributes: event.attributes.into_iter().map(attribute).collect() }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}
