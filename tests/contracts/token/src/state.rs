//! What is stored.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{Addr, Uint128};
use cw_storage_plus::{Item, Map};

/// The token as a whole.
#[cw_serde]
pub(crate) struct Token {
    pub(crate) name: String,
    pub(crate) total_supply: Uint128,
}

/// The token.
pub(crate) const TOKEN: Item<Token> = Item::new("token_info");
/// Account → tokens; a row that is absent means none.
pub(crate) const BALANCES: Map<&Addr, Uint128> = Map::new("balance");
