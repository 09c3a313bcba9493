//! What contracts ask of modules that this chain does not have: staking, distribution, IBC.
//!
//! Power is the authority's to give, and nothing is bridged. A contract that asks hears what wasmd answers where nobody
//! has staked and no channel is open (`x/wasm/keeper/query_plugins.go`): lists are empty, and what is not there is null.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{address::Address, chain::Chain, code::Fault};

/// CosmWasm's `StakingQuery`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Staking {
    BondedDenom {},
    AllDelegations { delegator: String },
    Delegation { delegator: String, validator: String },
    AllValidators {},
    Validator { address: String },
}

/// CosmWasm's `DistributionQuery`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Distribution {
    DelegatorWithdrawAddress { delegator_address: String },
    DelegationRewards { delegator_address: String, validator_address: String },
    DelegationTotalRewards { delegator_address: String },
    DelegatorValidators { delegator_address: String },
}

/// CosmWasm's `IbcQuery`, with what versions before 3 had of it.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code, reason = "whatever port or channel is named, it is not there")]
pub(super) enum Ibc {
    PortId {},
    ListChannels { port_id: Option<String> },
    Channel { channel_id: String, port_id: Option<String> },
    FeeEnabledChannel { channel_id: String, port_id: Option<String> },
}

/// Nobody stakes, and the coin that would be staked is the chain's.
pub(super) fn staking(chain: &Chain, query: Staking) -> Result<Value, Fault> {
    Ok(match query {
        Staking::BondedDenom {} => json!({ "denom": chain.denom }),
        Staking::AllDelegations { delegator } => {
            chain.address(&delegator)?;
            json!({ "delegations": [] })
        }
        Staking::Delegation { delegator, validator } => {
            chain.address(&delegator)?;
            operator(chain, &validator)?;
            json!({ "delegation": null })
        }
        Staking::AllValidators {} => json!({ "validators": [] }),
        Staking::Validator { address } => {
            operator(chain, &address)?;
            json!({ "validator": null })
        }
    })
}

/// Nobody earns by staking; what somebody earned would go to the account itself.
pub(super) fn distribution(chain: &Chain, query: Distribution) -> Result<Value, Fault> {
    Ok(match query {
        Distribution::DelegatorWithdrawAddress { delegator_address } => {
            json!({ "withdraw_address": chain.address(&delegator_address)?.as_str() })
        }
        Distribution::DelegationRewards { delegator_address, validator_address } => {
            chain.address(&delegator_address)?;
            operator(chain, &validator_address)?;
            json!({ "rewards": [] })
        }
        Distribution::DelegationTotalRewards { delegator_address } => {
            chain.address(&delegator_address)?;
            json!({ "rewards": [], "total": [] })
        }
        Distribution::DelegatorValidators { delegator_address } => {
            chain.address(&delegator_address)?;
            json!({ "validators": [] })
        }
    })
}

/// No contract has a port, and there are no channels.
pub(super) fn ibc(query: &Ibc) -> Value {
    match query {
        Ibc::PortId {} => json!({ "port_id": "" }),
        Ibc::ListChannels { .. } => json!({ "channels": [] }),
        Ibc::Channel { .. } => json!({ "channel": null }),
        Ibc::FeeEnabledChannel { .. } => json!({ "fee_enabled": false }),
    }
}

/// An operator's address, as chains with staking write it.
fn operator(chain: &Chain, text: &str) -> Result<Address, Fault> {
    Address::parse(text, &format!("{}valoper", chain.prefix))
}
