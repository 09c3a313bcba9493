//! `cosmos.base.node.v1beta1.Service`.

use cosmos_sdk_proto::cosmos::base::node::v1beta1::{ConfigResponse, StatusResponse};
use serde_json::json;
use tendermint::block::Header;

use super::{Answered, Asked, encode, member};

/// Micro-units of a price that are one.
const MICRO: u64 = 1_000_000;

pub(super) fn answer(asked: &Asked<'_>, method: &str, _: &[u8]) -> Option<Answered> {
    Some(match method {
        "Config" => config(asked),
        "Status" => status(asked),
        _ => return None,
    })
}

fn config(asked: &Asked<'_>) -> Answered {
    let price = asked.chain.as_ref().map(|chain| (chain.params.min_gas_price_micro, chain.denom.as_str()));
    encode(&ConfigResponse {
        // A decimal with 18 places; no price is an empty list of coins.
        minimum_gas_price: price.filter(|(micro, _)| *micro > 0).map_or_else(String::new, |(micro, denom)| {
            format!("{}.{:06}000000000000{denom}", micro / MICRO, micro % MICRO)
        }),
        pruning_keep_recent: asked.engine.keep_heights.to_string(),
        pruning_interval: "1".into(),
        halt_height: 0,
    })
}

fn status(asked: &Asked<'_>) -> Answered {
    let height = if asked.height == 0 { asked.latest.value() } else { asked.height };
    let header: Header = member(&mut asked.call("header", json!({"height": height.to_string()}))?, "header")?;
    encode(&StatusResponse {
        earliest_store_height: height_kept(asked),
        height,
        timestamp: Some(header.time.into()),
        app_hash: header.app_hash.as_bytes().to_vec(),
        validator_hash: header.next_validators_hash.as_bytes().to_vec(),
    })
}

/// The earliest height that can be queried here.
fn height_kept(asked: &Asked<'_>) -> u64 {
    (asked.latest.value() + 1).saturating_sub(asked.engine.keep_heights).max(1)
}
