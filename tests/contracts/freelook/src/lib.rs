//! A test contract that wants to look without paying: it asks the guard as an insurer would, reads in the reply, and
//! then errors, so that nothing of the transaction should remain. What must remain all the same: the use, the fee and
//! the journal.

mod contract;

#[cfg(test)]
mod tests;

pub use contract::{ExecuteMsg, FreeLook, InstantiateMsg, execute, instantiate, reply};
