//! The token's interface, as a developer with cw-orch writes it.

use cosmwasm_schema::{QueryResponses, cw_serde};
use cosmwasm_std::Uint128;
use cw_orch::{
    environment::{ChainInfoOwned, ChainKind, NetworkInfoOwned},
    interface,
    prelude::*,
};

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
#[derive(cw_orch::ExecuteFns)]
pub enum ExecuteMsg {
    /// Moves tokens to another account.
    Transfer {
        /// How many.
        amount: Uint128,
        /// The other account.
        recipient: String,
    },
    /// Destroys tokens.
    Burn {
        /// How many.
        amount: Uint128,
    },
}

/// What anybody may ask.
#[cw_serde]
#[derive(cw_orch::QueryFns, QueryResponses)]
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

/// Changes the code.
#[cw_serde]
pub struct MigrateMsg {
    /// A new name, if it shall have one.
    pub name: Option<String>,
}

/// The contract.
#[interface(InstantiateMsg, ExecuteMsg, QueryMsg, MigrateMsg, id = "token")]
pub struct Token;

impl<Chain: CwEnv> Uploadable for Token<Chain> {
    fn wasm(_: &ChainInfoOwned) -> WasmPath {
        let folder = std::env::var("ACESO_CONTRACTS").expect("the folder that `cargo xtask contracts` prints");
        WasmPath::new(format!("{folder}/token.wasm")).expect("it is a wasm file")
    }
}

/// The chain that `aceso dev` starts.
pub fn aceso_dev(grpc: &str) -> ChainInfoOwned {
    ChainInfoOwned {
        chain_id: "aceso-dev".into(),
        gas_denom: "uaceso".into(),
        gas_price: 0.025,
        grpc_urls: vec![grpc.into()],
        lcd_url: None,
        fcd_url: None,
        network_info: NetworkInfoOwned {
            chain_name: "aceso".into(),
            pub_address_prefix: "aceso".into(),
            coin_type: 118,
        },
        kind: ChainKind::Local,
    }
}
