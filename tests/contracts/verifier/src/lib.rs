//! Takes the word of a committee of Aceso's validators, on any CosmWasm chain.
//!
//! Whoever creates the contract names a root: the attestation keys of a time. Anybody may bring the roots that follow,
//! each signed by more than two thirds of the one before, and compact receipts. A receipt whose committee has signed, and
//! is as large as was demanded, is recorded once; other contracts ask what came out. Who must have signed what is
//! `aceso_types::sealed`'s; the curve is the host's: three functions of `cosmwasm-std`, and nothing else of Aceso.

mod contract;
mod error;
mod msg;
mod state;
#[cfg(test)]
mod tests;

pub use contract::{execute, instantiate, query};
pub use error::ContractError;
pub use msg::{ExecuteMsg, InstantiateMsg, QueryMsg, RecordedResponse, RootResponse};
