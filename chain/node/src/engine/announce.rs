//! The events of one block, in the order in which CometBFT 0.38 publishes them.

use std::collections::BTreeMap;

use serde_json::json;
use tendermint::{
    abci::Event,
    block::{Block, Id},
    v0_38::abci::response,
};

use super::{events::Hub, header::tx_hash};
use crate::rpc::json;

/// Tells subscribers about a block: the block, its header, its events, then each transaction.
pub(super) fn block(hub: &Hub, block: &Block, id: Id, results: &response::FinalizeBlock) {
    let height = block.header.height;
    hub.publish(attributes(&results.events, [("tm.event", "NewBlock".into())]), || {
        json!({"type": "tendermint/event/NewBlock", "value": {
            "block": json::block(block),
            "block_id": json::block_id(&id),
            "result_finalize_block": json::finalize_block(results),
        }})
    });
    hub.publish(
        attributes(&[], [("tm.event", "NewBlockHeader".into())]),
        || json!({"type": "tendermint/event/NewBlockHeader", "value": {"header": json::header(&block.header)}}),
    );
    let named = [("tm.event", "NewBlockEvents".into()), ("block.height", height.to_string())];
    hub.publish(attributes(&results.events, named), || {
        json!({"type": "tendermint/event/NewBlockEvents", "value": {
            "height": height.to_string(),
            "events": json::events(&results.events),
            "num_txs": block.data.len().to_string(),
        }})
    });
    for (index, (tx, result)) in block.data.iter().zip(&results.tx_results).enumerate() {
        let hash = hex::encode_upper(tx_hash(tx));
        let named = [("tm.event", "Tx".into()), ("tx.hash", hash), ("tx.height", height.to_string())];
        hub.publish(attributes(&result.events, named), || {
            json!({"type": "tendermint/event/Tx", "value": {"TxResult": {
                "height": height.to_string(),
                "index": index,
                "tx": json::base64(tx),
                "result": json::tx_result(result),
            }}})
        });
    }
}

/// Composite keys of events with their values, and the reserved ones.
fn attributes<const N: usize>(events: &[Event], reserved: [(&str, String); N]) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in events.iter().filter(|event| !event.kind.is_empty()) {
        for attribute in &event.attributes {
            if let (Ok(key), Ok(value)) = (attribute.key_str(), attribute.value_str())
                && !key.is_empty()
            {
                all.entry(format!("{}.{key}", event.kind)).or_default().push(value.into());
            }
        }
    }
    for (key, value) in reserved {
        all.entry(key.into()).or_default().push(value);
    }
    all
}
