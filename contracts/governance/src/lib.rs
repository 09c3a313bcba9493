//! The authority of a chain that its members hold together: it promises them that nothing is said in the chain's name but
//! what enough of them have voted for.
//!
//! A member proposes messages, members vote with their weights, and what has passed anybody may execute: then the contract
//! sends the messages, all or none. Named as `authority` in genesis it is who adds, weighs and removes validators, changes
//! parameters, pins code and schedules upgrades. Messages, questions and answers are those of cw3 (`cw3-fixed-multisig`),
//! so its tools work.
//!
//! Members, weights and rules change only by the contract's own word, that is by a proposal. A proposal is voted on by
//! those, and with the weights, that were there when it was made. Start at [`contract::execute`]; how votes are weighed is
//! in [`tally`].

pub mod contract;
pub mod error;
pub mod msg;
pub mod query;
pub mod state;
pub mod tally;

#[cfg(test)]
mod tests;

pub use error::ContractError;
