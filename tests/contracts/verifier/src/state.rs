//! What is stored.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::Binary;
use cw_storage_plus::{Item, Map};

use crate::RecordedResponse;

/// What a committee must have, and where the roots end.
#[cw_serde]
pub(crate) struct Config {
    pub(crate) members_min: u32,
    pub(crate) power_min_bps: u32,
    pub(crate) latest: u64,
}

/// The demands.
pub(crate) const CONFIG: Item<Config> = Item::new("config");
/// Number → root, in dag-cbor.
pub(crate) const ROOTS: Map<u64, Binary> = Map::new("roots");
/// Job → outcome; a row that is absent means that nobody has brought its receipt.
pub(crate) const RECORDED: Map<u64, RecordedResponse> = Map::new("recorded");
