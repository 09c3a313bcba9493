//! A test contract that calls the host in any order, as itself or after a guard's yes.
//!
//! What it does stands in the message: a list of [`Step`]s, each one call of an import. Errors of imports are written
//! into the answer and the next step follows, so that a test sees each of them; traps end the call as they do for
//! anybody. Start at [`execute`]; the calls themselves are in `steps`, those that no safe wrapper offers in `raw`.

mod contract;
mod msg;
mod raw;
mod steps;
#[cfg(test)]
mod tests;

pub use contract::{execute, instantiate, query, reply, sudo};
pub use msg::{After, ExecuteMsg, Hash, InstantiateMsg, Outcome, QueryMsg, Step, Wild};
