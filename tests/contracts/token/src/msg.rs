//! The public face, as CW20 has it.

use cosmwasm_schema::{QueryResponses, cw_serde};
use cosmwasm_std::{Binary, Uint128};

/// Creates the token.
#[cw_serde]
pub struct InstantiateMsg {
    /// Its name.
    pub name: String,
    /// Who owns what from the start.
    pub initial_balances: Vec<Balance>,
}

/// An account and what it owns.
#[cw_serde]
pub struct Balance {
    /// The account.
    pub address: String,
    /// How many.
    pub amount: Uint128,
}

/// What holders may do.
#[cw_serde]
pub enum ExecuteMsg {
    /// Any holder. Moves tokens to another account.
    Transfer {
        /// The other account.
        recipient: String,
        /// How many; not zero.
        amount: Uint128,
    },
    /// Any holder. Moves tokens to a contract and calls it with `msg`.
    Send {
        /// The contract.
        contract: String,
        /// How many; not zero.
        amount: Uint128,
        /// The message, handed on as it is.
        msg: Binary,
    },
    /// Any holder. Destroys tokens.
    Burn {
        /// How many; not zero.
        amount: Uint128,
    },
}

/// What anybody may ask.
#[cw_serde]
#[derive(QueryResponses)]
pub enum QueryMsg {
    /// What an account owns.
    #[returns(BalanceResponse)]
    Balance {
        /// The account.
        address: String,
    },
    /// The token.
    #[returns(TokenInfoResponse)]
    TokenInfo {},
}

/// Answer to [`QueryMsg::Balance`].
#[cw_serde]
pub struct BalanceResponse {
    /// How many.
    pub balance: Uint128,
}

/// Answer to [`QueryMsg::TokenInfo`].
#[cw_serde]
pub struct TokenInfoResponse {
    /// Its name.
    pub name: String,
    /// How many there are.
    pub total_supply: Uint128,
}

/// Keeps the state, changes the code.
#[cw_serde]
pub struct MigrateMsg {
    /// A new name, if it shall have one.
    pub name: Option<String>,
}
