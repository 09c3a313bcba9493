//! A chain's worth of host for `cargo test`: what the imports of a contract reach when it is not on a chain.
//!
//! A test sets the stage (models, images, coins to pay reads with), begins a transaction with its signers, and enters
//! each contract as the chain would: `host.call("consent", || consent::execute(…))`. Permits, uses, fees and the
//! journal follow the chain's rules, and a refusal ends the call as it does there: [`Host::call`] answers [`Trap`].
//!
//! What images and models say comes from an [`Engine`]: [`Script`], for tests that care about a contract's branches,
//! or with the feature `testing` `Inference`, the chain's own.
//!
//! A sealed read takes three steps: [`Host::request_read`] does what the chain does with a contract's message, and
//! [`Host::finish_job`] ends the job and answers with what the contract's `sudo` is told.
//!
//! Not here: gas, blocks, bank, messages between contracts. A test plays the chain's part in these.

mod engine;
mod host;
#[cfg(feature = "testing")]
mod inference;
mod rules;
mod sealed;

pub use engine::{Engine, Opened, Script, Stated};
pub use host::{Host, MockDeps, Registration, Trap};
#[cfg(feature = "testing")]
pub use inference::Inference;
pub use sealed::{CHAIN_ID, Committee};

pub(crate) use host::current;
