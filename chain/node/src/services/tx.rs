//! `cosmos.tx.v1beta1.Service` but for `Simulate`, which the application answers.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use cosmos_sdk_proto::{
    Any,
    cosmos::{
        base::{abci::v1beta1::TxResponse, query::v1beta1::PageResponse},
        tx::v1beta1::{
            BroadcastMode, BroadcastTxRequest, BroadcastTxResponse, GetBlockWithTxsRequest, GetBlockWithTxsResponse,
            GetTxRequest, GetTxResponse, GetTxsEventRequest, GetTxsEventResponse, OrderBy, Tx, TxDecodeAminoRequest,
            TxDecodeRequest, TxDecodeResponse, TxEncodeAminoRequest, TxEncodeRequest, TxEncodeResponse,
        },
    },
    tendermint::abci as pb,
};
use prost::Message;
use serde_json::{Value, json};
use tendermint::{
    Time,
    abci::{EventAttribute, types::ExecTxResult},
};
use tonic::Code;

use super::{Answered, Asked, decode, encode, engine::Failure, member, number, short, status::Status, text};
use crate::{engine::header::tx_hash, rpc::json as shape};

const TX: &str = "/cosmos.tx.v1beta1.Tx";
/// Rows of a page if the client names no number, and at most.
const ROWS: u64 = 100;
/// Codes of the codespace `sdk` for what an engine refuses before any check, and by which of its words it is known.
const REFUSALS: [(&str, u32); 3] = [("tx already exists in cache", 19), ("mempool is full", 20), ("tx too large", 21)];
/// The code of a height that is none, in the codespace `sdk`.
const INVALID_HEIGHT: u32 = 26;

pub(super) fn answer(asked: &Asked<'_>, method: &str, data: &[u8]) -> Option<Answered> {
    Some(match method {
        "GetTx" => get_tx(asked, data),
        "GetTxsEvent" => by_events(asked, data),
        "GetBlockWithTxs" => block_with_txs(asked, data),
        "BroadcastTx" => broadcast(asked, data),
        "TxDecode" => tx_decode(data),
        "TxEncode" => tx_encode(data),
        "TxEncodeAmino" => tx_encode_amino(data),
        "TxDecodeAmino" => tx_decode_amino(data),
        _ => return None,
    })
}

fn get_tx(asked: &Asked<'_>, data: &[u8]) -> Answered {
    let GetTxRequest { hash } = decode(data)?;
    if hash.is_empty() {
        return Err(Status::invalid("tx hash cannot be empty"));
    }
    let Ok(bytes) = hex::decode(&hash) else {
        return Err(Status::invalid(format!("tx hash {:?} is not hexadecimal", short(&hash))));
    };
    let found = asked.call("tx", json!({"hash": STANDARD.encode(bytes), "prove": false}));
    let mut found = match found {
        Err(Failure::Refused(words)) if words.contains("not found") => {
            return Err(Status::new(Code::NotFound, format!("tx not found: {}", short(&hash))));
        }
        found => found?,
    };
    let (tx, response) = executed(asked, &mut found, &mut BTreeMap::new())?;
    encode(&GetTxResponse { tx, tx_response: Some(response) })
}

fn by_events(asked: &Asked<'_>, data: &[u8]) -> Answered {
    #[allow(deprecated, reason = "old clients name conditions one by one")]
    let GetTxsEventRequest { events, order_by, page, limit, mut query, .. } = decode(data)?;
    let internal = |words: String| Status::new(Code::Internal, words);
    if query.is_empty() {
        query = events.join(" AND ");
    }
    if query.is_empty() {
        return Err(internal("query cannot be empty".into()));
    }
    let order = match OrderBy::try_from(order_by) {
        Ok(OrderBy::Asc) => "asc",
        Ok(OrderBy::Desc) => "desc",
        _ => "",
    };
    let limit = if limit == 0 { ROWS } else { limit.min(ROWS) };
    let params = json!({
        "query": query,
        "prove": false,
        "page": page.max(1).to_string(),
        "per_page": limit.to_string(),
        "order_by": order,
    });
    let mut found = asked.call("tx_search", params).map_err(|e| internal(format!("failed to search for txs: {e}")))?;
    let total = u64::try_from(number(&found, "total_count")?).unwrap_or_default();
    let rows: Vec<Value> = member(&mut found, "txs")?;
    let (mut txs, mut tx_responses, mut times) = (Vec::new(), Vec::new(), BTreeMap::new());
    for mut row in rows {
        let (tx, response) = executed(asked, &mut row, &mut times)?;
        txs.push(tx.unwrap_or_default());
        tx_responses.push(response);
    }
    #[allow(deprecated, reason = "the field is left empty")]
    let answer = GetTxsEventResponse { txs, tx_responses, pagination: None, total };
    encode(&answer)
}

/// A transaction of a block with its result, from what the engine says of it. Times of blocks are asked once each.
fn executed(
    asked: &Asked<'_>,
    found: &mut Value,
    times: &mut BTreeMap<i64, String>,
) -> Result<(Option<Tx>, TxResponse), Status> {
    let result: ExecTxResult = member(found, "tx_result")?;
    let height = number(found, "height")?;
    let bytes = STANDARD.decode(text(found, "tx")?).map_err(|e| Failure::Shape(format!("tx: {e}")))?;
    let timestamp = match times.get(&height) {
        Some(time) => time.clone(),
        None => {
            let mut header = asked.call("header", json!({"height": height.to_string()}))?;
            let time = whole_seconds(member(&mut header["header"], "time")?);
            times.insert(height, time.clone());
            time
        }
    };
    let response = TxResponse {
        height,
        txhash: text(found, "hash")?.into(),
        codespace: result.codespace,
        code: result.code.value(),
        data: shape::hex(&result.data),
        raw_log: result.log,
        logs: Vec::new(),
        info: result.info,
        gas_wanted: result.gas_wanted,
        gas_used: result.gas_used,
        // The raw form has the same encoding as the one whose parts are spelled out.
        tx: Some(Any { type_url: TX.into(), value: bytes.clone() }),
        timestamp,
        events: result.events.into_iter().map(event).collect(),
    };
    Ok((Tx::decode(bytes.as_slice()).ok(), response))
}

/// A time as the SDK tells a transaction's: `2026-11-20T13:00:00Z`.
fn whole_seconds(time: Time) -> String {
    let time = shape::time(time);
    time.split_once('.').map_or(time.clone(), |(seconds, _)| format!("{seconds}Z"))
}

fn event(event: tendermint::abci::Event) -> pb::Event {
    let attribute = |attribute: EventAttribute| pb::EventAttribute {
        key: attribute.key_str().unwrap_or_default().to_owned(),
        value: attribute.value_str().unwrap_or_default().to_owned(),
        index: attribute.index(),
    };
    pb::Event { r#type: event.kind, attributes: event.attributes.into_iter().map(attribute).collect() }
}

fn block_with_txs(asked: &Asked<'_>, data: &[u8]) -> Answered {
    let GetBlockWithTxsRequest { height, pagination } = decode(data)?;
    let latest = asked.latest.value();
    if height < 1 || u64::try_from(height).is_ok_and(|height| height > latest) {
        return Err(Status::unknown(format!(
            "codespace sdk code {INVALID_HEIGHT}: requested height {height} but height must not be less than 1 or greater \
             than the current height {latest}: invalid height"
        )));
    }
    let (id, block) = asked.block(Some(height))?;
    let (count, page) = (block.data.len(), pagination.unwrap_or_default());
    let limit = if page.limit == 0 { ROWS } else { page.limit.min(ROWS) };
    let (offset, rows) = (usize::try_from(page.offset).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or(0));
    if count > 0 && offset >= count {
        return Err(Status::unknown(format!(
            "codespace sdk code 18: out of range: cannot paginate {count} txs with offset {} and limit {limit}: invalid \
             request",
            page.offset
        )));
    }
    let all = block.data.iter();
    let shown: Vec<_> =
        if page.reverse { all.rev().skip(offset).take(rows).collect() } else { all.skip(offset).take(rows).collect() };
    encode(&GetBlockWithTxsResponse {
        // What is no transaction, such as a block's first item, is left out.
        txs: shown.into_iter().filter_map(|tx| Tx::decode(tx.as_slice()).ok()).collect(),
        pagination: Some(PageResponse { next_key: Vec::new(), total: u64::try_from(count).unwrap_or(u64::MAX) }),
        block_id: Some(id.into()),
        block: Some(block.into()),
    })
}

fn broadcast(asked: &Asked<'_>, data: &[u8]) -> Answered {
    let BroadcastTxRequest { tx_bytes, mode } = decode(data)?;
    if tx_bytes.is_empty() {
        return Err(Status::invalid("invalid empty tx"));
    }
    let method = match BroadcastMode::try_from(mode) {
        Ok(BroadcastMode::Sync) => "broadcast_tx_sync",
        Ok(BroadcastMode::Async) => "broadcast_tx_async",
        _ => return Err(Status::unknown("unsupported return type unspecified; supported types: sync, async")),
    };
    let response = match asked.call(method, json!({"tx": STANDARD.encode(&tx_bytes)})) {
        Ok(checked) => TxResponse {
            code: u32::try_from(number(&checked, "code")?).unwrap_or(u32::MAX),
            codespace: text(&checked, "codespace")?.into(),
            data: text(&checked, "data")?.into(),
            raw_log: text(&checked, "log")?.into(),
            txhash: text(&checked, "hash")?.into(),
            ..TxResponse::default()
        },
        Err(Failure::Refused(words)) => {
            let refusal = REFUSALS.iter().find(|(known, _)| words.to_lowercase().contains(known));
            let (_, code) = refusal.ok_or(Failure::Refused(words))?;
            let txhash = shape::hex(&tx_hash(&tx_bytes));
            TxResponse { code: *code, codespace: "sdk".into(), txhash, ..TxResponse::default() }
        }
        Err(failure) => return Err(failure.into()),
    };
    encode(&BroadcastTxResponse { tx_response: Some(response) })
}

/// Whether an answer of [`broadcast`] says that the application has refused the transaction; none where the engine has.
pub(super) fn is_refusal(answer: &[u8]) -> Option<bool> {
    let response = BroadcastTxResponse::decode(answer).ok()?.tx_response?;
    let is_engines = response.codespace == "sdk" && REFUSALS.iter().any(|(_, code)| *code == response.code);
    (!is_engines).then_some(response.code != 0)
}

fn tx_decode(data: &[u8]) -> Answered {
    let TxDecodeRequest { tx_bytes } = decode(data)?;
    if tx_bytes.is_empty() {
        return Err(Status::invalid("invalid empty tx bytes"));
    }
    let tx = Tx::decode(tx_bytes.as_slice()).map_err(|e| Status::unknown(format!("{e}: tx parse error")))?;
    encode(&TxDecodeResponse { tx: Some(tx) })
}

fn tx_encode(data: &[u8]) -> Answered {
    let TxEncodeRequest { tx } = decode(data)?;
    let tx = tx.ok_or_else(|| Status::invalid("invalid empty tx"))?;
    encode(&TxEncodeResponse { tx_bytes: tx.encode_to_vec() })
}

fn tx_encode_amino(data: &[u8]) -> Answered {
    let TxEncodeAminoRequest { amino_json } = decode(data)?;
    if amino_json.is_empty() {
        return Err(Status::invalid("invalid empty tx json"));
    }
    Err(no_amino("TxEncode"))
}

fn tx_decode_amino(data: &[u8]) -> Answered {
    let TxDecodeAminoRequest { amino_binary } = decode(data)?;
    if amino_binary.is_empty() {
        return Err(Status::invalid("invalid empty tx bytes"));
    }
    Err(no_amino("TxDecode"))
}

/// Amino has a JSON form, which hardware wallets sign, and a binary one that follows from the SDK's own Go types. No
/// transaction has travelled in that since protobuf came, and messages of this chain have no such types.
fn no_amino(instead: &str) -> Status {
    let words = format!("amino's binary form is not spoken here: transactions are in protobuf, see {instead}");
    Status::new(Code::Unimplemented, words)
}
