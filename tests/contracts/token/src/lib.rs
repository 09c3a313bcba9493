//! A fungible token with the messages of CW20 that matter to a load: what a stock contract on this chain costs.
//!
//! It knows nothing of Aceso: any CosmWasm chain would take it. Balances stand in one map, a transfer reads and writes
//! two of them, exactly as `cw20-base` does, so that gas and time can be held against published figures.

mod contract;
mod error;
mod msg;
mod state;
#[cfg(test)]
mod tests;

pub use contract::{execute, instantiate, migrate, query};
pub use error::ContractError;
pub use msg::{Balance, BalanceResponse, ExecuteMsg, InstantiateMsg, MigrateMsg, QueryMsg, TokenInfoResponse};
