//! The application's side of ABCI 2.0: one switchboard per connection of CometBFT 0.38.
//!
//! The embedded engine and a real CometBFT drive the same four: [`consensus`] (proposal, vote, block, commit),
//! [`mempool`] (checks), [`info`] with [`query`] (questions), [`snapshot`] (state sync, CometBFT's alone). The engine
//! calls their methods; [`server`] puts each behind a queue of its own ([`lane`]) and serves them on a socket
//! ([`connection`]).

pub(crate) mod connection;
pub(crate) mod consensus;
pub(crate) mod info;
pub(crate) mod lane;
pub(crate) mod mempool;
pub(crate) mod query;
pub(crate) mod server;
pub(crate) mod snapshot;
pub(crate) mod vote;
