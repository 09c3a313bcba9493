//! The methods, one function each, in the order of CometBFT's `rpc/core/routes.go`.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use serde_json::{Value, json};
use tendermint::{
    block::Height,
    v0_38::abci::{request, response},
};

use super::{Node, RpcError, json as shape, params::Params, query_grammar::Query};
use crate::{
    engine::{
        header::{self, tx_hash},
        index::Place,
        store::StoredBlock,
    },
    net::Peer,
};

type Answer = Result<Value, RpcError>;

/// Results on one page if nothing is said, and at most.
const PER_PAGE: usize = 30;
const PER_PAGE_MAX: usize = 100;
/// Block metas in one answer of `blockchain`.
const METAS_MAX: u64 = 20;
/// Bytes of one genesis chunk.
const GENESIS_CHUNK: usize = 16 << 20;

/// Names of methods with those of their parameters, in order; `subscribe` and its kin exist on websockets only.
pub(crate) const METHODS: &[(&str, &[&str])] = &[
    ("health", &[]),
    ("status", &[]),
    ("net_info", &[]),
    ("blockchain", &["minHeight", "maxHeight"]),
    ("genesis", &[]),
    ("genesis_chunked", &["chunk"]),
    ("block", &["height"]),
    ("block_by_hash", &["hash"]),
    ("block_results", &["height"]),
    ("commit", &["height"]),
    ("header", &["height"]),
    ("header_by_hash", &["hash"]),
    ("check_tx", &["tx"]),
    ("tx", &["hash", "prove"]),
    ("tx_search", &["query", "prove", "page", "per_page", "order_by"]),
    ("block_search", &["query", "page", "per_page", "order_by"]),
    ("validators", &["height", "page", "per_page"]),
    ("dump_consensus_state", &[]),
    ("consensus_state", &[]),
    ("consensus_params", &["height"]),
    ("unconfirmed_txs", &["limit"]),
    ("num_unconfirmed_txs", &[]),
    ("broadcast_tx_commit", &["tx"]),
    ("broadcast_tx_sync", &["tx"]),
    ("broadcast_tx_async", &["tx"]),
    ("abci_query", &["path", "data", "height", "prove"]),
    ("abci_info", &[]),
    ("broadcast_evidence", &["evidence"]),
];

/// The parameters' names of a method.
pub(crate) fn names(method: &str) -> Option<&'static [&'static str]> {
    METHODS.iter().find(|(name, _)| *name == method).map(|(_, names)| *names)
}

/// Whether a method has a transaction checked.
pub(crate) fn checks(method: &str) -> bool {
    matches!(method, "check_tx" | "broadcast_tx_commit" | "broadcast_tx_sync" | "broadcast_tx_async")
}

/// Whether an answer of one says that the transaction was refused.
pub(crate) fn is_refusal(answer: &Answer) -> bool {
    let of = |answer: &Value| answer["code"].as_u64().or_else(|| answer["check_tx"]["code"].as_u64());
    answer.as_ref().ok().and_then(of).is_some_and(|code| code != 0)
}

/// Calls a method for a client. Work happens on a blocking thread, bounded in number and time.
pub(crate) async fn call(node: &Arc<Node>, peer: Peer, method: &str, params: Params) -> Answer {
    if checks(method) {
        node.suspects.turn(peer).await;
    }
    if method == "broadcast_tx_commit" {
        return broadcast_tx_commit(node, peer, &params).await;
    }
    let limit = node.limits.timeout;
    let slow = || RpcError::internal(format!("{method} takes longer than {} s here", limit.as_secs()));
    let work = async {
        let turn = node.workers.take(peer).await.map_err(RpcError::internal)?;
        let (node, method) = (Arc::clone(node), method.to_owned());
        let worked = tokio::task::spawn_blocking(move || {
            let answer = answer_to(&node, Some(peer), &method, &params);
            drop(turn);
            answer
        });
        worked.await.map_err(RpcError::internal)?
    };
    tokio::time::timeout(limit, work).await.map_err(|_| slow())?
}

/// Answers on this thread somebody whose transactions are nobody's to count here.
pub(crate) fn answer(node: &Arc<Node>, method: &str, params: &Params) -> Answer {
    answer_to(node, None, method, params)
}

fn answer_to(node: &Arc<Node>, peer: Option<Peer>, method: &str, params: &Params) -> Answer {
    match method {
        "health" => Ok(json!({})),
        "status" => status(node),
        "net_info" => Ok(json!({"listening": false, "listeners": [], "n_peers": "0", "peers": []})),
        "blockchain" => blockchain(node, params),
        "genesis" => Ok(json!({"genesis": node.genesis})),
        "genesis_chunked" => genesis_chunked(node, params),
        "block" => block(node, params),
        "block_by_hash" => block_by_hash(node, params),
        "block_results" => block_results(node, params),
        "commit" => commit(node, params),
        "header" => stored(node, params).map(|stored| json!({"header": shape::header(&stored.block.header)})),
        "header_by_hash" => {
            let stored = stored_by_hash(node, params)?;
            Ok(json!({"header": stored.map(|stored| shape::header(&stored.block.header))}))
        }
        "check_tx" => {
            let checked = node.mempool.check_only(transaction(params)?);
            tell(node, peer, &checked);
            Ok(shape::check_tx(&checked))
        }
        "tx" => tx(node, params),
        "tx_search" => tx_search(node, params),
        "block_search" => block_search(node, params),
        "validators" => validators(node, params),
        "dump_consensus_state" => dump_consensus_state(node),
        "consensus_state" => consensus_state(node),
        "consensus_params" => consensus_params(node, params),
        "unconfirmed_txs" => unconfirmed_txs(node, params),
        "num_unconfirmed_txs" => Ok(waiting(node, node.mempool.size().count, Value::Null)),
        "broadcast_tx_sync" => broadcast_tx_sync(node, peer, params),
        "broadcast_tx_async" => broadcast_tx_async(node, peer, params),
        "abci_query" => abci_query(node, params),
        "abci_info" => Ok(abci_info(node)),
        "broadcast_evidence" => Err(RpcError::internal(
            "evidence is not taken here: this chain has one validator, in this process, and nobody to accuse it",
        )),
        _ => Err(RpcError::method_not_found()),
    }
}

fn status(node: &Node) -> Answer {
    let latest = require(node, node.store.height())?;
    let earliest = require(node, node.store.earliest().map_err(RpcError::internal)?)?;
    let power = power(node, latest.block.header.height.value())?;
    Ok(json!({
        "node_info": node.node_info(),
        "sync_info": {
            "latest_block_hash": shape::hex(latest.id.hash.as_bytes()),
            "latest_app_hash": shape::hex(latest.block.header.app_hash.as_bytes()),
            "latest_block_height": latest.block.header.height.to_string(),
            "latest_block_time": shape::time(latest.block.header.time),
            "earliest_block_hash": shape::hex(earliest.id.hash.as_bytes()),
            "earliest_app_hash": shape::hex(earliest.block.header.app_hash.as_bytes()),
            "earliest_block_height": earliest.block.header.height.to_string(),
            "earliest_block_time": shape::time(earliest.block.header.time),
            "catching_up": false,
        },
        "validator_info": {
            "address": shape::hex(node.address().as_bytes()),
            "pub_key": shape::public_key(&node.public),
            "voting_power": power.to_string(),
        },
    }))
}

/// This validator's power at a height.
fn power(node: &Node, height: u64) -> Result<u64, RpcError> {
    let set = node.store.validators(height).map_err(RpcError::internal)?.unwrap_or_default();
    Ok(set.iter().find(|info| info.address == node.address()).map_or(0, |info| info.power()))
}

fn blockchain(node: &Node, params: &Params) -> Answer {
    let last = node.store.height();
    let named = |name| -> Result<u64, RpcError> {
        let value = params.int(name)?.unwrap_or(0);
        u64::try_from(value).map_err(|_| RpcError::internal("heights must be non-negative"))
    };
    let first = node.store.earliest().map_err(RpcError::internal)?;
    let (min, max) = (named("minHeight")?.max(first), named("maxHeight")?);
    let max = if max == 0 { last } else { max.min(last) };
    let min = min.max((max + 1).saturating_sub(METAS_MAX));
    if min > max {
        return Err(RpcError::internal(format!("min height {min} can't be greater than max height {max}")));
    }
    let metas = (min..=max)
        .rev()
        .map(|height| {
            let stored = require(node, height)?;
            Ok(shape::block_meta(&stored.block, &stored.id, stored.bytes))
        })
        .collect::<Result<Vec<_>, RpcError>>()?;
    Ok(json!({"last_height": last.to_string(), "block_metas": metas}))
}

fn genesis_chunked(node: &Node, params: &Params) -> Answer {
    let chunk = params.int("chunk")?.unwrap_or(0);
    let bytes = serde_json::to_vec(&node.genesis).map_err(RpcError::internal)?;
    let total = bytes.len().div_ceil(GENESIS_CHUNK);
    let index = usize::try_from(chunk).ok();
    match index.and_then(|index| bytes.chunks(GENESIS_CHUNK).nth(index)) {
        Some(data) => Ok(json!({"chunk": chunk.to_string(), "total": total.to_string(), "data": shape::base64(data)})),
        None => Err(RpcError::internal(format!("there are {} chunks, {chunk} is invalid", total.saturating_sub(1)))),
    }
}

fn block(node: &Node, params: &Params) -> Answer {
    let stored = stored(node, params)?;
    Ok(json!({"block_id": shape::block_id(&stored.id), "block": shape::block(&stored.block)}))
}

fn block_by_hash(node: &Node, params: &Params) -> Answer {
    Ok(match stored_by_hash(node, params)? {
        Some(stored) => json!({"block_id": shape::block_id(&stored.id), "block": shape::block(&stored.block)}),
        // CometBFT answers with an empty id rather than an error.
        None => json!({"block_id": shape::block_id(&tendermint::block::Id::default()), "block": null}),
    })
}

fn block_results(node: &Node, params: &Params) -> Answer {
    let height = height(node, params, node.store.height())?;
    let results = node.store.results(height).map_err(RpcError::internal)?;
    let results = results.ok_or_else(|| RpcError::internal(format!("no results of height {height}")))?;
    Ok(shape::block_results(height, &results))
}

fn commit(node: &Node, params: &Params) -> Answer {
    let stored = stored(node, params)?;
    let height = stored.block.header.height.value();
    let commit = node.store.commit(height).map_err(RpcError::internal)?;
    let commit = commit.ok_or_else(|| RpcError::internal(format!("no commit of height {height}")))?;
    Ok(json!({
        "signed_header": {"header": shape::header(&stored.block.header), "commit": shape::commit(&commit.plain())},
        // The next block makes a commit canonical by carrying it.
        "canonical": height < node.store.height(),
    }))
}

fn tx(node: &Node, params: &Params) -> Answer {
    let hash = params.hash("hash")?.unwrap_or_default();
    match node.store.tx(&hash).map_err(RpcError::internal)? {
        Some(place) => found_tx(node, place, params.flag("prove")?),
        None => Err(RpcError::internal(format!("tx ({}) not found", shape::hex(&hash)))),
    }
}

/// A transaction with its result, as `tx` and `tx_search` print it.
fn found_tx(node: &Node, (height, index): Place, prove: bool) -> Answer {
    let stored = require(node, height)?;
    let results = node.store.results(height).map_err(RpcError::internal)?;
    let at = usize::try_from(index).map_err(RpcError::internal)?;
    let gone = || RpcError::internal(format!("height {height} has no transaction {index}"));
    let results = results.ok_or_else(gone)?;
    let (tx, result) = (stored.block.data.get(at), results.tx_results.get(at));
    let (Some(tx), Some(result)) = (tx, result) else { return Err(gone()) };
    let mut answer = json!({
        "hash": shape::hex(&tx_hash(tx)),
        "height": height.to_string(),
        "index": index,
        "tx_result": shape::tx_result(result),
        "tx": shape::base64(tx),
    });
    if prove && let Some(members) = answer.as_object_mut() {
        let aunts = header::tx_proof(&stored.block.data, at);
        let proof = json!({
            "root_hash": shape::hex(header::data_hash(&stored.block.data).as_bytes()),
            "data": shape::base64(tx),
            "proof": {
                "total": stored.block.data.len().to_string(),
                "index": index.to_string(),
                "leaf_hash": shape::base64(header::tx_leaf(tx).as_bytes()),
                "aunts": aunts.iter().map(|aunt| shape::base64(aunt)).collect::<Vec<_>>(),
            },
        });
        members.insert("proof".into(), proof);
    }
    Ok(answer)
}

fn tx_search(node: &Node, params: &Params) -> Answer {
    let query = query(params)?;
    let prove = params.flag("prove")?;
    let found = node.store.search_txs(&query).map_err(RpcError::internal)?;
    let total = found.len();
    let txs = paged(found, params, "asc")?.into_iter().map(|place| found_tx(node, place, prove));
    Ok(json!({"txs": txs.collect::<Result<Vec<_>, _>>()?, "total_count": total.to_string()}))
}

fn block_search(node: &Node, params: &Params) -> Answer {
    let query = query(params)?;
    let found = node.store.search_blocks(&query).map_err(RpcError::internal)?;
    let total = found.len();
    let blocks = paged(found, params, "desc")?.into_iter().map(|height| {
        let stored = require(node, height)?;
        Ok::<_, RpcError>(json!({"block_id": shape::block_id(&stored.id), "block": shape::block(&stored.block)}))
    });
    Ok(json!({"blocks": blocks.collect::<Result<Vec<_>, _>>()?, "total_count": total.to_string()}))
}

fn validators(node: &Node, params: &Params) -> Answer {
    // The set of the next height is known already; light clients ask for it.
    let height = match params.int("height")? {
        None => node.store.height(),
        Some(_) => height(node, params, node.store.height() + 1)?,
    };
    let set = node.store.validators(height).map_err(RpcError::internal)?;
    let set = set.ok_or_else(|| RpcError::internal(format!("no validators of height {height}")))?;
    let total = set.len();
    let page = page(total, params)?;
    let shown: Vec<_> = set.iter().skip(page.start).take(page.len()).map(shape::validator).collect();
    Ok(json!({
        "block_height": height.to_string(),
        "count": shown.len().to_string(),
        "validators": shown,
        "total": total.to_string(),
    }))
}

/// The round that waits for something to put into a block. A chain of one validator has no votes to show: it casts them
/// when it makes the block.
fn consensus_state(node: &Node) -> Answer {
    let latest = require(node, node.store.height())?;
    let height = latest.block.header.height.value() + 1;
    Ok(json!({"round_state": {
        "height/round/step": format!("{height}/0/1"),
        "start_time": shape::time(latest.block.header.time),
        "proposal_block_hash": "",
        "locked_block_hash": "",
        "valid_block_hash": "",
        "height_vote_set": [shape::no_votes(power(node, height)?)],
        "proposer": {"address": shape::hex(node.address().as_bytes()), "index": 0},
    }}))
}

/// The same with every member that CometBFT prints.
fn dump_consensus_state(node: &Node) -> Answer {
    let latest = require(node, node.store.height())?;
    let height = latest.block.header.height.value();
    let set = |height| {
        let set = node.store.validators(height).map_err(RpcError::internal)?.unwrap_or_default();
        Ok::<_, RpcError>(shape::validator_set(&set))
    };
    let time = shape::time(latest.block.header.time);
    Ok(json!({
        "round_state": {
            "height": (height + 1).to_string(),
            "round": 0,
            "step": 1,
            "start_time": time,
            "commit_time": time,
            "validators": set(height + 1)?,
            "proposal": null,
            "proposal_block": null,
            "proposal_block_parts": null,
            "locked_round": -1,
            "locked_block": null,
            "locked_block_parts": null,
            "valid_round": -1,
            "valid_block": null,
            "valid_block_parts": null,
            "votes": [shape::no_votes(power(node, height + 1)?)],
            "commit_round": -1,
            "last_commit": null,
            "last_validators": set(height)?,
            "triggered_timeout_precommit": false,
        },
        "peers": [],
    }))
}

fn consensus_params(node: &Node, params: &Params) -> Answer {
    let height = match params.int("height")? {
        None => node.store.height(),
        Some(_) => height(node, params, node.store.height() + 1)?,
    };
    let found = node.store.params(height).map_err(RpcError::internal)?;
    let found = found.ok_or_else(|| RpcError::internal(format!("no parameters of height {height}")))?;
    Ok(json!({"block_height": height.to_string(), "consensus_params": shape::consensus_params(&found)}))
}

fn unconfirmed_txs(node: &Node, params: &Params) -> Answer {
    let limit = match params.int("limit")? {
        Some(limit) if limit >= 1 => usize::try_from(limit).unwrap_or(PER_PAGE_MAX).min(PER_PAGE_MAX),
        _ => PER_PAGE,
    };
    let txs: Vec<_> = node.mempool.first(limit).iter().map(|tx| shape::base64(tx)).collect();
    Ok(waiting(node, txs.len(), txs.into()))
}

fn waiting(node: &Node, shown: usize, txs: Value) -> Value {
    let size = node.mempool.size();
    json!({
        "n_txs": shown.to_string(),
        "total": size.count.to_string(),
        "total_bytes": size.bytes.to_string(),
        "txs": txs,
    })
}

/// Takes in what became of a client's transaction.
fn tell(node: &Node, peer: Option<Peer>, checked: &response::CheckTx) {
    if let Some(peer) = peer {
        node.suspects.told(peer, checked.code.is_err());
    }
}

fn broadcast_tx_sync(node: &Node, peer: Option<Peer>, params: &Params) -> Answer {
    let tx = transaction(params)?;
    let hash = tx_hash(&tx);
    let checked = node.mempool.add(tx).map_err(RpcError::internal)?;
    tell(node, peer, &checked);
    Ok(json!({
        "code": checked.code.value(),
        "data": shape::hex(&checked.data),
        "log": checked.log,
        "codespace": checked.codespace,
        "hash": shape::hex(&hash),
    }))
}

/// Answers before the check. The check runs on this thread nevertheless, so that senders cannot pile work up.
fn broadcast_tx_async(node: &Node, peer: Option<Peer>, params: &Params) -> Answer {
    let tx = transaction(params)?;
    let hash = tx_hash(&tx);
    match node.mempool.add(tx) {
        Ok(checked) => tell(node, peer, &checked),
        Err(refused) => tracing::debug!("broadcast_tx_async: {refused}"),
    }
    Ok(json!({"code": 0, "data": "", "log": "", "codespace": "", "hash": shape::hex(&hash)}))
}

async fn broadcast_tx_commit(node: &Arc<Node>, peer: Peer, params: &Params) -> Answer {
    let tx = transaction(params)?;
    let hash = shape::hex(&tx_hash(&tx));
    let query = Query::parse(&format!("tm.event='Tx' AND tx.hash='{hash}'")).map_err(RpcError::internal)?;
    let mut subscription = node.hub.subscribe(query).map_err(RpcError::internal)?;
    let turn = node.workers.take(peer).await.map_err(RpcError::internal)?;
    let checking = Arc::clone(node);
    let check = move || {
        let checked = checking.mempool.add(tx);
        drop(turn);
        checked
    };
    let checked = tokio::task::spawn_blocking(check).await.map_err(RpcError::internal)?.map_err(RpcError::internal)?;
    tell(node, Some(peer), &checked);
    let check = shape::check_tx(&checked);
    if !checked.code.is_ok() {
        let none = shape::tx_result(&Default::default());
        return Ok(json!({"check_tx": check, "tx_result": none, "hash": hash, "height": "0"}));
    }
    let timed_out = || RpcError::internal("timed out waiting for tx to be included in a block");
    let event = tokio::time::timeout(node.limits.commit_timeout, subscription.next()).await.map_err(|_| timed_out())?;
    let event = event.ok_or_else(timed_out)?;
    let mut data: Value = serde_json::from_str(&event.data).map_err(RpcError::internal)?;
    let mut result = data.pointer_mut("/value/TxResult");
    let mut member =
        |name: &str| result.as_mut().and_then(|result| result.get_mut(name)).map(Value::take).unwrap_or_default();
    Ok(json!({"check_tx": check, "tx_result": member("result"), "hash": hash, "height": member("height")}))
}

fn abci_query(node: &Arc<Node>, params: &Params) -> Answer {
    let path = params.text("path")?.unwrap_or_default();
    let data = params.hex("data")?.unwrap_or_default();
    let height = params.int("height")?.unwrap_or(0);
    let height = Height::try_from(height).map_err(|_| RpcError::internal("height must be non-negative"))?;
    let answer = node.questions().answer(request::Query { data, path, height, prove: params.flag("prove")? });
    Ok(json!({"response": shape::query(&answer)}))
}

fn abci_info(node: &Node) -> Value {
    let info = node.info.info();
    json!({"response": {
        "data": info.data,
        "version": info.version,
        "app_version": info.app_version.to_string(),
        "last_block_height": info.last_block_height.to_string(),
        "last_block_app_hash": shape::base64(info.last_block_app_hash.as_bytes()),
    }})
}

/// The transaction; none is an empty one, as in CometBFT, and the application says what that is.
fn transaction(params: &Params) -> Result<Bytes, RpcError> {
    Ok(params.bytes("tx")?.unwrap_or_default())
}

fn query(params: &Params) -> Result<Query, RpcError> {
    let text = params.text("query")?.unwrap_or_default();
    Query::parse(&text).map_err(RpcError::internal)
}

/// The height asked for, the latest if none is, checked as CometBFT does.
fn height(node: &Node, params: &Params, highest: u64) -> Result<u64, RpcError> {
    let latest = node.store.height();
    let Some(asked) = params.int("height")? else { return Ok(latest) };
    match u64::try_from(asked) {
        Ok(0) | Err(_) => Err(RpcError::internal(format!("height must be greater than 0, but got {asked}"))),
        Ok(height) if height > highest => Err(RpcError::internal(format!(
            "height {height} must be less than or equal to the current blockchain height {latest}"
        ))),
        Ok(height) => match node.store.earliest().map_err(RpcError::internal)? {
            earliest if height < earliest => {
                Err(RpcError::internal(format!("height {height} is not available, lowest height is {earliest}")))
            }
            _ => Ok(height),
        },
    }
}

fn stored(node: &Node, params: &Params) -> Result<StoredBlock, RpcError> {
    require(node, height(node, params, node.store.height())?)
}

fn stored_by_hash(node: &Node, params: &Params) -> Result<Option<StoredBlock>, RpcError> {
    let hash = params.hash("hash")?.unwrap_or_default();
    match node.store.height_of(&hash).map_err(RpcError::internal)? {
        Some(height) => require(node, height).map(Some),
        None => Ok(None),
    }
}

fn require(node: &Node, height: u64) -> Result<StoredBlock, RpcError> {
    let stored = node.store.block(height).map_err(RpcError::internal)?;
    stored.ok_or_else(|| RpcError::internal(format!("there is no block {height} yet")))
}

/// One page of what was found, in the order asked for, or in that which is the method's own.
fn paged<T: Clone>(found: BTreeSet<T>, params: &Params, own: &str) -> Result<Vec<T>, RpcError> {
    let page = page(found.len(), params)?;
    let all = found.iter().cloned();
    let asked = params.text("order_by")?.filter(|order| !order.is_empty());
    match asked.as_deref().unwrap_or(own) {
        "asc" => Ok(all.skip(page.start).take(page.len()).collect()),
        "desc" => Ok(all.rev().skip(page.start).take(page.len()).collect()),
        _ => Err(RpcError::internal("expected order_by to be either `asc` or `desc` or empty")),
    }
}

fn page(total: usize, params: &Params) -> Result<std::ops::Range<usize>, RpcError> {
    let per_page = match params.int("per_page")? {
        Some(n) if n >= 1 => usize::try_from(n).unwrap_or(PER_PAGE_MAX).min(PER_PAGE_MAX),
        _ => PER_PAGE,
    };
    let pages = total.div_ceil(per_page).max(1);
    let asked = params.int("page")?.unwrap_or(1);
    match usize::try_from(asked) {
        Ok(page) if (1..=pages).contains(&page) => {
            let start = (page - 1) * per_page;
            Ok(start..total.min(start + per_page))
        }
        _ => Err(RpcError::internal(format!("page should be within [1, {pages}] range, given {asked}"))),
    }
}
