//! A guard: it promises a patient that nobody reads her images but whom she lets, as often and as long as she lets
//! them, for the purpose and with the models that she names.
//!
//! An image that names this contract as its guard cannot be read without a permit, and a permit is minted here only,
//! by [`msg::ExecuteMsg::Use`], after her rules were looked at: silence means no, a no beats every yes. The chain
//! counts the uses and writes every answer into its journal, also where the transaction fails.
//!
//! Of a sealed image several accounts may have registered one CID; each is asked for her own record only. A grant for
//! sealed images can be hidden: the chain then knows digests and an end, and whoever uses it opens it for one image.
//!
//! Nobody else has a say: the contract has no owner, and a patient speaks only for images that she registered herself.
//! Start at [`contract::execute`]; how rules are weighed is in [`helpers`].

pub mod contract;
pub mod error;
pub mod helpers;
pub mod msg;
pub mod state;

#[cfg(test)]
mod tests;

pub use error::{ContractError, Refusal};
